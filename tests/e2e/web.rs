//! The web half of the OSCON 2008 scripts, on a stock Apache with mod_perl under load, and on a stock perl: what they
//! count is what was asked for, to the last one.

use super::Test;
use duotrace_tests::case::Outcome;
use duotrace_tests::process::{Running, run, start};
use duotrace_tests::{Scratch, duotrace, no_bpf, root};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

pub const TESTS: &[(&str, Test)] = &[
    ("perl.d counts calls and returns", || perl(perl_counts)),
    ("perl subs left by die", || perl(perl_die)),
    ("perl subs looked at", || perl(perl_looked_at)),
    ("a build that is not known", || perl(unknown_build)),
    ("scripts on a stock apache", || web(scripts)),
];

const LIMIT: Duration = Duration::from_secs(60);

fn perl(test: fn() -> Result<(), String>) -> Result<Outcome, String> {
    let none = || std::fs::metadata("/usr/bin/perl").err().map(|_| "there is no /usr/bin/perl".to_owned());
    match no_bpf().or_else(none).or_else(unknown_perl) {
        Some(why) => Ok(Outcome::Skipped(why)),
        None => test().map(|()| Outcome::Passed),
    }
}

/// Another system's perl may be none that the virtual provider knows.
fn unknown_perl() -> Option<String> {
    let text = ["perl-5.36", "perl-5.42"].iter().filter_map(|name| {
        std::fs::read_to_string(root().join(format!("backend-ebpf/providers/offsets/{name}.offsets"))).ok()
    });
    let notes = run(Command::new("readelf").args(["-n", "/usr/bin/perl"]), LIMIT).ok()?.ok().ok()?;
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "))?.to_owned();
    (!text.collect::<String>().contains(&id)).then(|| format!("the build of this perl ({id}) has no table"))
}

fn script(name: &str) -> String {
    root().join("scripts/oscon2008").join(name).display().to_string()
}

/// Subs with known numbers of calls, one of them anonymous, one through a reference.
const CALLS: &str = r"
package Shop;
sub price { my $n = shift; return $n * 2 }
sub total { my $sum = 0; $sum += price($_) for 1 .. 10; return $sum }
package main;
my $anonymous = sub { Shop::total() };
$anonymous->() for 1 .. 7;
my $name = 'total'; Shop->can($name)->() for 1 .. 3;
";

fn perl_counts() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let program = scratch.write("calls.pl", CALLS)?;
    let out = run(
        Command::new(duotrace()?)
            .args(["-s", &script("perl.d"), "-c"])
            .arg(format!("perl {}", program.display())),
        LIMIT,
    )?
    .ok()?;
    let file = program.display();
    for (calls, sub, line) in [(100, "price", 3), (10, "total", 4), (7, "__ANON__", 6)] {
        let want = format!("{sub} ({file}:{line})");
        let found = out.lines().find(|text| text.ends_with(&want));
        let count = found.and_then(|text| text.split_whitespace().next()?.parse().ok());
        if count != Some(calls) {
            return Err(format!("{want}: {count:?} calls, not {calls}\n{out}"));
        }
    }
    // Every call returned: arguments of returns are those of calls.
    let text = "perl*:::sub-entry { @[copyinstr(arg0), copyinstr(arg3)] = sum(1); @n = sum(1); } \
                perl*:::sub-return { @[copyinstr(arg0), copyinstr(arg3)] = sum(-1); @n = sum(1); }";
    let out = run(
        Command::new(duotrace()?).args(["-qn", text, "-c"]).arg(format!("perl {}", program.display())),
        LIMIT,
    )?
    .ok()?;
    for want in ["price Shop 0", "total Shop 0", "__ANON__ main 0", "234"] {
        if !out.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == want) {
            return Err(format!("no '{want}' in\n{out}"));
        }
    }
    Ok(())
}

/// Frames that die() leaves must not upset what comes after.
fn perl_die() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let program = scratch.write(
        "die.pl",
        "sub deep { my $n = shift; die 'x' if !$n; deep($n - 1) } sub calm { return 1 }\n\
         sub top { eval { deep(2) }; calm(); return 1 }\ntop() for 1 .. 50;\n",
    )?;
    let out = run(
        Command::new(duotrace()?)
            .args(["-s", &script("perl.d"), "-c"])
            .arg(format!("perl {}", program.display())),
        LIMIT,
    )?
    .ok()?;
    for (calls, sub) in [("50", "top"), ("50", "calm"), ("150", "deep")] {
        let row = out.lines().find(|line| line.contains(&format!(" {sub} (")));
        if row.and_then(|row| row.split_whitespace().next()) != Some(calls) {
            return Err(format!("{sub} was called {calls} times:\n{out}"));
        }
    }
    // They do return.
    let text = "perl$target:::sub-return { @[copyinstr(arg0)] = count(); }";
    let out = run(
        Command::new(duotrace()?).args(["-qn", text, "-c"]).arg(format!("perl {}", program.display())),
        LIMIT,
    )?
    .ok()?;
    for want in ["calm 50", "top 50", "deep 150"] {
        if !out.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == want) {
            return Err(format!("no '{want}' in\n{out}"));
        }
    }
    Ok(())
}

