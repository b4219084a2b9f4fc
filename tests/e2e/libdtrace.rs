//! The libdtrace backend when something goes wrong: the child that holds the library is killed, aborts, hangs, or nobody
//! reads any more. Each is one line, exit status 1, and nothing stays in the kernel.
//!
//! With Oracle's library where the chroot of `ci/peers` is; else with the stand-in that the backend's own tests use
//! (`backend-dtrace/tests/fake.c`), whose programs are words that say what it does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use duotrace_tests::case::Outcome;
use duotrace_tests::process::{Ran, run};
use duotrace_tests::{Scratch, duotrace, root};

use super::{Test, traced};

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("every action and function, as dtrace(1) prints it", || oracle(every_action)),
    ("fifteen clauses", || oracle(fifteen_clauses)),
    ("a killed library process", || oracle(killed)),
    ("an abort within the library", || oracle(aborted)),
    ("a reader that goes away", || oracle(closed_pipe)),
    ("a killed tracer", || oracle(killed_tracer)),
    ("the stand-in: killed, aborted, silent, failing", || stand_in(misbehaving)),
    ("the stand-in: a function is missing", || stand_in(lacking)),
    ("the stand-in: a reader that goes away", || stand_in(stand_in_closed_pipe)),
    ("the stand-in: a compile error", || stand_in(stand_in_compile_error)),
    ("the stand-in: a library that hangs", || stand_in(hanging)),
    ("the stand-in: options of the environment", || stand_in(environment)),
    ("options of the environment", || oracle(oracle_environment)),
    ("options of the environment, on eBPF", || traced(ebpf_environment)),
    ("no library, another library", || alone(no_library)),
    ("recording is refused", || alone(no_recording)),
];

/// Runs a shell script in the chroot.
type Within<'a> = dyn Fn(&str) -> Result<Ran, String> + 'a;
/// The command that runs a program with the stand-in.
type With<'a> = dyn Fn(&str) -> Command + 'a;

const LIMIT: Duration = Duration::from_secs(180);

fn alone(test: fn() -> Result<(), String>) -> Result<Outcome, String> {
    test().map(|()| Outcome::Passed)
}

/// The chroot with Oracle's library, if it was built and we may enter it.
fn chroot() -> Option<PathBuf> {
    let dir = std::env::var("DUOTRACE_PEERS").unwrap_or("/var/tmp/duotrace-peers".into());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status.lines().any(|line| line.starts_with("Uid:") && line.split('\t').nth(2) == Some("0"));
    (is_root && Path::new(&dir).join("dlib").is_dir()).then(|| dir.into())
}

/// Runs a test in the chroot. The script has `$D`, the command of the libdtrace backend, `worker`, which prints the pid of
/// a tracer's worker, and `left`, which prints what stands in uprobe_events of a worker that has ended.
fn oracle(test: fn(&Within) -> Result<(), String>) -> Result<Outcome, String> {
    if chroot().is_none() {
        return Ok(Outcome::Skipped(
            "no chroot of ci/peers (or not root): see the tests with the stand-in".into(),
        ));
    }
    let program = duotrace()?;
    let bin = program.parent().map(|dir| dir.display().to_string()).unwrap_or_default();
    let within = |script: &str| {
        let text = format!(
            "D='{} --backend dtrace -xsyslibdir=/dlib'\n\
             events=/sys/kernel/tracing/uprobe_events\n\
             # What a worker has left. (Others may trace at the same time.) Removing what is still being closed takes a\n\
             # moment.\n\
             of() {{ grep \":dt_$1_\" $events; }}\n\
             left() {{ [ -n \"$1\" ] || echo left: no worker; for i in $(seq 100); do of $1 >/dev/null || break; sleep .1; done; of $1 | sed 's/^/left: /'; }}\n\
             # The worker of a tracer, as soon as it is there.\n\
             worker() {{ for i in $(seq 200); do w=$(cat /proc/$1/task/$1/children); [ -z \"$w\" ] || break; sleep .05; done; echo $w; }}\n\
             {script}",
            program.display()
        );
        let mut command = Command::new(root().join("ci/peers"));
        command.args(["exec", "bash", "-c", &text]).env("DUOTRACE_PEERS_BIND", &bin);
        run(&mut command, LIMIT)
    };
    test(&within).map(|()| Outcome::Passed)
}

