//! The library of scripts/: each script runs on a program that does a known number of things, and shows them.
//!
//! Tests run beside each other, and scripts see the whole machine: the program has another name in each test, by which
//! (or by its pid and ports) its rows are told from others'. The scripts for servers are tested in postgres.rs and web.rs.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use duotrace_tests::case::Outcome;
use duotrace_tests::process::run;
use duotrace_tests::programs::{fact, facts, program};
use duotrace_tests::{Scratch, duotrace, no_bpf, root};

use super::{Test, traced};

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("all compile, and have a page", || traced(all)),
    ("execsnoop.d", || traced(execsnoop)),
    ("killsnoop.d", || traced(killsnoop)),
    ("lifetime.d", || traced(lifetime)),
    ("syscount.d", || traced(syscount)),
    ("procsystime.d", || traced(procsystime)),
    ("errinfo.d", || traced(errinfo)),
    ("opensnoop.d", || traced(opensnoop)),
    ("filetop.d", || traced(filetop)),
    ("biosnoop.d and biolatency.d", || probes("io", disk)),
    ("runqlat.d", || probes("sched", runqlat)),
    ("cpudist.d", || probes("sched", cpudist)),
    ("offcpu.d", || probes("sched", offcpu)),
    ("profile.d and fold.sh", || traced(profile)),
    ("tcpconn.d", || probes("tcp", tcpconn)),
    ("tcplife.d", || probes("tcp", tcplife)),
    ("tcptop.d", || probes("tcp", tcptop)),
    ("mallocsizes.d", || traced(mallocsizes)),
    ("pagefaults.d", || probes("vminfo", pagefaults)),
    ("mutexwait.d", || traced(mutexwait)),
    ("pycalls.d", || language("/usr/bin/python3", "pycalls.d", "case.py", PYTHON, &["31 duo case.py"])),
    ("pyflow.d", || {
        language("/usr/bin/python3", "pyflow.d", "case.py", PYTHON, &["-> duo (case.py:1)", "<- duo"])
    }),
    ("perlflow.d", || {
        language(
            "/usr/bin/perl",
            "perlflow.d",
            "case.pl",
            PERL,
            &["-> main::duo (case.pl:1)", "<- main::duo"],
        )
    }),
    ("rubycalls.d", || {
        language("/usr/bin/ruby", "rubycalls.d", "case.rb", RUBY, &["31 String#swapcase case.rb"])
    }),
    ("javaflow.d", java),
    ("phpcalls.d", || language("/usr/bin/php", "phpcalls.d", "case.php", PHP, &["31 duo case.php"])),
];

const LIMIT: Duration = Duration::from_secs(60);

const PYTHON: &str = "def duo(): pass\nfor _ in range(31): duo()\n";
const PERL: &str = "sub duo { return 1 }\nduo() for 1 .. 31;\n";
const RUBY: &str = "31.times { \"word\".swapcase }\n";
const JAVA: &str = "public class Case { static void duo() {}\n\
    public static void main(String[] a) { for (int i = 0; i < 31; i++) duo(); } }\n";
const PHP: &str = "<?php function duo() {}\nfor ($i = 0; $i < 31; $i++) duo();\n";

/// A test that needs a provider of the kernel's, which not every kernel has.
fn probes(provider: &str, test: fn() -> Result<(), String>) -> Result<Outcome, String> {
    if no_bpf().is_none() {
        let listed = run(Command::new(duotrace()?).args(["-lP", provider]), LIMIT)?;
        if listed.code() != 0 {
            return Ok(Outcome::Skipped(format!(
                "this kernel has no {provider} probes: {}",
                listed.stderr.trim()
            )));
        }
    }
    traced(test)
}

/// A program of a name of its own, and what a script showed while it ran.
struct Watched {
    /// The program's name.
    name: String,
    /// What the program and the script printed: blanks are single, lines without leading ones.
    lines: Vec<String>,
    out: String,
    scratch: Scratch,
}

impl Watched {
    fn has(&self, line: &str) -> Result<(), String> {
        self.count(|text| text == line, 1, line)
    }

    fn count(&self, is: impl Fn(&str) -> bool, expected: usize, what: &str) -> Result<(), String> {
        let found = self.lines.iter().filter(|line| is(line)).count();
        match found == expected {
            true => Ok(()),
            false => Err(format!("{found} times, not {expected}: {what}\n{}", self.out)),
        }
    }

