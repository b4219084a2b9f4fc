//! `include/duotrace/sdt.h`: what it plants is listed, counted exactly with its arguments, and the traced program's own
//! variables survive it, in C and C++, with and without semaphores.

use std::process::Command;
use std::time::Duration;

use duotrace_tests::process::run;
use duotrace_tests::programs::{fact, program};
use duotrace_tests::{Scratch, duotrace};

use super::{Test, traced};

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("C", || traced(|| exact("nops"))),
    ("C with semaphores", || traced(|| exact("nops-sem"))),
    ("C++", || traced(|| exact("nops-cc"))),
    ("C++ with semaphores", || traced(|| exact("nops-cc-sem"))),
    ("listed", || traced(listed)),
    ("not asked while nobody traces", || traced(untraced)),
];

const LIMIT: Duration = Duration::from_secs(60);
const FIRINGS: i64 = 100_000;

/// Every firing arrives with the right arguments, and no variable of the program is overwritten.
fn exact(name: &str) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let out = scratch.path().join("out");
    let script = "nops$target:::leaf { @l = count(); @s = sum(arg0 + arg1); } \
        nops$target:::many { @m = count(); @k[copyinstr(arg0), (int)arg1, (int)arg2, (int)arg3, (int)arg4] = count(); @i = sum(arg5); } \
        END { printa(\"%@d\\n\", @l); printa(\"%@d\\n\", @s); printa(\"%@d\\n\", @m); printa(\"%@d\\n\", @i); \
        printa(\"%s %d %d %d %d %@d\\n\", @k); }";
    let mut command = Command::new(duotrace()?);
    command.arg("-q").arg("-o").arg(&out).args([
        "-c",
        &format!("{} {FIRINGS}", program(name)?),
        "-n",
        script,
    ]);
    let ran = run(&mut command, LIMIT)?;
    if !ran.status.success() {
        return Err(format!("{}\n{}", ran.status, ran.stderr));
    }
    let turns = FIRINGS * (FIRINGS - 1) / 2;
    let expected = format!("{FIRINGS} {} {FIRINGS} {turns} text -3 200 -7 5 {FIRINGS}", 3 * turns);
    let traced = std::fs::read_to_string(&out).map_err(|e| e.to_string())?;
    let got = traced.split_whitespace().collect::<Vec<_>>().join(" ");
    if got != expected {
        return Err(format!("{got} instead of {expected}"));
    }
    for (what, value) in [("wrong", 0), ("asked", FIRINGS), ("sum", 3 * turns)] {
        let told = fact(&ran.stdout, what)?;
        if told != value {
            return Err(format!("{what}: {told} instead of {value}"));
        }
    }
    Ok(())
}

/// Both probes are listed once, under their functions.
fn listed() -> Result<(), String> {
    let mut command = Command::new(duotrace()?);
    command.args(["-l", "-n", "nops$target:::", "-c", &format!("{} 0", program("nops")?)]);
    let ran = run(&mut command, LIMIT)?;
    let mut probes: Vec<String> = Vec::new();
    for line in ran.stdout.lines().filter(|line| line.contains("nops")) {
        probes.push(line.split_whitespace().skip(2).collect::<Vec<_>>().join(":"));
    }
    probes.sort();
    match probes == ["nops:leaf:leaf", "nops:main:many"] {
        true => Ok(()),
        false => Err(format!("listed: {probes:?}\n{}", ran.stderr)),
    }
}

/// A semaphore is zero in a program that nobody traces.
fn untraced() -> Result<(), String> {
    let ran = run(Command::new(program("nops-sem")?).arg("1000"), LIMIT)?;
    match fact(&ran.stdout, "asked")? {
        0 => Ok(()),
        asked => Err(format!("asked {asked} times")),
    }
}
