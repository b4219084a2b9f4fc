//! Processes as they really are: in containers, replaced, short-lived, and kernels that lack what one counts on.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use duotrace_tests::case::Outcome;
use duotrace_tests::process::{Ran, Running, run, start};
use duotrace_tests::programs::{fact, program};
use duotrace_tests::{Scratch, duotrace};

use super::{Test, traced};

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("files of another mount namespace", || traced(other_mounts)),
    ("a later process in another mount namespace", || traced(later_mounts)),
    ("a container", || traced(container)),
    ("a tracer in a container", || traced(tracer_inside)),
    ("a program that is replaced", || traced(replaced)),
    ("stacks of forked processes that are gone", || traced(gone_children)),
    ("a storm of processes while probes are attached", || traced(storm)),
    ("threads that come and go while probes are attached", || traced(late_threads)),
    ("twenty thousand probes", || traced(many_probes)),
    ("memory of a process", || traced(memory)),
    ("names of files on disk", names_on_disk),
    ("no tracefs", || traced(no_tracefs)),
    ("no kernel types", || traced(no_types)),
];

const LIMIT: Duration = Duration::from_secs(30);

fn tracer(arguments: &[&str]) -> Result<Command, String> {
    let mut command = Command::new(duotrace()?);
    command.args(["-q", "-xswitchrate=10ms"]).args(arguments);
    Ok(command)
}

/// A shell in namespaces of its own.
fn apart(namespaces: &[&str], script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(namespaces).args(["sh", "-ec", script, "sh"]).args(arguments);
    command
}

/// Runs a program, told by its path, from a file system that no other process sees.
const HIDDEN: &str = "mount -t tmpfs none /mnt; cp \"$1\" /mnt/hidden; shift; exec /mnt/hidden \"$@\"";

/// The same in a directory that is all that the process sees.
const CHROOT: &str = "mount -t tmpfs none /mnt; mkdir -p /mnt/bin; cp \"$1\" /mnt/bin/hidden; shift; \
    for f in $(ldd /mnt/bin/hidden | grep -o '/[^ ]*'); do mkdir -p /mnt/${f%/*}; cp -L $f /mnt/$f; done; \
    exec chroot /mnt /bin/hidden \"$@\"";

/// The end of a tracer: exit status 0, nothing on standard error but for what tells of the target's end.
fn fine(ran: Ran) -> Result<String, String> {
    let said = ran.stderr.lines().find(|line| !line.ends_with(" has exited") && !line.is_empty());
    match (ran.code(), said) {
        (0, None) => Ok(ran.stdout),
        _ => Err(format!("{}\nstdout: {}\nstderr: {}", ran.status, ran.stdout, ran.stderr)),
    }
}

fn expect(out: &str, lines: &[&str]) -> Result<(), String> {
    match lines.iter().find(|line| !out.lines().any(|other| other.trim() == **line)) {
        Some(line) => Err(format!("no line {line:?} in\n{out}")),
        None => Ok(()),
    }
}

