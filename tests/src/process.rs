//! Processes that a test starts: their output is collected while they run, and none of them outlives its test.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::sys;

/// What a process left.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output; what is no UTF-8 is replaced.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
    /// The processor time it took, with its children's: user and system.
    pub cpu: Duration,
    /// The most memory it had, in kilobytes.
    pub max_rss: u64,
}

impl Ran {
    /// The exit status, or 128 and the signal's number, as a shell says it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// The standard output where all went well; else what to show.
    pub fn ok(self) -> Result<String, String> {
        match self.status.success() {
            true => Ok(self.stdout),
            false => Err(format!("{}\nstdout: {}\nstderr: {}", self.status, self.stdout, self.stderr)),
        }
    }
}

/// What has come out of a pipe so far.
#[derive(Default)]
struct Collected {
    state: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

impl Collected {
    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().0).into_owned()
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> (Arc<Collected>, JoinHandle<()>) {
    let collected = Arc::new(Collected::default());
    let to = Arc::clone(&collected);
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            to.lock().0.extend_from_slice(buffer.get(..length).unwrap_or_default());
            to.more.notify_all();
        }
        to.lock().1 = true;
        to.more.notify_all();
    });
    (collected, thread)
}

/// A process that runs. Dropping it kills it.
pub struct Running {
    child: Child,
    name: String,
    stdout: Arc<Collected>,
    stderr: Arc<Collected>,
    readers: Vec<JoinHandle<()>>,
    ended: bool,
}

/// Starts a process; its standard input is a pipe (see [`Running::tell`]).
pub fn start(command: &mut Command) -> Result<Running, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("{name}: {e}"))?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(format!("{name}: no pipes"));
    };
    let (stdout, out) = collect(out);
    let (stderr, err) = collect(err);
    Ok(Running { child, name, stdout, stderr, readers: vec![out, err], ended: false })
}

/// `$DUOTRACE_PATIENCE` times a limit: for a machine that is emulated, and slow.
fn patient(limit: Duration) -> Duration {
    let times = std::env::var("DUOTRACE_PATIENCE").ok().and_then(|times| times.parse().ok());
    limit * times.unwrap_or(1u32).clamp(1, 100)
}

/// Runs a process to its end, without input.
pub fn run(command: &mut Command, limit: Duration) -> Result<Ran, String> {
    let mut running = start(command)?;
    drop(running.child.stdin.take());
    running.finish(limit)
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn so_far(&self) -> String {
        self.stdout.text()
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        self.stderr.text()
    }

    /// Waits until its standard output holds a text.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<(), String> {
        let until = Instant::now() + patient(limit);
        let mut state = self.stdout.lock();
        loop {
            if String::from_utf8_lossy(&state.0).contains(text) {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.1 || left.is_zero() {
                let why = if state.1 { "it ended" } else { "it did not say so in time" };
                let said = String::from_utf8_lossy(&state.0).into_owned();
                return Err(format!(
                    "waiting for {text:?} of {}: {why}\nstdout: {said}\nstderr: {}",
                    self.name,
                    self.said()
                ));
            }
            state = self.stdout.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes to its standard input.
    pub fn tell(&mut self, text: &str) -> Result<(), String> {
        let stdin = self.child.stdin.as_mut().ok_or("its input is closed")?;
        stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush())
            .map_err(|e| format!("{}: {e}", self.name))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) -> Result<(), String> {
        sys::kill(self.pid(), signal)
    }

    /// Whether it has ended (it is not waited for).
    pub fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // The state follows the name, which is in parentheses and may hold anything.
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    }

    /// Waits until it ends by itself. After `limit` it is killed, and that is an error.
    pub fn finish(mut self, limit: Duration) -> Result<Ran, String> {
        drop(self.child.stdin.take());
        let until = Instant::now() + patient(limit);
        while !self.has_ended() {
            if Instant::now() >= until {
                let seen = format!("stdout: {}\nstderr: {}", self.so_far(), self.said());
                return Err(format!("{} did not end within {limit:?}\n{seen}", self.name));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let (status, cpu, max_rss) = sys::wait(self.pid())?;
        self.ended = true;
        for reader in self.readers.drain(..) {
            // A child of its own may hold the pipes for longer: what it writes is not waited for.
            let until = Instant::now() + Duration::from_secs(2);
            while !reader.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(Ran { status, stdout: self.stdout.text(), stderr: self.stderr.text(), cpu, max_rss })
    }

    /// Waits until a tracer that prints nothing yet has its probes in place: it handles SIGINT itself, and the number of
    /// its BPF links (`/proc/PID/fdinfo`) has stood still for half a second.
    pub fn wait_armed(&self, limit: Duration) -> Result<(), String> {
        let until = Instant::now() + patient(limit);
        let (mut links, mut since) = (0, Instant::now());
        while Instant::now() < until {
            if self.has_ended() {
                return Err(format!("{} ended at once: {}", self.name, self.said()));
            }
            let now = self.links();
            if now != links || now == 0 {
                (links, since) = (now, Instant::now());
            } else if since.elapsed() > Duration::from_millis(500) && self.catches(libc::SIGINT) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} has {links} links after {limit:?}: {}", self.name, self.said()))
    }

    fn links(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(format!("/proc/{}/fdinfo", self.pid())) else { return 0 };
        let is_link = |text: String| text.contains("link_type:");
        entries.flatten().filter(|entry| std::fs::read_to_string(entry.path()).is_ok_and(is_link)).count()
    }

    fn catches(&self, signal: i32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        mask >> (signal - 1) & 1 == 1
    }

    /// Sends a signal and waits for the end.
    pub fn stop(self, signal: i32, limit: Duration) -> Result<Ran, String> {
        self.signal(signal)?;
        self.finish(limit)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended meanwhile; either way it is gone after this.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
