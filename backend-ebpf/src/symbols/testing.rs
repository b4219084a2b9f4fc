//! Helpers of the tests: small C programs, built where there is a compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory that goes when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("duotrace-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Compiles C; prints why and gives `None` when that is not possible here.
    pub(crate) fn cc(&self, name: &str, source: &str, flags: &[&str]) -> Option<PathBuf> {
        if source.contains("sys/sdt.h") && !has_sdt() {
            eprintln!("skipped: no sys/sdt.h (systemtap-sdt-dev)");
            return None;
        }
        let (c, out) = (self.path(&format!("{name}.c")), self.path(name));
        std::fs::write(&c, source).unwrap();
        let run = Command::new("cc").args(["-O1", "-o"]).arg(&out).arg(&c).args(flags).output();
        match run {
            Ok(r) if r.status.success() => Some(out),
            Ok(r) => {
                eprintln!("skipped: cc failed: {}", String::from_utf8_lossy(&r.stderr));
                None
            }
            Err(e) => {
                eprintln!("skipped: no cc: {e}");
                None
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn has_sdt() -> bool {
    [
        "/usr/include/sys/sdt.h",
        "/usr/include/x86_64-linux-gnu/sys/sdt.h",
        "/usr/include/aarch64-linux-gnu/sys/sdt.h",
    ]
    .iter()
    .any(|p| Path::new(p).exists())
}

/// Two probes in two functions; `query__start` has a semaphore.
pub(crate) const PROBES: &str = r#"
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#include <unistd.h>
__extension__ unsigned short demo_query__start_semaphore __attribute__((section(".probes")));
__extension__ unsigned short demo_item_semaphore __attribute__((section(".probes")));
int counter = 7;
__attribute__((noinline)) int one(int a, const char *s) {
    DTRACE_PROBE3(demo, query__start, a, s, -5);
    return a + 1;
}
__attribute__((noinline)) int two(long b) {
    DTRACE_PROBE1(demo, item, b);
    DTRACE_PROBE1(demo, item, (short)-3);
    return (int)b;
}
int main(int argc, char **argv) {
    if (argc > 9) pause();
    return one(argc, argv[0]) + two(argc) == 3 ? 0 : 1;
}
"#;