/// Where a program that began before the tracer spends its time: within `sort`, within `eval`, without a probe in it.
const LOOP: &str = r#"$| = 1; print "ready\n";
package Shop;
sub price { my $n = shift; my $sum = 0; $sum += $_ for 1 .. 50; return $sum }
sub inner { my $sum = 0; $sum += $_ for 1 .. 20000 }
sub top { my @sorted = sort { price($a) <=> price($b) } 1 .. 100; eval { inner() }; return 1 }
top() while 1;
"#;

fn perl_looked_at() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let program = scratch.write("loop.pl", LOOP)?;
    let perl = start(Command::new("perl").arg(&program))?;
    perl.wait_for("ready", LIMIT)?;
    // Of this one alone: there may be others.
    let text = format!(
        "perlsub*:::profile-997 /pid == {} && arg0 != 0/ {{ n++; \
         @[probeprov, copyinstr(arg0), copyinstr(arg3), copyinstr(arg1), arg2] = count(); }} \
         perlsub{}:::profile-997 {{ m++; }} tick-100ms /n > 200 && m > 200/ {{ exit(0); }}",
        perl.pid(),
        perl.pid()
    );
    let out = run(Command::new(duotrace()?).args(["-qn", &text]), LIMIT)?.ok()?;
    for (sub, line) in [("price", 3), ("inner", 4)] {
        let want = format!("perlsub{} {sub} Shop {} {line} ", perl.pid(), program.display());
        if !out.lines().any(|row| row.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(&want)) {
            return Err(format!("no '{want}' in\n{out}"));
        }
    }
    Ok(())
}

/// A perl whose build-id is in no table: an error that says what to do, with the id and the command.
fn unknown_build() -> Result<(), String> {
    let scratch = Scratch::new()?;
    let mut image = std::fs::read("/usr/bin/perl").map_err(|e| e.to_string())?;
    let owner = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let at = image.windows(owner.len()).position(|bytes| bytes == owner).ok_or("no build-id")? + owner.len();
    image.get_mut(at..at + 20).ok_or("a short build-id")?.fill(0xab);
    let perl = scratch.write("perl", image)?;
    run(Command::new("chmod").arg("755").arg(&perl), LIMIT)?.ok()?;
    let stranger = start(Command::new(&perl).args(["-e", "sleep 60"]))?;
    std::thread::sleep(Duration::from_millis(500));
    let text = format!("perl{}:::sub-entry {{ exit(0); }}", stranger.pid());
    let ran = run(Command::new(duotrace()?).args(["-n", &text]), LIMIT)?;
    let said = &ran.stderr;
    for want in ["abababababababababababababababababababab", "ci/virtual-offsets perl ", "DUOTRACE_PROVIDERS"]
    {
        if ran.code() == 0 || !said.contains(want) {
            return Err(format!("status {}, no '{want}' in: {said}", ran.code()));
        }
    }
    Ok(())
}

/// The private server of `ci/services-web`, stopped when it is dropped.
struct Server {
    state: Scratch,
}

impl Server {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(root().join("ci/services-web"));
        command.args(words).env("DUOTRACE_WEB", self.state.path().join("web"));
        command.env("DUOTRACE_SERVICES", self.state.path().join("none"));
        command
    }

    fn run(&self, words: &[&str]) -> Result<String, String> {
        run(&mut self.command(words), 3 * LIMIT)?.ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What does not stop is told by the next start.
        let _ = self.run(&["stop"]);
    }
}

fn web(test: fn(&Server) -> Result<(), String>) -> Result<Outcome, String> {
    let present = |path: &str| std::path::Path::new(path).exists();
    if let Some(why) = no_bpf().or_else(unknown_perl) {
        return Ok(Outcome::Skipped(why));
    }
    if !present("/usr/lib/apache2/modules/mod_perl.so") || !present("/usr/bin/ab") {
        return Ok(Outcome::Skipped("there is no Apache with mod_perl: ci/services-web install".into()));
    }
    let server = Server { state: Scratch::new()? };
    // Its workers have a user of their own, who has to reach the directory.
    run(Command::new("chmod").arg("755").arg(server.state.path()), LIMIT)?.ok()?;
    server.run(&["start"])?;
    test(&server).map(|()| Outcome::Passed)
}

