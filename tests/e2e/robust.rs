//! What must not go wrong when something else does: a tracer that is killed, a program that dies while it is traced,
//! files that are not what they seem, and scripts that are no scripts.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use duotrace_tests::case::Outcome;
use duotrace_tests::process::{Ran, run, start};
use duotrace_tests::programs::{fact, program};
use duotrace_tests::random::Random;
use duotrace_tests::sys::{BpfKind, bpf_ids};
use duotrace_tests::{Scratch, duotrace, root};

use super::{Test, traced};

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("a killed tracer leaves nothing", || traced(killed_tracer)),
    ("a tracer that is killed while it records", || traced(killed_recorder)),
    ("the target is killed", || traced(killed_target)),
    ("the program of -c is killed", || traced(killed_command)),
    ("a second interrupt ends it at once", || traced(second_interrupt)),
    ("a reader that goes away", || traced(broken_pipe)),
    ("malformed programs", || traced(malformed_programs)),
    ("garbage for a script", || front_end(garbage)),
    ("mutated scripts", || front_end(mutations)),
];

const LIMIT: Duration = Duration::from_secs(30);

fn front_end(test: fn() -> Result<(), String>) -> Result<Outcome, String> {
    test().map(|()| Outcome::Passed)
}

fn tracer(arguments: &[&str]) -> Result<Command, String> {
    let mut command = Command::new(duotrace()?);
    command.args(arguments);
    Ok(command)
}

/// The numbers of the BPF programs and links that a process holds, from what the kernel tells of its descriptors.
fn held(pid: u32) -> Vec<(BpfKind, u32)> {
    let mut held = Vec::new();
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return held };
    for entry in entries.flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let kind = match key {
                "prog_id" => BpfKind::Program,
                "map_id" => BpfKind::Map,
                "link_id" => BpfKind::Link,
                _ => continue,
            };
            held.extend(value.trim().parse().map(|id| (kind, id)));
        }
    }
    held
}

/// Waits until none of these objects is in the kernel: it frees them a moment after their last holder is gone.
fn gone(held: &[(BpfKind, u32)]) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let mut left = Vec::new();
        for &(kind, id) in held {
            if bpf_ids(kind)?.contains(&id) {
                left.push((kind, id));
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("still in the kernel: {left:?}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The semaphore of hits-sem in a process: where the symbol lies, behind where the program is mapped.
fn semaphore(pid: u32, path: &str) -> Result<u16, String> {
    let nm = run(Command::new("nm").arg(path), LIMIT)?.ok()?;
    let symbol =
        nm.lines().find(|line| line.ends_with(" hits_tick_semaphore")).ok_or("no semaphore in hits-sem")?;
    let offset = symbol.split(' ').next().and_then(|hex| u64::from_str_radix(hex, 16).ok()).ok_or("nm")?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).map_err(|e| e.to_string())?;
    let line = maps.lines().find(|line| line.ends_with("hits-sem")).ok_or("hits-sem is not mapped")?;
    let base = line.split('-').next().and_then(|hex| u64::from_str_radix(hex, 16).ok()).ok_or("maps")?;
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).map_err(|e| e.to_string())?;
    let mut bytes = [0; 2];
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, base + offset)
        .map_err(|e| e.to_string())?;
    Ok(u16::from_ne_bytes(bytes))
}