/// One line on stderr, that exit status, and nothing left.
fn expect(what: &str, ran: &Ran, line: &str, status: i32) -> Result<(), String> {
    let errors: Vec<&str> = ran.stderr.lines().collect();
    let said = ran.stdout.lines().find_map(|line| line.strip_prefix("status: "));
    let left: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("left: ")).collect();
    if errors != [line] || said != Some(status.to_string().as_str()) || !left.is_empty() {
        return Err(format!("{what}: stderr {errors:?}, status {said:?}, {left:?}\nstdout: {}", ran.stdout));
    }
    Ok(())
}

/// A script that signals the worker when tracing has begun. The pid probe is one of those that have names of their own.
fn signalled(signal: &str) -> String {
    format!(
        "sleep 100 & target=$!\n\
         $D -q -p $target -n 'BEGIN {{ printf(\"armed\\n\"); }} pid$target:libc.so.6:nanosleep:entry, tick-1s {{ }}' >/tmp/armed.$$ & t=$!\n\
         for i in $(seq 600); do [ -s /tmp/armed.$$ ] && break; sleep .1; done\n\
         cat /tmp/armed.$$; rm /tmp/armed.$$\n\
         w=$(worker $t); of $w >/dev/null || echo left: nothing was there to be left\n\
         kill -{signal} $w\n\
         wait $t; echo status: $?\n\
         kill $target; wait $target 2>/dev/null\n\
         left $w\n"
    )
}

/// Every action and aggregating function of Oracle's library, in dtrace(1)'s default form.
const EVERYTHING: &str = r#"
BEGIN
{
	@a["x", 1] = count(); @b["x", 1] = sum(-5); @c["x", 1] = min(-3); @d["x", 1] = max(9); @e["x", 1] = avg(7);
	@f["x", 1] = stddev(4); @f["x", 1] = stddev(40); @g["x", 1] = quantize(33); @g["x", 1] = quantize(-3);
	@h["x", 1] = lquantize(5, 0, 20, 5); @h["x", 1] = lquantize(500, 0, 20, 5, 3);
	@i["x", 1] = llquantize(300, 10, 0, 4, 10);
	@l[probefunc, execname != "", (char)65, (short)-2, pid == $pid] = sum(2);
	@k[stack(2)] = count(); @m[ustack(1)] = count(); @n = sum(100); @o = count();
}
BEGIN { trace(1); trace((char)-1); trace("str"); trace((uint64_t)-1); }
BEGIN { printf("%d %5s|%-5s|%x %c %Y\n", -4, "ab", "cd", 255, 65, (uint64_t)0); printf("plain\n"); }
BEGIN
{
	this->p = alloca(16); bcopy("0123456789abcdef", this->p, 16);
	tracemem(this->p, 16); tracemem(this->p, 16, 8); stack(2); ustack(1);
}
BEGIN
{
	printa("%s %d %@d\n", @a); printa(@b); printa("%s %d %@d %@d\n", @c, @d); printa(@e); printa(@f); printa(@g);
	printa(@h); printa(@i); printa(@l);
}
BEGIN
{
	normalize(@n, 7); printa(@n); denormalize(@n); printa(@n); clear(@o); printa(@o); trunc(@l); printa(@l);
	trunc(@a, 1); printa(@a);
}
BEGIN { system("echo system %d", 3); freopen("%s", $$1); printf("in the file\n"); freopen(""); }
BEGIN { sym(0); usym(0x10); umod(0x10); uaddr(0x10); printf("%a\n", 0); }
BEGIN { self->s = speculation(); speculate(self->s); printf("speculative\n"); }
BEGIN { commit(self->s); }
BEGIN { setopt("aggsortrev"); raise(0); exit(3); }
"#;