    /// The sum of the counts in histograms.
    fn counted(&self) -> u64 {
        let rows = self.lines.iter().filter_map(|line| line.split_once('|'));
        rows.filter_map(|(_, bar)| bar.split_whitespace().last()?.parse::<u64>().ok()).sum()
    }

    fn at_least(&self, what: &str, got: u64, least: u64) -> Result<(), String> {
        match got >= least {
            true => Ok(()),
            false => Err(format!("{what}: {got}, not {least}\n{}", self.out)),
        }
    }
}

/// Runs a script while `deeds` does something. `{}` in the words stands for the program's name, `{dir}` for a directory.
fn watch(script: &str, deed: &str, words: &[&str]) -> Result<Watched, String> {
    let scratch = Scratch::new()?;
    let unique = scratch.path().extension().and_then(|text| text.to_str()).unwrap_or("0");
    let name = format!("deeds{unique}");
    let copy = scratch.path().join(&name);
    std::fs::copy(program("deeds")?, &copy).map_err(|e| e.to_string())?;
    let deed = deed.replace("{dir}", &scratch.path().display().to_string());
    let mut command = Command::new(duotrace()?);
    command.arg("-s").arg(root().join("scripts").join(script));
    command.arg("-c").arg(format!("{} {deed}", copy.display()));
    command.args(words.iter().map(|word| word.replace("{}", &name)));
    let ran = run(&mut command, LIMIT)?;
    // A command's own exit status is not the tracer's; what was lost would be told.
    if ran.code() != 0 || ran.stderr.contains("drop") || ran.stderr.contains("error") {
        return Err(format!("{script}: status {}\n{}\n{}", ran.code(), ran.stderr, ran.stdout));
    }
    let lines = ran.stdout.lines().map(single).collect();
    Ok(Watched { name, lines, out: ran.stdout, scratch })
}

fn single(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every script compiles (where its probes are missing as well), says what it is, and is in the index.
fn all() -> Result<(), String> {
    let index = std::fs::read_to_string(root().join("docs/scripts/README.md")).map_err(|e| e.to_string())?;
    let mut seen = 0;
    for area in ["proc", "syscall", "io", "sched", "net", "db", "web", "lang", "mem", "lock"] {
        let folder = root().join("scripts").join(area);
        for entry in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|ext| ext != "d") {
                continue;
            }
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
            let mut command = Command::new(duotrace()?);
            command.args(["-e", "-Z", "-s"]).arg(&path).args(["-c", "/bin/true"]);
            command.args(text.contains("$1").then_some("1"));
            run(&mut command, LIMIT)?.ok().map_err(|why| format!("{}: {why}", path.display()))?;
            let page = root().join(format!("docs/scripts/{name}.md"));
            if !text.contains(&format!("\n * {name}.d - "))
                || !page.exists()
                || !index.contains(&format!("({name}.md)"))
            {
                return Err(format!(
                    "{}: no header, no {} or not in its index",
                    path.display(),
                    page.display()
                ));
            }
            seen += 1;
        }
    }
    if seen < 20 { Err(format!("only {seen} scripts")) } else { Ok(()) }
}

fn execsnoop() -> Result<(), String> {
    let seen = watch("proc/execsnoop.d", "commands", &["{}"])?;
    let children: Vec<&str> = facts(&seen.out, "child").collect();
    for (number, child) in children.iter().enumerate() {
        let (from, to) = (format!(" {child} "), format!(" {} true deed-{}", seen.name, number + 1));
        seen.count(|line| line.contains(&from) && line.ends_with(&to), 1, &to)?;
    }
    seen.count(|line| line.contains(&format!(" {} ", seen.name)), 5, "commands of the program")
}

fn killsnoop() -> Result<(), String> {
    let seen = watch("proc/killsnoop.d", "signal", &[])?;
    let row = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(words[..], [from, name, "10", to, target] if from == to && name == seen.name && target == name)
    };
    seen.count(row, 3, "signals of the program to itself")
}

fn lifetime() -> Result<(), String> {
    let seen = watch("proc/lifetime.d", "commands", &[])?;
    for child in facts(&seen.out, "child") {
        let row = |line: &str| line.starts_with(&format!("{child} true ")) && line.ends_with(" 1");
        seen.count(row, 1, child)?;
    }
    Ok(())
}

