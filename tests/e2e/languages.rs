//! Interpreters as Debian ships them: their probes fire with the arguments they document, and their stacks, which have
//! no frame pointers, are whole.
//!
//! Packages: python3, ruby, php-cli, default-jdk-headless, perl. What is not installed is skipped with that as the reason.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use duotrace_tests::case::Outcome;
use duotrace_tests::process::run;
use duotrace_tests::{Scratch, duotrace, no_bpf};

use super::Test;

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("python: entry and return", python),
    ("php: calls of a function", php),
    ("ruby: calls of a method", ruby),
    ("java: calls of a method", java),
    ("python: whole stacks", || stacks("/usr/bin/python3", "loop.py", PYTHON_LOOP)),
    ("perl: whole stacks", || stacks("/usr/bin/perl", "loop.pl", PERL_LOOP)),
];

const LIMIT: Duration = Duration::from_secs(90);

/// 177 calls of a function.
const FIB: i64 = 177;

/// A library that is opened while it runs has its frame tables some milliseconds later: hence the sleep. Long enough for
/// hundreds of samples: one of the dynamic linker's own at the start, which are not whole, is no twentieth of them.
const PYTHON_LOOP: &str = "import json, time\ntime.sleep(0.5)\n\
    def f(n):\n    json.loads(json.dumps({str(i): [i] * 5 for i in range(200)}))\n    return f(n - 1) if n else 0\n\
    for _ in range(400): f(5)\n";
const PERL_LOOP: &str = "sub f { my $n = shift; my %h = map { $_ => [1..20] } 1..300; \
    my $s = join ',', map { \"$_=@{$h{$_}}\" } sort keys %h; return $n ? f($n - 1) : length $s }\nf(4) for 1..200;\n";

/// Runs a script over a command in a directory of its own that holds one file.
fn traced(
    needs: &str,
    file: &str,
    text: &str,
    command: &str,
    script: &str,
) -> Result<Result<String, Outcome>, String> {
    if let Some(why) = no_bpf() {
        return Ok(Err(Outcome::Skipped(why)));
    }
    if !Path::new(needs).exists() {
        return Ok(Err(Outcome::Skipped(format!("{needs} is not installed"))));
    }
    let scratch = Scratch::new()?;
    scratch.write(file, text)?;
    if file.ends_with(".java") {
        run(Command::new("javac").arg(file).current_dir(scratch.path()), LIMIT)?.ok()?;
    }
    let mut tracer = Command::new(duotrace()?);
    tracer.args(["-q", "-Z", "-o", "out", "-c", command, "-n", script]).current_dir(scratch.path());
    tracer.env("USE_ZEND_DTRACE", "1");
    run(&mut tracer, LIMIT)?.ok()?;
    let out = scratch.path().join("out");
    std::fs::read_to_string(&out).map(Ok).map_err(|error| format!("{}: {error}", out.display()))
}

/// The last line of the output must be this.
fn says(wanted: &str, ran: Result<String, Outcome>) -> Result<Outcome, String> {
    match ran {
        Err(skipped) => Ok(skipped),
        Ok(text) if text.trim().lines().last() == Some(wanted) => Ok(Outcome::Passed),
        Ok(text) => Err(format!("not {wanted} but {text}")),
    }
}

fn python() -> Result<Outcome, String> {
    // 3.11 tells of entries only where something else is traced as well; of lines, for instance.
    let text = "class A:\n    pass\nsorted(range(50), key=lambda n: -n)\n";
    let script = "python$target:::function-entry /basename(copyinstr(arg0)) == \"keys.py\" && \
        copyinstr(arg1) == \"<lambda>\" && arg2 == 3/ { @e = count(); } \
        python$target:::function-return /basename(copyinstr(arg0)) == \"keys.py\" && \
        copyinstr(arg1) == \"<lambda>\"/ { @r = count(); } python$target:::line { } END { printa(\"%@d %@d\\n\", @e, @r); }";
    let needs = "/usr/bin/python3";
    says("50 50", traced(needs, "keys.py", text, &format!("{needs} keys.py"), script)?)
}

fn php() -> Result<Outcome, String> {
    let text = "<?php function fib($n) { return $n < 2 ? $n : fib($n-1)+fib($n-2); } fib(10);\n";
    let script = "php$target:::function-entry /copyinstr(arg0) == \"fib\" && \
        basename(copyinstr(arg1)) == \"fib.php\"/ { @ = count(); } END { printa(\"%@d\\n\", @); }";
    says(&FIB.to_string(), traced("/usr/bin/php", "fib.php", text, "/usr/bin/php fib.php", script)?)
}

fn ruby() -> Result<Outcome, String> {
    let script = "ruby$target:::cmethod-entry /copyinstr(arg0) == \"String\" && copyinstr(arg1) == \"swapcase\"/ \
        { @ = count(); } END { printa(\"%@d\\n\", @); }";
    let text = "31.times { \"word\".swapcase }\n";
    says("31", traced("/usr/bin/ruby", "case.rb", text, "/usr/bin/ruby case.rb", script)?)
}

/// The virtual machine is a library that the launcher opens, and it must not run before its probes are attached.
fn java() -> Result<Outcome, String> {
    let text = "public class Fib { static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } \
        public static void main(String[] a) { fib(10); } }\n";
    let script = "hotspot*:::method-entry /pid == $target && arg4 == 3 && copyinstr(arg3, 4) == \"fib\" && \
        copyinstr(arg1, 4) == \"Fib\"/ { @ = count(); } END { printa(\"%@d\\n\", @); }";
    let command = "/usr/bin/java -Xint -XX:+DTraceMethodProbes -cp . Fib";
    says(&FIB.to_string(), traced("/usr/bin/javac", "Fib.java", text, command, script)?)
}

/// The share of sampled stacks that reach the program's first function.
fn stacks(interpreter: &str, file: &str, text: &str) -> Result<Outcome, String> {
    if cfg!(not(target_arch = "x86_64")) {
        return Ok(Outcome::Skipped("stacks are walked by frame tables on x86-64 only".to_owned()));
    }
    let script = "profile-499 /pid == $target && arg1/ { printf(\"sample\"); ustack(127); }";
    let ran = traced(interpreter, file, text, &format!("{interpreter} {file}"), script)?;
    let printed = match ran {
        Ok(printed) => printed,
        Err(skipped) => return Ok(skipped),
    };
    let samples: Vec<&str> = printed.split("sample").skip(1).collect();
    let whole = samples.iter().filter(|sample| sample.contains("`_start+")).count();
    match samples.len() {
        0..10 => Err(format!("only {} samples: {printed}", samples.len())),
        all if whole * 100 >= all * 95 => Ok(Outcome::Passed),
        all => {
            let short = samples.iter().find(|sample| !sample.contains("`_start+"));
            Err(format!("{whole} of {all} stacks are whole; not {}", short.copied().unwrap_or_default()))
        }
    }
}
