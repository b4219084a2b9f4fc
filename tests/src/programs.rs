//! The programs that the tests trace: tests/programs/*.c, built once per run, or those that lie in `$DUOTRACE_PROGRAMS`
//! (for a machine where building takes minutes).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Name, source, and the compiler's arguments beside them.
const PROGRAMS: &[(&str, &str, &[&str])] = &[
    ("hits", "hits.c", &["-lpthread"]),
    ("hits-sem", "hits.c", &["-DSEMAPHORES", "-lpthread"]),
    ("hits-stripped", "hits.c", &["-lpthread", "-s"]),
    ("hits-static", "hits.c", &["-DSEMAPHORES", "-static", "-lpthread"]),
    ("args", "args.c", &[]),
    ("strings", "strings.c", &[]),
    ("deeds", "deeds.c", &["-fno-omit-frame-pointer", "-lpthread"]),
    ("forks", "forks.c", &[]),
    ("late", "late.c", &[]),
    ("locks", "locks.c", &["-lpthread"]),
    ("libduo.so", "lib.c", &["-fPIC", "-shared"]),
    ("dlopener", "dlopener.c", &["-ldl"]),
    ("deep", "deep.c", &["-fomit-frame-pointer", "-lpthread"]),
    ("mutual", "mutual.c", &[]),
    ("libmain", "libmain.c", &["-L.", "-lduo", "-Wl,-rpath,$ORIGIN"]),
    ("nops", "nops.c", &[INCLUDE]),
    ("nops-sem", "nops.c", &[INCLUDE, "-DSEMAPHORES"]),
    ("nops-cc", "nops.cc", &[INCLUDE]),
    ("nops-cc-sem", "nops.cc", &[INCLUDE, "-DSEMAPHORES"]),
];

/// Where `<duotrace/sdt.h>` is.
const INCLUDE: &str = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../include");

/// The directory the programs are in.
pub fn programs() -> Result<&'static Path, String> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOLDER.get_or_init(|| built().map_or_else(build, Ok)).as_deref().map_err(String::clone)
}

/// Where somebody else has built them.
fn built() -> Option<PathBuf> {
    std::env::var_os("DUOTRACE_PROGRAMS").map(PathBuf::from)
}

/// A program's path.
pub fn program(name: &str) -> Result<String, String> {
    Ok(programs()?.join(name).display().to_string())
}

fn build() -> Result<PathBuf, String> {
    let folder = super::build_folder()?.join("e2e-programs");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for &(name, source, arguments) in PROGRAMS {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(source);
        // A program in use cannot be overwritten, and what a process runs must not change: always a new file.
        let new = folder.join(format!("{name}.new.{}", std::process::id()));
        let output = Command::new("cc")
            .current_dir(&folder)
            .args(["-O1", "-g", "-o"])
            .args([new.as_os_str(), source.as_os_str()])
            .args(arguments)
            .output()
            .map_err(|e| format!("cc: {e}"))?;
        if !output.status.success() {
            return Err(format!("{name} does not build:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        std::fs::rename(&new, folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(folder)
}

/// Why the programs cannot be built here: they need a compiler and the macros of USDT probes.
pub fn no_programs() -> Option<String> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(|| {
        if built().is_some() {
            return None;
        }
        let mut cc = Command::new("cc");
        cc.args(["-E", "-include", "sys/sdt.h", "-x", "c", "/dev/null", "-o", "/dev/null"]);
        match cc.output() {
            Ok(output) if output.status.success() => None,
            Ok(_) => Some("no <sys/sdt.h>: install systemtap-sdt-dev".into()),
            Err(e) => Some(format!("no C compiler: {e}")),
        }
    })
    .clone()
}

/// The facts a program told: the rest of each line that begins with `key`, in order.
pub fn facts<'a>(output: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    output.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(' '))
}

/// The one number of a fact.
pub fn fact(output: &str, key: &str) -> Result<i64, String> {
    let value =
        facts(output, key).next().ok_or_else(|| format!("the program did not tell its {key}:\n{output}"))?;
    value.trim().parse().map_err(|e| format!("{key} {value}: {e}"))
}