fn every_action(within: &Within) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let script = scratch.write("everything.d", EVERYTHING)?;
    let dir = scratch.path().display();
    let ran = within(&format!(
        "for c in 'dtrace -xsyslibdir=/dlib' \"$D\"; do n=$((n+1))\n\
         # One processor: its number stands in the first column.\n\
         taskset -c 0 $c -w -s {} {dir}/to >{dir}/$n 2>/dev/null; echo status: $?\n\
         cat {dir}/to >>{dir}/$n; rm -f {dir}/to\n\
         done\n\
         wc -l <{dir}/1; diff {dir}/1 {dir}/2",
        script.display()
    ))?;
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let count = lines.get(2).and_then(|count| count.trim().parse::<usize>().ok());
    match lines.len() == 3
        && lines.first() == Some(&"status: 3")
        && lines.get(1) == lines.first()
        && count > Some(60)
    {
        true => Ok(()),
        false => Err(format!("stdout: {}\nstderr: {}", ran.stdout, ran.stderr)),
    }
}

/// Oracle's library (2.0.7) has a table of statements with room for those that are known when the first is enabled. What came
/// later, its own for errors, was written behind it: into the size of the next block where the table's end is a block's, as
/// with fifteen clauses.
fn fifteen_clauses(within: &Within) -> Result<(), String> {
    let clauses: String = (0..14).map(|n| format!("BEGIN {{ x{n} = {n}; }} ")).collect();
    let ran = within(&format!("$D -q -n '{clauses} BEGIN {{ exit(0); }}'; echo status: $?"))?;
    match ran.stdout.ends_with("status: 0\n") && ran.stderr.is_empty() {
        true => Ok(()),
        false => Err(format!("stdout: {}\nstderr: {}", ran.stdout, ran.stderr)),
    }
}

fn killed(within: &Within) -> Result<(), String> {
    let ran = within(&signalled("KILL"))?;
    expect("SIGKILL", &ran, "dtrace: libdtrace's process failed: it ended by signal 9 (killed)", 1)
}

fn aborted(within: &Within) -> Result<(), String> {
    let ran = within(&signalled("ABRT"))?;
    expect("SIGABRT", &ran, "dtrace: libdtrace's process failed: it ended by signal 6 (aborted)", 1)
}

fn closed_pipe(within: &Within) -> Result<(), String> {
    let script = "$D -q -n 'BEGIN { printf(\"one\\n\"); } tick-10ms { printf(\"more\\n\"); }' > >(head -n 1) & t=$!\n\
        w=$(worker $t)\n\
        # The profile probes need a processor that is not idle.\n\
        timeout 60 sh -c 'while :; do :; done' & busy=$!\n\
        wait $t; echo status: $?; kill $busy; wait $busy 2>/dev/null; left $w\n";
    let ran = within(script)?;
    // As on eBPF: whoever has closed the pipe knows it.
    let left = ran.stdout.lines().any(|line| line.starts_with("left: "));
    match ran.stderr.is_empty() && ran.stdout.contains("one\n") && ran.stdout.contains("status: 0\n") && !left
    {
        true => Ok(()),
        false => Err(format!("stdout: {}\nstderr: {}", ran.stdout, ran.stderr)),
    }
}

fn killed_tracer(within: &Within) -> Result<(), String> {
    let script = "$D -q -n 'BEGIN { printf(\"armed\\n\"); }' >/tmp/armed.$$ & t=$!\n\
        for i in $(seq 600); do [ -s /tmp/armed.$$ ] && break; sleep .1; done; rm /tmp/armed.$$\n\
        w=$(worker $t); kill -KILL $t; wait $t 2>/dev/null; echo status: $?\n\
        for i in $(seq 100); do [ -e /proc/$w ] || break; sleep .1; done\n\
        [ -e /proc/$w ] && echo left: the worker\n\
        left $w\n";
    let ran = within(script)?;
    let left = ran.stdout.lines().any(|line| line.starts_with("left: "));
    match ran.stdout.contains("status: 137") && !left {
        true => Ok(()),
        false => Err(format!("stdout: {}\nstderr: {}", ran.stdout, ran.stderr)),
    }
}