fn killed_tracer() -> Result<(), String> {
    let path = program("hits-sem")?;
    let mut target = start(Command::new(&path).args(["2", "1000", "wait"]))?;
    target.wait_for("ready", LIMIT)?;
    let pid = target.pid();
    let script =
        "BEGIN { printf(\"armed\\n\"); } hits$target:::tick, pid$target::work:entry { @[arg0] = count(); }";
    let tracer = start(&mut tracer(&["-q", "-xswitchrate=10ms", "-p", &pid.to_string(), "-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    let held = held(tracer.pid());
    if !held.iter().any(|(kind, _)| matches!(kind, BpfKind::Program)) {
        return Err(format!("the tracer holds no BPF program: {held:?}"));
    }
    match semaphore(pid, &path)? {
        0 => return Err("the semaphore is 0 while it is traced".into()),
        _ => tracer.stop(libc::SIGKILL, LIMIT)?,
    };
    gone(&held)?;
    let until = Instant::now() + Duration::from_secs(5);
    while semaphore(pid, &path)? != 0 {
        if Instant::now() > until {
            return Err("the semaphore did not return to 0".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    target.tell("go\n")?;
    match fact(&target.finish(LIMIT)?.ok()?, "count")? {
        2000 => Ok(()),
        count => Err(format!("the program counted {count}")),
    }
}

/// What was recorded until a second before it was killed is in the file, whole, and said to be no more than that.
fn killed_recorder() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let file = scratch.path().join("killed.dtr").display().to_string();
    let script = "tick-10ms { printf(\"tick %d\\n\", ++n); }";
    let tracer = start(&mut tracer(&["-q", "-xswitchrate=10ms", "--record", &file, "-n", script])?)?;
    // The file is brought up to date every second: some of it will be there.
    tracer.wait_for("tick 250\n", LIMIT)?;
    let printed = tracer.stop(libc::SIGKILL, LIMIT)?;
    if printed.code() != 128 + libc::SIGKILL {
        return Err(format!("{}\nstderr: {}", printed.status, printed.stderr));
    }
    let replayed = run(Command::new(duotrace()?).args(["-q", "--replay", &file]), LIMIT)?;
    let ticks = replayed.stdout.lines().filter(|line| line.starts_with("tick ")).count();
    // A killed tracer's last lines may not have been written; whatever is in both is the same.
    let longer = printed.stdout.starts_with(replayed.stdout.trim_end())
        || replayed.stdout.starts_with(printed.stdout.trim_end());
    let said = replayed.stderr.contains("recording: ");
    match replayed.code() == 0 && ticks > 0 && longer && said {
        true => Ok(()),
        false => Err(format!("{ticks} ticks, {}\nstderr: {}", replayed.status, replayed.stderr)),
    }
}

/// Exit status 0, and `count` somewhere in the output: the tracer ended in good order.
fn orderly(ran: &Ran) -> Result<(), String> {
    match ran.code() == 0 && ran.stdout.contains("count ") {
        true => Ok(()),
        false => Err(format!("{}\nstdout: {}\nstderr: {}", ran.status, ran.stdout, ran.stderr)),
    }
}

fn killed_target() -> Result<(), String> {
    let target = start(Command::new(program("hits")?).args(["2", "1000000000"]))?;
    let script = "BEGIN { printf(\"armed\\n\"); } hits$target:::tick { @ = count(); } END { printa(\"count %@d\\n\", @); }";
    let pid = target.pid().to_string();
    let tracer = start(&mut tracer(&["-q", "-xswitchrate=10ms", "-p", &pid, "-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    std::thread::sleep(Duration::from_millis(100));
    target.stop(libc::SIGKILL, LIMIT)?;
    orderly(&tracer.finish(LIMIT)?)
}

fn killed_command() -> Result<(), String> {
    let command = format!("{} 2 1000000000", program("hits")?);
    let script = "BEGIN { printf(\"target %d\\n\", $target); } pid$target::work:entry { @ = count(); } \
        END { printa(\"count %@d\\n\", @); }";
    let tracer = start(&mut tracer(&["-q", "-xswitchrate=10ms", "-c", &command, "-n", script])?)?;
    tracer.wait_for("target", LIMIT)?;
    std::thread::sleep(Duration::from_millis(100));
    let pid = fact(&tracer.so_far(), "target")?;
    duotrace_tests::sys::kill(u32::try_from(pid).map_err(|e| e.to_string())?, libc::SIGKILL)?;
    orderly(&tracer.finish(LIMIT)?)
}

fn second_interrupt() -> Result<(), String> {
    let script = "BEGIN { printf(\"armed\\n\"); } tick-1h { n++; }";
    let tracer = start(&mut tracer(&["-q", "-xswitchrate=10ms", "-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    tracer.signal(libc::SIGINT)?;
    let before = Instant::now();
    // It may have ended of the first already.
    let _ = tracer.signal(libc::SIGINT);
    tracer.finish(LIMIT)?;
    match before.elapsed() < Duration::from_secs(2) {
        true => Ok(()),
        false => Err(format!("it took {:?}", before.elapsed())),
    }
}

fn broken_pipe() -> Result<(), String> {
    let tracer = duotrace()?.display();
    let line =
        format!("'{tracer}' -q -xswitchrate=10ms -n 'tick-1ms {{ printf(\"%d\\n\", n++); }}' | head -n 2");
    let ran = run(Command::new("timeout").args(["20", "bash", "-o", "pipefail", "-c", &line]), LIMIT)?;
    match ran.stdout == "0\n1\n" && ran.code() != 124 && ran.stderr.is_empty() {
        true => Ok(()),
        false => Err(format!("{}\nstdout: {}\nstderr: {}", ran.status, ran.stdout, ran.stderr)),
    }
}

/// Neither a panic nor a signal nor a hang: an exit status of its own.
fn sane(what: &str, ran: &Ran) -> Result<(), String> {
    let code = ran.status.code().ok_or_else(|| format!("{what}: {}\n{}", ran.status, ran.stderr))?;
    match (0..=2).contains(&code) && !ran.stderr.contains("panicked") {
        true => Ok(()),
        false => {
            Err(format!("{what}: {}\n{}", ran.status, ran.stderr.chars().take(2000).collect::<String>()))
        }
    }
}

/// Runs copies of hits of which bytes are broken where they still can run: sections, notes, symbols.
fn malformed_programs() -> Result<(), String> {
    let original = std::fs::read(program("hits")?).map_err(|e| e.to_string())?;
    let scratch = Scratch::new()?;
    let mut random = Random::new(7);
    let section_headers = original.get(40..48).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
    let section_headers = usize::try_from(section_headers).map_err(|e| e.to_string())?;
    let note = original.windows(8).position(|w| w == b"stapsdt\0").ok_or("hits has no notes")?;
    let places =
        [(note.saturating_sub(12), 120), (section_headers, original.len() - section_headers), (40, 24)];
    let script = "hits$target:::tick, pid$target::work:entry { @ = count(); } tick-200ms { exit(0); }";
    for round in 0..24 {
        let mut bytes = original.clone();
        let (from, length) = places.get(round % places.len()).copied().unwrap_or_default();
        for _ in 0..=random.below(6) {
            if let Some(byte) = bytes.get_mut(from + random.below(length)) {
                *byte = [0, 0xff, 0x7f, 0x80, random.bits() as u8][random.below(5)];
            }
        }
        if round % 8 == 7 {
            bytes.truncate(section_headers + random.below(length));
        }
        let path = scratch.write(&format!("broken{round}"), &bytes)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).map_err(|e| e.to_string())?;
        let command = format!("{} 1 10", path.display());
        let ran = run(&mut tracer(&["-q", "-Z", "-c", &command, "-n", script])?, LIMIT)?;
        sane(&format!("round {round}"), &ran)?;
    }
    Ok(())
}

/// Compiles a script: it must be refused with one line on standard error.
fn refused(what: &str, script: &[u8]) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let path = scratch.write("script.d", script)?;
    let ran = run(tracer(&["-q", "-e", "-s"])?.arg(&path), Duration::from_secs(120))?;
    sane(what, &ran)?;
    if ran.code() != 1 || ran.stderr.trim_end().lines().count() != 1 || ran.stderr.len() > 1000 {
        let shown: String = ran.stderr.chars().take(1000).collect();
        return Err(format!("{what}: {} with {} bytes: {shown}", ran.status, ran.stderr.len()));
    }
    // Its own time: 10 MB take 18 s of an unoptimized build on a slow machine; what is not linear takes hours.
    match ran.cpu < Duration::from_secs(60) {
        true => Ok(()),
        false => Err(format!("{what}: it took {:?}", ran.cpu)),
    }
}

fn garbage() -> Result<(), String> {
    let mut random = Random::new(42);
    for round in 0..30 {
        let bytes: Vec<u8> = (0..1 + random.below(3000)).map(|_| random.bits() as u8).collect();
        refused(&format!("random bytes {round}"), &bytes)?;
    }
    refused("truncated UTF-8", b"BEGIN { printf(\"gr\xc3")?;
    refused("zeros", &[0; 4096])?;
    refused("no newline in an open comment", b"BEGIN { /* ")?;
    refused("an open string", b"BEGIN { trace(\"")?;
    for (open, close) in
        [("(", ")"), ("-", ""), ("!", ""), ("a[", "]"), ("(int)", ""), ("1 ? ", " : 2"), ("{", "}")]
    {
        for depth in [100, 10_000, 500_000] {
            let script = format!("BEGIN {{ x = {}1{} +; }}", open.repeat(depth), close.repeat(depth));
            refused(&format!("{depth} times {open:?}"), script.as_bytes())?;
        }
    }
    refused("if in if", format!("BEGIN {{ {} x +; }}", "if (1) ".repeat(100_000)).as_bytes())?;
    refused("stars", format!("int {}p; BEGIN {{ +; }}", "*".repeat(100_000)).as_bytes())?;
    let clause = "BEGIN /x == 1/ { @a[execname, \"text\"] = quantize(timestamp - 5); } /* a comment */\n";
    let long = clause.repeat(10 << 20 >> 6) + "BEGIN { oops +; }\n";
    refused("10 MB", long.as_bytes())?;
    refused("a line of 10 MB", format!("BEGIN {{ x = {}; +}}", "1+".repeat(5 << 20)).as_bytes())
}

/// The scripts of the cases and of scripts/, as a stock to break.
fn stock(folder: &Path, into: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            stock(&path, into);
        } else if path.extension().is_some_and(|e| e == "t" || e == "d") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let script = text.split("--- script\n").last().unwrap_or_default();
            into.push(script.split("\n--- ").next().unwrap_or_default().into());
        }
    }
    into.sort();
}

fn mutations() -> Result<(), String> {
    let mut scripts = Vec::new();
    stock(&root().join("tests/cases"), &mut scripts);
    stock(&root().join("scripts"), &mut scripts);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut random = Random::new(seed);
    let tokens: Vec<&[u8]> = "( ) { } [ ] ; , : :: ::: / * @ @@ -> . ... ? = == += ++ - ! ~ ` $ $1 $$1 self-> this-> \" ' \\ \
        /* */ // # 0 -1 0x 99999999999999999999 1.5e 'a int struct enum union typedef inline translator xlate sizeof stringof \
        provider if else string printf(\"%d\") @[1] = count() quantize(1) BEGIN END tick-1s exit(0) (int) NULL"
        .split(' ')
        .map(str::as_bytes)
        .collect();
    let scratch = Scratch::new()?;
    let until = Instant::now() + Duration::from_secs(12);
    let mut round = 0;
    while round < 1000 && Instant::now() < until {
        round += 1;
        let mut script = random.pick(&scripts).cloned().unwrap_or_default();
        for _ in 0..=random.below(4) {
            let at = random.below(script.len() + 1);
            let to = script.len().min(at + random.below(12));
            match random.below(4) {
                0 => drop(script.drain(at..to)),
                1 => {
                    let part: Vec<u8> = script.get(at..to).unwrap_or_default().to_vec();
                    let other = random.below(script.len() + 1);
                    script.splice(other..other, part);
                }
                2 => {
                    let token = random.pick(&tokens).copied().unwrap_or_default();
                    script.splice(at..to, token.iter().copied());
                }
                _ => script.splice(at..at, [random.bits() as u8]).for_each(drop),
            }
        }
        let path = scratch.write("script.d", &script)?;
        let ran = run(tracer(&["-q", "-Z", "-e", "-s"])?.arg(&path).args(["1", "two"]), LIMIT)?;
        let what = format!("seed {seed}, round {round}:\n{}\n", String::from_utf8_lossy(&script));
        sane(&what, &ran)?;
        if ran.code() == 1 && ran.stderr.trim().is_empty() {
            return Err(format!("{what}refused without a word"));
        }
    }
    Ok(())
}
