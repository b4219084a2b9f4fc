//! What the end-to-end tests of duotrace share: the program under test, the programs that are traced, processes with a
//! time limit, and the case files.
//!
//! Everything here reports by `Result<_, String>`: the text is what the failed test shows.

pub mod case;
pub mod process;
pub mod programs;
pub mod random;
pub mod sys;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The root of the source tree.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// The folder of the build this test was made by: `target/debug` or `target/release`.
fn build_folder() -> Result<PathBuf, String> {
    let me = std::env::current_exe().map_err(|e| format!("current executable: {e}"))?;
    let folder = me.parent().and_then(Path::parent).ok_or("the test is in no build folder")?;
    Ok(folder.to_path_buf())
}

/// The duotrace to test: `$DUOTRACE`, or the one of this workspace, which is built anew where it is out of date (Cargo
/// has no stable way to say that a test depends on another crate's binary).
pub fn duotrace() -> Result<&'static Path, String> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PATH.get_or_init(build_duotrace).as_deref().map_err(String::clone)
}

fn build_duotrace() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("DUOTRACE") {
        return std::fs::canonicalize(&path).map_err(|e| format!("$DUOTRACE: {e}"));
    }
    let folder = build_folder()?;
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(root()).args(["build", "--quiet", "-p", "duotrace"]);
    if folder.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let status = cargo.status().map_err(|e| format!("cargo: {e}"))?;
    let path = folder.join("duotrace");
    match (status.success(), path.exists()) {
        (true, true) => Ok(path),
        (true, false) => Err(format!("cargo built no {}", path.display())),
        (false, _) => Err("duotrace does not build".into()),
    }
}

/// A directory of a test's own, removed when it is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty directory.
    pub fn new() -> Result<Scratch, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("duotrace-e2e.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it and tells its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        std::fs::write(&path, content).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Why tracing cannot work for this process, or None where nothing stands against it.
pub fn no_bpf() -> Option<String> {
    const SYS_ADMIN: u64 = 1 << 21;
    const PERFMON_AND_BPF: u64 = 1 << 38 | 1 << 39;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = held.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    if held & SYS_ADMIN == 0 && held & PERFMON_AND_BPF != PERFMON_AND_BPF {
        return Some("needs CAP_BPF and CAP_PERFMON: run it as root".into());
    }
    if !Path::new("/sys/bus/event_source/devices/uprobe").exists() {
        return Some("the kernel has no uprobe events".into());
    }
    None
}

/// Has the kernel uprobe sessions (6.13)?
pub fn has_sessions() -> bool {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers =
        text.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(13))
}

/// Has the kernel no kprobes? Where it has, its functions can be probed in one way or another.
pub fn no_functions() -> bool {
    !Path::new("/sys/bus/event_source/devices/kprobe").exists()
}