/// Compiles the stand-in library, with a definition.
fn make_stand_in(library: &Path, define: &str) -> Result<(), String> {
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-DACT_BASE=51", define, "-o"])
        .arg(library)
        .arg(root().join("backend-dtrace/tests/fake.c"))
        .status();
    match made {
        Ok(status) if status.success() => Ok(()),
        _ => Err("cc failed".to_string()),
    }
}

/// Runs a test with the stand-in library, as illumos' would be.
fn stand_in(test: fn(&With) -> Result<(), String>) -> Result<Outcome, String> {
    let scratch = Scratch::new()?;
    let library = scratch.path().join("libfake.so");
    if make_stand_in(&library, "-DFUNCTION=128").is_err() {
        return Ok(Outcome::Skipped("no C compiler".into()));
    }
    let program = duotrace()?;
    let with = |text: &str| {
        let mut command = Command::new(program);
        command.args(["--backend", "dtrace", "-q", "-n", text]);
        command.env("DUOTRACE_LIBDTRACE", &library).env("DUOTRACE_LIBDTRACE_ABI", "illumos");
        command
    };
    test(&with).map(|()| Outcome::Passed)
}

fn one_line(what: &str, ran: &Ran, line: &str) -> Result<(), String> {
    match ran.stderr.lines().collect::<Vec<_>>() == [line] && ran.code() == 1 {
        true => Ok(()),
        false => Err(format!("{what}: status {}, stderr {:?}", ran.code(), ran.stderr)),
    }
}

fn misbehaving(with: &With) -> Result<(), String> {
    for (text, line) in [
        ("die", "dtrace: libdtrace's process failed: it ended by signal 9 (killed)"),
        ("abort", "dtrace: libdtrace's process failed: it ended by signal 6 (aborted)"),
        ("shut", "dtrace: libdtrace's process failed: it closed its pipe"),
        ("gone", "dtrace: libdtrace's process failed: it ended"),
        ("failing", "dtrace: processing aborted: the buffer is on fire"),
    ] {
        one_line(text, &run(&mut with(text), LIMIT)?, line)?;
    }
    Ok(())
}

/// One function of the many is not there.
fn lacking(with: &With) -> Result<(), String> {
    for (name, line) in [
        ("dtrace_printf_format", "dtrace: not a libdtrace that is known: it lacks dtrace_printf_format"),
        ("dtrace_go", "dtrace: processing aborted: this libdtrace has no dtrace_go()"),
    ] {
        let scratch = Scratch::new()?;
        let library = scratch.path().join("libfake.so");
        make_stand_in(&library, &format!("-D{name}=renamed"))?;
        one_line(name, &run(with("entry").env("DUOTRACE_LIBDTRACE", &library), LIMIT)?, line)?;
    }
    Ok(())
}