fn syscount() -> Result<(), String> {
    let seen = watch("syscall/syscount.d", "calls", &["{}"])?;
    seen.has(&format!("{} getppid 1234", seen.name))?;
    seen.count(|line| line.starts_with("duotrace "), 0, "rows of other commands")
}

fn procsystime() -> Result<(), String> {
    let seen = watch("syscall/procsystime.d", "calls", &["{}"])?;
    seen.count(|line| line.starts_with("getppid 1234 "), 1, "getppid")
}

fn errinfo() -> Result<(), String> {
    let seen = watch("syscall/errinfo.d", "fail", &["{}"])?;
    let row = |line: &str| {
        line.strip_prefix(&format!("{} open", seen.name)).is_some_and(|rest| {
            // The loader looks for files as well.
            let count = rest.split(' ').next_back().and_then(|count| count.parse::<u32>().ok());
            rest.contains(" 2 ") && count.is_some_and(|count| count >= 321)
        })
    };
    seen.count(row, 1, "failed openings")
}

fn opensnoop() -> Result<(), String> {
    let seen = watch("io/opensnoop.d", "fail", &["{}"])?;
    let tail = format!(" {} -1 2 /nonexistent/deeds", seen.name);
    seen.count(|line| line.ends_with(&tail), 321, &tail)?;
    let seen = watch("io/opensnoop.d", "file {dir}/data", &["{}"])?;
    let tail = format!(" {} 3 0 {}/data", seen.name, seen.scratch.path().display());
    seen.count(|line| line.ends_with(&tail), 1, &tail)
}

fn filetop() -> Result<(), String> {
    let seen = watch("io/filetop.d", "file {dir}/data", &["{}"])?;
    seen.has(&format!("700 10000 {} {}/data", seen.name, seen.scratch.path().display()))
}

/// What the program wrote past all caches was written by the disk: 16 times 64 kilobytes, or the same in other pieces.
fn disk() -> Result<(), String> {
    let seen = watch("io/biosnoop.d", "disk {dir}/data", &[])?;
    if std::fs::metadata(seen.scratch.path().join("data")).map_or(0, |data| data.len()) != 16 * 65536 {
        return Ok(()); // No direct writes on this file system.
    }
    let bytes = seen.lines.iter().filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [_, name, _, "W", _, bytes, _] if name == seen.name => bytes.parse::<u64>().ok(),
        _ => None,
    });
    seen.at_least("bytes written", bytes.sum(), 16 * 65536)?;
    let seen = watch("io/biolatency.d", "disk {dir}/data", &[])?;
    seen.at_least("requests", seen.counted(), 1)
}

fn runqlat() -> Result<(), String> {
    let seen = watch("sched/runqlat.d", "sleep", &["{}"])?;
    seen.at_least("waits", seen.counted(), 50)
}

fn cpudist() -> Result<(), String> {
    let seen = watch("sched/cpudist.d", "sleep", &["{}"])?;
    seen.count(|line| line == format!("{}, microseconds", seen.name), 1, "histograms")?;
    seen.at_least("runs", seen.counted(), 50)
}

fn offcpu() -> Result<(), String> {
    let seen = watch("sched/offcpu.d", "sleep", &["{}"])?;
    let stack = format!("{}`main+", seen.name);
    let rows: Vec<&String> = seen.lines.iter().collect();
    let after = rows.iter().rposition(|line| line.starts_with(&stack)).ok_or_else(|| seen.out.clone())?;
    let time = rows.iter().skip(after).find_map(|line| line.strip_suffix(" us")?.parse::<u64>().ok());
    seen.at_least("microseconds", time.unwrap_or(0), 50_000)
}