/// Starts a script and waits until it has attached.
fn tracing(name: &str, words: &[&str]) -> Result<Running, String> {
    let mut command = match name.ends_with(".sh") {
        true => Command::new(script(name)),
        false => {
            let mut command = Command::new(duotrace()?);
            command.args(["-s", &script(name)]);
            command
        }
    };
    let running = start(command.args(words).env("DTRACE", duotrace()?))?;
    // Scripts are quiet: nothing tells that they have begun.
    running.wait_armed(LIMIT)?;
    Ok(running)
}

/// `requests N URI` as the load generator says.
fn sent(report: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let mut words = line.strip_prefix("requests ")?.split_whitespace();
        let count = words.next()?.parse().ok()?;
        Some((words.next()?.to_owned(), count))
    };
    report.lines().filter_map(line).collect()
}

fn scripts(server: &Server) -> Result<(), String> {
    // r3.sh: each request once, under its own URI.
    let r3 = tracing("r3.sh", &["-i", "600"])?;
    let sent_now = sent(&server.run(&["workload", "60x", "3"])?);
    let out = r3.stop(libc::SIGINT, LIMIT)?.ok()?;
    let rows = out.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some((words.last().filter(|uri| uri.starts_with('/'))?.to_string(), words.first()?.parse().ok()?))
    });
    let counted: BTreeMap<String, u64> = rows.collect();
    if sent_now.len() != 5 || counted != sent_now {
        return Err(format!("r3.sh counted {counted:?}, sent were {sent_now:?}\n{out}"));
    }
    // Where the time goes: sorting on the processor, the backend off it.
    for (name, words, want) in [
        ("pcpu.d", &[][..], &["cmp_price (", "top ("][..]),
        ("papcpu.d", &[], &["/shop/list cmp_price (", "/shop/slow top ("]),
        ("papcpu2.d", &["10000"], &["/shop/slow wait_backend ("]),
    ] {
        let running = tracing(name, words)?;
        let missing = |out: &str| {
            let plain: Vec<String> =
                out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            want.iter().find(|want| !plain.iter().any(|line| line.contains(**want))).copied()
        };
        // A request is over in less than the time between two samples: as many as it takes, a table every 5 seconds.
        let until = Instant::now() + LIMIT;
        while missing(&running.so_far()).is_some() && Instant::now() < until {
            server.run(&["workload", "40x", "2", "/shop/list", "/shop/slow"])?;
        }
        let out = running.stop(libc::SIGINT, LIMIT)?.ok()?;
        if let Some(want) = missing(&out) {
            return Err(format!("{name} shows no '{want}':\n{out}"));
        }
    }
    // A histogram for each URI and status, of as many as were sent.
    let running = tracing("../web/aplatency.d", &[])?;
    server.run(&["workload", "20x", "2", "/index.html"])?;
    let out = running.stop(libc::SIGINT, LIMIT)?.ok()?;
    let rows =
        out.lines().filter_map(|line| line.split_once('|')?.1.split_whitespace().last()?.parse::<u64>().ok());
    if rows.sum::<u64>() != 20 || !out.contains("/index.html 200, microseconds") {
        return Err(format!("aplatency.d has no 20 requests\n{out}"));
    }
    // The hooks, and an argument of each type.
    let env = server.run(&["env"])?;
    let parent = env.lines().find_map(|line| line.strip_prefix("WEB_PID=")).ok_or("no WEB_PID")?;
    // Of this server alone: there may be others.
    let text = "ap*:::handler-return /ppid == $1/ { @[(int)arg0] = count(); } \
                ap*:::process-request-return /ppid == $1/ { \
                this->r = (request_rec *)copyin(arg0, sizeof (request_rec)); \
                @s[copyinstr(arg1), arg2, copyinstr((uintptr_t)this->r->method)] = count(); }";
    let running = start(Command::new(duotrace()?).args(["-qn", text, parent]))?;
    running.wait_armed(LIMIT)?;
    server.run(&["workload", "25x", "2", "/index.html", "/nope"])?;
    let out = running.stop(libc::SIGINT, LIMIT)?.ok()?;
    for want in ["404 25", "0 25", "/index.html 200 GET 25", "/nope 404 GET 25"] {
        if !out.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == want) {
            return Err(format!("no '{want}' in\n{out}"));
        }
    }
    Ok(())
}