fn stand_in_closed_pipe(with: &With) -> Result<(), String> {
    let plain = with("endless");
    let mut command = Command::new("bash");
    let words: Vec<String> = std::iter::once(plain.get_program())
        .chain(plain.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    command.args([
        "-c",
        &format!("{} > >(exit 0); echo status: $? >&2", words.join(" ").replace("endless", "entry")),
    ]);
    for (key, value) in plain.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    let ran = run(&mut command, LIMIT)?;
    // Drops and faults of the stand-in, and no more.
    let last = ran.stderr.lines().last();
    match last == Some("status: 3") && !ran.stderr.contains("panicked") && !ran.stderr.contains("failed:") {
        true => Ok(()),
        false => Err(format!("stderr {:?}", ran.stderr)),
    }
}

fn stand_in_compile_error(with: &With) -> Result<(), String> {
    let ran = run(with("wrong").arg("-xerrtags"), LIMIT)?;
    let line = "dtrace: invalid probe specifier wrong: [D_SYNTAX] syntax error near \"wrong\"";
    one_line("wrong", &ran, line)
}

/// What hangs is given up after the time that is set; and when the tracer is killed it does not stay behind.
fn hanging(with: &With) -> Result<(), String> {
    for text in ["hang", "stuck"] {
        let ran = run(with(text).env("DUOTRACE_LIBDTRACE_PATIENCE", "1"), LIMIT)?;
        one_line(text, &ran, "dtrace: libdtrace does not answer (for 1 s)")?;
    }
    one_line(
        "no number",
        &run(with("entry").env("DUOTRACE_LIBDTRACE_PATIENCE", "soon"), LIMIT)?,
        "dtrace: DUOTRACE_LIBDTRACE_PATIENCE=soon: not a number of seconds",
    )?;
    let mut command = with("stuck");
    command.env("DUOTRACE_LIBDTRACE_PATIENCE", "2").stdin(Stdio::null()).stdout(Stdio::null());
    let mut tracer = command.spawn().map_err(|error| error.to_string())?;
    let children = format!("/proc/{0}/task/{0}/children", tracer.id());
    let end = Instant::now() + LIMIT;
    let worker = loop {
        let text = std::fs::read_to_string(&children).unwrap_or_default();
        match text.trim().parse::<u32>() {
            Ok(worker) => break Ok(worker),
            Err(_) if Instant::now() > end => break Err("no worker".to_string()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let _ = tracer.kill();
    let _ = tracer.wait();
    let worker = PathBuf::from(format!("/proc/{}", worker?));
    while worker.exists() {
        if Instant::now() > end {
            return Err("the worker is still there".to_string());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// An option of the environment that is not valid is passed over; of the command line it is an error.
fn environment(with: &With) -> Result<(), String> {
    let ran = run(with("entry").env("DTRACE_OPT_NONSENSE", "1"), LIMIT)?;
    if ran.code() != 3 {
        return Err(format!("status {}, stderr {:?}", ran.code(), ran.stderr));
    }
    let line = "dtrace: failed to set -x nonsense: Invalid value for specified option";
    one_line("-x", &run(with("entry").arg("-xnonsense=1"), LIMIT)?, line)
}

/// A size from the environment, which `-x` overrules; runs of a command that prints `abcdefgh` so far as it fits.
const SIZES: &str = r#"P='BEGIN { trace("abcdefgh"); exit(0); }'
    DTRACE_OPT_STRSIZE=4 DTRACE_OPT_QUIET=1 DTRACE_OPT_NOSUCH=1 $D -n "$P"
    DTRACE_OPT_STRSIZE=4 $D -xstrsize=6 -qn "$P"
"#;

fn sizes(ran: Ran) -> Result<(), String> {
    match ran.stdout == "abc\nabcde\n" && ran.code() == 0 {
        true => Ok(()),
        false => Err(format!("stdout {:?}, stderr {:?}", ran.stdout, ran.stderr)),
    }
}

fn oracle_environment(within: &Within) -> Result<(), String> {
    sizes(within(SIZES)?)
}

fn ebpf_environment() -> Result<(), String> {
    let mut command = Command::new("bash");
    command.args(["-c", SIZES]).env("D", duotrace()?);
    sizes(run(&mut command, LIMIT)?)
}

fn no_library() -> Result<(), String> {
    for (path, line) in [
        ("/nonexistent/libdtrace.so", "dtrace: cannot load libdtrace: /nonexistent/libdtrace.so: "),
        ("libm.so.6", "it lacks dtrace_open"),
        (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "dtrace: cannot load libdtrace: "),
    ] {
        let mut command = Command::new(duotrace()?);
        command.args(["--backend", "dtrace", "-n", "BEGIN { exit(0); }"]).env("DUOTRACE_LIBDTRACE", path);
        let ran = run(&mut command, LIMIT)?;
        if ran.code() != 1 || ran.stderr.lines().count() != 1 || !ran.stderr.contains(line) {
            return Err(format!("{path}: status {}, stderr {:?}", ran.code(), ran.stderr));
        }
    }
    Ok(())
}

fn no_recording() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let file = scratch.path().join("x.dtr");
    let mut command = Command::new(duotrace()?);
    command.args(["--backend", "dtrace", "--record"]).arg(&file).args(["-n", "BEGIN { exit(0); }"]);
    let ran = run(&mut command, LIMIT)?;
    match ran.code() == 1 && ran.stderr.starts_with("dtrace: --record: ") && !file.exists() {
        true => Ok(()),
        false => Err(format!("status {}, stderr {:?}", ran.code(), ran.stderr)),
    }
}