fn profile() -> Result<(), String> {
    let seen = watch("sched/profile.d", "spin", &["{}"])?;
    let stacks = seen.scratch.write("stacks", &seen.out)?;
    let mut fold = Command::new("sh");
    let fold = fold.arg("-c").arg(r#""$0" <"$1""#).arg(root().join("scripts/sched/fold.sh")).arg(stacks);
    let folded = run(fold, LIMIT)?.ok()?;
    let (start, spinning) = (format!("{};", seen.name), format!(";{}`main;{0}`spin_here", seen.name));
    let samples = folded.lines().filter(|line| line.starts_with(&start) && line.contains(&spinning));
    let samples = samples.filter_map(|line| line.split(' ').next_back()?.parse::<u64>().ok()).sum();
    // A second has 97; on a machine that lends its processors, some come late and fall together.
    seen.at_least("samples of the loop", samples, 40)
}

/// `LOCAL:PORT REMOTE:PORT`, of the client and of the server, as printed by a program and as rows begin.
fn ends(seen: &Watched) -> Result<[String; 2], String> {
    let (local, remote) = (fact(&seen.out, "local")?, fact(&seen.out, "remote")?);
    let row = |a, b| format!("127.0.0.1:{a} 127.0.0.1:{b} ");
    Ok([row(local, remote), row(remote, local)])
}

fn tcpconn() -> Result<(), String> {
    let seen = watch("net/tcpconn.d", "tcp", &[])?;
    let [client, server] = ends(&seen)?;
    seen.count(|line| line.ends_with(&format!(" connect {}", client.trim())), 1, &client)?;
    seen.count(|line| line.ends_with(&format!(" accept {}", server.trim())), 1, &server)
}

fn tcplife() -> Result<(), String> {
    let seen = watch("net/tcplife.d", "tcp", &[])?;
    for end in ends(&seen)? {
        seen.count(|line| line.starts_with(&end), 1, &end)?;
    }
    Ok(())
}

fn tcptop() -> Result<(), String> {
    let seen = watch("net/tcptop.d", "tcp", &[])?;
    let [client, server] = ends(&seen)?;
    seen.has(&format!("{client}12345 0"))?;
    seen.has(&format!("{server}0 12345"))
}

fn mallocsizes() -> Result<(), String> {
    let seen = watch("mem/mallocsizes.d", "malloc", &[])?;
    seen.count(|line| line.starts_with("2097152 |") && line.ends_with(" 1234"), 1, "1234 times 3 megabytes")
}

fn pagefaults() -> Result<(), String> {
    let seen = watch("mem/pagefaults.d", "faults", &[])?;
    let row = |line: &String| line.strip_prefix(&format!("{} ", seen.name))?.parse::<u64>().ok();
    let faults = seen.lines.iter().find_map(row);
    seen.at_least("faults", faults.unwrap_or(0), 1000)
}

fn mutexwait() -> Result<(), String> {
    let seen = watch("lock/mutexwait.d", "mutex", &[])?;
    let caller = format!("1234 {}`take+", seen.name);
    seen.count(|line| line.starts_with(&caller), 1, &caller)
}

/// Runs a script on an interpreter that calls `duo` 31 times.
fn language(needs: &str, script: &str, file: &str, text: &str, wants: &[&str]) -> Result<Outcome, String> {
    command(needs, script, &format!("{needs} {file}"), file, text, wants)
}

/// The same of a program that is compiled before: what is printed are its own methods.
fn java() -> Result<Outcome, String> {
    let command_line = "/usr/bin/java -XX:+DTraceMethodProbes -cp . Case";
    command("/usr/bin/javac", "javaflow.d", command_line, "Case.java", JAVA, &["-> Case.duo", "<- Case.duo"])
}

/// Runs a script over a command in a directory that holds one file.
fn command(
    needs: &str,
    script: &str,
    command_line: &str,
    file: &str,
    text: &str,
    wants: &[&str],
) -> Result<Outcome, String> {
    if let Some(why) = no_bpf() {
        return Ok(Outcome::Skipped(why));
    }
    if !Path::new(needs).exists() {
        return Ok(Outcome::Skipped(format!("{needs} is not installed")));
    }
    let scratch = Scratch::new()?;
    scratch.write(file, text)?;
    if file.ends_with(".java") {
        run(Command::new(needs).arg(file).current_dir(scratch.path()), LIMIT)?.ok()?;
    }
    let mut command = Command::new(duotrace()?);
    command.arg("-s").arg(root().join("scripts/lang").join(script)).arg("-c").arg(command_line);
    let ran = run(command.current_dir(scratch.path()).env("USE_ZEND_DTRACE", "1"), LIMIT)?;
    if ran.code() != 0 && ran.stderr.contains("does not match any probes") {
        return Ok(Outcome::Skipped(format!("this {needs} has no probes")));
    }
    let (said, out) = (ran.stderr.clone(), ran.ok()?);
    for want in wants {
        // Counts stand in one row; a flow has a row for each call.
        let expected = if want.starts_with("31 ") { 1 } else { 31 };
        let found = out.lines().filter(|line| single(line).ends_with(want)).count();
        if found != expected {
            return Err(format!("{script}: {found} rows '{want}', not {expected}\n{said}\n{out}"));
        }
    }
    Ok(Outcome::Passed)
}