/// Traces a process that waits, by its number outside of all containers, and lets it go on.
fn trace_waiting(mut target: Running, pid: u32, script: &str) -> Result<String, String> {
    let tracer = start(&mut tracer(&["-p", &pid.to_string(), "-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    target.tell("go\n")?;
    let told = target.finish(LIMIT)?.ok()?;
    let out = fine(tracer.finish(LIMIT)?)?;
    match fact(&told, "count")? {
        2000 => Ok(out),
        count => Err(format!("the program counted {count}")),
    }
}

fn other_mounts() -> Result<(), String> {
    let target = start(&mut apart(&["-m"], HIDDEN, &[&program("hits")?, "2", "1000", "wait"]))?;
    target.wait_for("ready", LIMIT)?;
    let pid = target.pid();
    let script = "BEGIN { printf(\"armed\\n\"); } \
        hits$target:::tick { @t = count(); } pid$target:hidden:work:entry { @w = count(); @s[ustack(2)] = count(); } \
        END { printa(\"ticks %@d\\n\", @t); printa(\"calls %@d\\n\", @w); printa(\"%k%@d\\n\", @s); }";
    let out = trace_waiting(target, pid, script)?;
    // The names of a file that is gone with its last process.
    expect(&out, &["ticks 2000", "calls 2000", "hidden`work", "2000"])?;
    match out.contains("hidden`run+0x") {
        true => Ok(()),
        false => Err(out),
    }
}

/// Exact from the first event on, though the file did not exist when the tracer began.
fn later_mounts() -> Result<(), String> {
    let script = "BEGIN { printf(\"armed\\n\"); } hits*:::tick /execname == \"hidden\"/ { @[pid] = count(); } \
        END { printa(\"%d %@d\\n\", @); }";
    let tracer = start(&mut tracer(&["-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let target = start(&mut apart(&["-m"], HIDDEN, &[&program("hits")?, "2", "500"]))?;
        expected.push(format!("{} 1000", target.pid()));
        target.finish(LIMIT)?.ok()?;
    }
    let out = fine(tracer.stop(libc::SIGINT, LIMIT)?)?;
    expect(&out, &expected.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The process in the pid namespace that `unshare` made.
fn child(of: u32) -> Result<u32, String> {
    let path = format!("/proc/{of}/task/{of}/children");
    let children = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    children
        .split_whitespace()
        .next()
        .and_then(|pid| pid.parse().ok())
        .ok_or_else(|| format!("{of} has no child"))
}

fn container() -> Result<(), String> {
    let target = start(&mut apart(&["-m", "-p", "-f"], CHROOT, &[&program("hits")?, "2", "1000", "wait"]))?;
    // In there it is the first process.
    target.wait_for("ready 1\n", LIMIT)?;
    let pid = child(target.pid())?;
    let script = "BEGIN { printf(\"armed\\n\"); } \
        hits$target:::tick { @t[pid, tid == pid, probeprov] = count(); } pid$target::work:return { @w[pid] = count(); } \
        pid$target:libc.so.6:write:entry { @l = count(); @s[ustack(1)] = count(); } \
        syscall::write:entry /pid == $target/ { @c[execname, cwd] = count(); } \
        END { printa(\"ticks %d %d %s %@d\\n\", @t); printa(\"calls %d %@d\\n\", @w); printa(\"%k%@d\\n\", @s); \
        printa(\"%s %s\\n\", @c); }";
    let out = trace_waiting(target, pid, script)?;
    // `pid`, like -p, is the number that it has where the tracer is.
    let (ticks, calls) = (format!("ticks {pid} 0 hits{pid} 2000"), format!("calls {pid} 2000"));
    expect(&out, &[&ticks, &calls, "libc.so.6`write"])
}

/// All numbers are those of the container that the tracer is in, and the rest of the machine has none.
fn tracer_inside() -> Result<(), String> {
    let script = "BEGIN { printf(\"target %d\\n\", $target); } \
        hits$target:::tick /pid == $target/ { @t[ppid == $$1, progenyof($$1), probeprov] = count(); } \
        pid$target::work:entry /pid == $target/ { @w = count(); @s[ustack(2)] = count(); } \
        syscall::write:entry /pid == $target/ { @c = count(); } \
        proc:::exit /pid == $target/ { printf(\"exit %d\\n\", curpsinfo->pr_pid == $target); } \
        sched:::on-cpu /pid == $target/ { @o[pid] = count(); } \
        syscall:::entry /pid != 0 && pid > 100/ { outside++; } \
        END { printa(\"ticks %d %d %s %@d\\n\", @t); printa(\"calls %@d\\n\", @w); printa(\"%k%@d\\n\", @s); \
        printf(\"outside %d\\n\", outside); }"
        .replace("$$1", "1");
    let inner = "mount -t proc proc /proc; echo ready; read go; \"$1\" -q -c \"$2 2 1000\" -n \"$3\"";
    let hits = program("hits")?;
    let tracer = duotrace()?.display().to_string();
    let mut inside = start(&mut apart(&["-m", "-p", "-f"], inner, &[&tracer, &hits, &script]))?;
    inside.wait_for("ready", LIMIT)?;
    inside.tell("go\n")?;
    let ran = inside.finish(LIMIT)?;
    let out = ran.ok()?;
    let target = fact(&out, "target")?;
    let ticks = out.lines().find(|line| line.starts_with("ticks ")).unwrap_or_default();
    let named = ticks.ends_with(&format!(" 1 hits{target} 2000"));
    expect(&out, &["calls 2000", "hits`work", "2000", "exit 1", "outside 0"])?;
    match named && target < 100 {
        true => Ok(()),
        false => Err(format!("target {target}: {ticks}")),
    }
}

/// A new file is put in the place of one that is traced: what runs the old one goes on to be traced, and so is what
/// runs the new one.
fn replaced() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let bytes = std::fs::read(program("hits")?).map_err(|e| e.to_string())?;
    let install = || -> Result<(), String> {
        let path = scratch.write("new", &bytes)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).map_err(|e| e.to_string())?;
        std::fs::rename(&path, scratch.path().join("moving")).map_err(|e| e.to_string())
    };
    install()?;
    let path = scratch.path().join("moving");
    let mut old = start(Command::new(&path).args(["2", "1000", "wait"]))?;
    old.wait_for("ready", LIMIT)?;
    // Before the tracer looks, and once more while it traces.
    install()?;
    let script = "BEGIN { printf(\"armed\\n\"); } hits*:::tick /execname == \"moving\"/ { @t[pid] = count(); } \
        pid$target:moving:work:entry { @w = count(); } \
        END { printa(\"ticks %d %@d\\n\", @t); printa(\"calls %@d\\n\", @w); }";
    let tracer = start(&mut tracer(&["-p", &old.pid().to_string(), "-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    let mut expected = Vec::new();
    for _ in 0..2 {
        let new = start(Command::new(&path).args(["1", "300"]))?;
        expected.push(format!("ticks {} 300", new.pid()));
        new.finish(LIMIT)?.ok()?;
        install()?;
    }
    expected.push(format!("ticks {} 2000", old.pid()));
    expected.push("calls 2000".into());
    old.tell("go\n")?;
    old.finish(LIMIT)?.ok()?;
    let out = fine(tracer.finish(LIMIT)?)?;
    expect(&out, &expected.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Children of a process that is older than the tracer: whole stacks from their first firing on, and names though they have
/// ended when these are looked up.
fn gone_children() -> Result<(), String> {
    let mut target = start(Command::new(program("forks")?).args(["6", "20", "wait"]))?;
    target.wait_for("ready", LIMIT)?;
    let script = "BEGIN { printf(\"armed\\n\"); } forks*:::tick { @[pid, ustack(8)] = count(); } \
        END { printa(\"pid %d%k%@d\\n\", @); }";
    let tracer = start(&mut tracer(&["-xaggrate=1s", "-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    target.tell("go\n")?;
    let told = target.finish(LIMIT)?.ok()?;
    let out = fine(tracer.stop(libc::SIGINT, LIMIT)?)?;
    let processes = told.lines().filter(|line| line.starts_with("process ")).count();
    let stacks: Vec<&str> = out.split("pid ").skip(1).collect();
    let whole = |stack: &&str| stack.contains("forks`burst+") && stack.contains("forks`_start+");
    match stacks.iter().find(|stack| !whole(stack)) {
        None if stacks.len() >= processes && processes == 10 => Ok(()),
        None => Err(format!("{} stacks of {processes} processes\n{out}", stacks.len())),
        Some(stack) => Err(format!("not whole: {stack}")),
    }
}

/// Processes that begin and end all the while, some before their files can be looked at, keep nobody from attaching: no
/// error, no wait, and whoever lives is counted exactly.
fn storm() -> Result<(), String> {
    let storm = format!(
        "while :; do '{hits}' 1 1 >/dev/null & '{late}' 0 >/dev/null & wait; done",
        hits = program("hits")?,
        late = program("late")?
    );
    let weather = start(Command::new("sh").args(["-c", &storm]))?;
    let mut outcome = Ok(());
    for round in 0..6 {
        let mut target = start(Command::new(program("hits")?).args(["2", "1000", "wait"]))?;
        target.wait_for("ready", LIMIT)?;
        let script = "BEGIN { printf(\"armed\\n\"); } hits*:::tick /pid == $target/ { @t = count(); } \
             pid$target::work:return { @w = count(); @s[ustack(1)] = count(); } \
             hits*:::tick /pid != $target/ { @o = count(); } late*:::* { @x = count(); } \
             END { printa(\"ticks %@d\\n\", @t); printa(\"calls %@d\\n\", @w); printa(\"others %@d\\n\", @o); }";
        let pid = target.pid().to_string();
        let tracer = start(&mut tracer(&["-Z", "-p", &pid, "-n", script])?)?;
        tracer.wait_for("armed", LIMIT)?;
        std::thread::sleep(Duration::from_millis(300));
        target.tell("go\n")?;
        target.finish(LIMIT)?.ok()?;
        let ran = tracer.finish(LIMIT)?;
        let seen = expect(&ran.stdout, &["ticks 2000", "calls 2000"]);
        let wrong = ran.stderr.lines().find(|line| line.contains("could not") || line.contains("error"));
        outcome = match (ran.code(), seen, wrong) {
            (0, Ok(()), None) if fact(&ran.stdout, "others")? > 0 => Ok(()),
            (code, seen, _) => {
                Err(format!("round {round}: exit status {code}, {seen:?}\n{}{}", ran.stdout, ran.stderr))
            }
        };
        if outcome.is_err() {
            break;
        }
    }
    weather.stop(libc::SIGKILL, LIMIT)?;
    outcome
}

/// Threads that run while the tracer attaches; what they do after BEGIN is counted, and what each did adds up.
fn late_threads() -> Result<(), String> {
    let target = start(Command::new(program("hits")?).args(["8", "1000000000"]))?;
    let pid = target.pid().to_string();
    let script = "BEGIN { printf(\"armed\\n\"); } \
        pid$target::work:entry { @a = count(); @e[tid] = count(); } pid$target::work:return { @r = count(); } \
        tick-500ms { exit(0); } \
        END { printa(\"entries %@d\\n\", @a); printa(\"returns %@d\\n\", @r); printa(\"thread %d %@d\\n\", @e); }";
    let tracer = start(&mut tracer(&["-p", &pid, "-n", script])?)?;
    let out = fine(tracer.finish(LIMIT)?)?;
    target.stop(libc::SIGKILL, LIMIT)?;
    let (entries, returns) = (fact(&out, "entries")?, fact(&out, "returns")?);
    let by_thread = out.lines().filter_map(|line| line.strip_prefix("thread ")?.split_once(' '));
    let sum: i64 = by_thread.filter_map(|(_, count)| count.parse::<i64>().ok()).sum();
    // Each thread may be within a call at the beginning and at the end.
    match entries > 0 && sum == entries && (entries - returns).abs() <= 8 {
        true => Ok(()),
        false => Err(out),
    }
}

/// More probes than are rarely meant are refused with the option that allows them, and with it they are exact.
fn many_probes() -> Result<(), String> {
    let command = format!("{} 1 200", program("hits")?);
    // On a slow machine a part of them: without uprobe_multi each is an event and a link of its own.
    let (places, least) = match std::env::var_os("DUOTRACE_EXACT_PART") {
        Some(_) => ("pid$target:libc.so.6:[a-m]*:entry", 1000),
        None => (
            "pid$target:libc.so.6::entry, pid$target:libc.so.6::return, pid$target:libc.so.6:[a-b]*:",
            20_000,
        ),
    };
    let script = &format!(
        "{places} {{ n++; }} pid$target::work:entry {{ @ = count(); }} END {{ printa(\"calls %@d\\n\", @); }}"
    );
    let refused = run(&mut tracer(&["-xmaxprobes=500", "-c", &command, "-n", script])?, LIMIT)?;
    let asked = "or allow more (-x maxprobes=";
    let count =
        refused.stderr.split(asked).nth(1).and_then(|rest| rest.split(')').next()?.parse::<u32>().ok());
    let Some(count) = count.filter(|_| refused.code() == 1 && refused.stderr.trim().lines().count() == 1)
    else {
        return Err(format!("{}\n{}", refused.status, refused.stderr));
    };
    if count < least {
        return Err(format!("only {count} places"));
    }
    let allowed = format!("-xmaxprobes={count}");
    let ran = run(&mut tracer(&[&allowed, "-c", &command, "-n", script])?, 2 * LIMIT)?;
    expect(&ran.ok()?, &["calls 200"])
}

/// `pr_rssize` is what /proc says, give or take what the kernel has not added up yet.
fn memory() -> Result<(), String> {
    let mut target = start(Command::new(program("hits")?).args(["2", "1000000000", "wait"]))?;
    target.wait_for("ready", LIMIT)?;
    let pid = target.pid().to_string();
    let script = "BEGIN { printf(\"armed\\n\"); } \
        hits$target:::tick /arg1 == 9838 && !n++/ { printf(\"rss %d of %d.\\n\", curpsinfo->pr_rssize, curpsinfo->pr_size); }";
    let tracer = start(&mut tracer(&["-p", &pid, "-n", script])?)?;
    tracer.wait_for("armed", LIMIT)?;
    target.tell("go\n")?;
    tracer.wait_for(".\n", LIMIT)?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| e.to_string())?;
    target.stop(libc::SIGKILL, LIMIT)?;
    let out = fine(tracer.finish(LIMIT)?)?;
    let number = |text: &str| text.split_whitespace().find_map(|word| word.parse::<i64>().ok());
    let told = status.lines().find(|line| line.starts_with("VmRSS")).and_then(number).ok_or("no VmRSS")?;
    let seen = out.lines().find(|line| line.starts_with("rss")).and_then(number).ok_or("no rss")?;
    match (told - seen).abs() < 2048 && seen > 0 {
        true => Ok(()),
        false => Err(format!("{seen} instead of {told} kB")),
    }
}

/// Requests to a disk tell the name of the file whose pages they move.
fn names_on_disk() -> Result<Outcome, String> {
    let scratch = Scratch::new()?;
    let listed = run(Command::new(duotrace()?).args(["-lP", "io"]), LIMIT)?;
    // A file system without a device of its own has major number 0.
    let device = std::os::unix::fs::MetadataExt::dev(&scratch.path().metadata().map_err(|e| e.to_string())?);
    if listed.code() != 0 || libc::major(device) == 0 {
        return Ok(Outcome::Skipped(format!(
            "{} is on no disk, or this kernel has no io probes",
            scratch.path().display()
        )));
    }
    traced(|| {
        let scratch = Scratch::new()?;
        let file = scratch.path().join("named-on-disk").display().to_string();
        let script = "io:::start /args[2]->fi_name == \"named-on-disk\"/ \
            { @[args[2]->fi_fs, args[2]->fi_pathname] = sum(args[0]->b_bcount); } END { printa(\"%s %s %@d\\n\", @); }";
        let command = format!("dd if=/dev/zero of={file} bs=64k count=16 conv=fsync status=none");
        let out = fine(run(&mut tracer(&["-c", &command, "-n", script])?, LIMIT)?)?;
        let bytes = out.split_whitespace().last().and_then(|word| word.parse::<u64>().ok());
        match out.contains(" <unknown> ") && bytes.is_some_and(|bytes| bytes >= 16 * 65536) {
            true => Ok(()),
            false => Err(out),
        }
    })
}

/// Runs the tracer where `hide` was mounted over.
fn without(hide: &[&str], arguments: &[&str]) -> Result<Ran, String> {
    let hidden: String = hide.iter().map(|path| format!("mount -t tmpfs none {path}; ")).collect();
    let script = format!("{hidden} exec \"$@\"");
    let tracer = duotrace()?.display().to_string();
    run(&mut apart(&["-m"], &script, &[&[tracer.as_str(), "-q"], arguments].concat()), LIMIT)
}

fn no_tracefs() -> Result<(), String> {
    let places: Vec<&str> =
        ["/sys/kernel/tracing", "/sys/kernel/debug"].into_iter().filter(|p| Path::new(p).exists()).collect();
    let command = format!("{} 1 50", program("hits")?);
    let script = "hits$target:::tick { @t = count(); } pid$target::work:entry { @w = count(); } \
        syscall::write:entry /pid == $target/ { @s = count(); } sched:::off-cpu { @o = count(); } \
        proc:::exit /pid == $target/ { printf(\"exit\\n\"); } \
        END { printa(\"ticks %@d\\n\", @t); printa(\"calls %@d\\n\", @w); }";
    let ran = without(&places, &["-c", &command, "-n", script])?;
    expect(&ran.ok()?, &["ticks 50", "calls 50", "exit"])
}

/// What needs the kernel's types says so in one line; what does not, works.
fn no_types() -> Result<(), String> {
    let command = format!("{} 1 50", program("hits")?);
    let script = "hits$target:::tick { @t = count(); self->t = timestamp; } pid$target::work:entry /self->t/ { @w = count(); } \
        syscall::write:entry /pid == $target/ { @s = count(); } \
        END { printa(\"ticks %@d\\n\", @t); printa(\"calls %@d\\n\", @w); }";
    let ran = without(&["/sys/kernel/btf"], &["-c", &command, "-n", script])?;
    expect(&ran.ok()?, &["ticks 50", "calls 50"])?;
    for script in
        ["sched:::on-cpu { @ = count(); }", "BEGIN { trace(ppid); }", "BEGIN { print(*curthread); }"]
    {
        let ran = without(&["/sys/kernel/btf"], &["-n", script])?;
        let told = ran.stderr.contains("/sys/kernel/btf/vmlinux") || ran.stderr.contains("no BTF");
        if ran.code() != 1 || !told || ran.stderr.trim().lines().count() != 1 {
            return Err(format!("{script}: {}\n{}", ran.status, ran.stderr));
        }
    }
    Ok(())
}
