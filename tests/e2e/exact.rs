//! Nothing is lost and nothing is made up: a program fires a USDT probe and calls a function two million times from four
//! threads, tells what any tracer must have seen, and every aggregating function has to give exactly that.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use duotrace_tests::process::{Ran, run};
use duotrace_tests::programs::{fact, facts, program};
use duotrace_tests::{Scratch, duotrace};

use super::{Test, traced};

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("every function, USDT", || traced(usdt_functions)),
    ("every function, pid", || traced(pid_functions)),
    ("keys of several parts", || traced(keys)),
    ("while snapshots are taken", || traced(snapshots)),
    ("printed and cleared every 20 ms", || traced(intervals)),
    ("printed and truncated every 20 ms", || traced(truncated)),
    ("every record arrives", || traced(records)),
    ("records that do not fit are counted", || traced(record_drops)),
    ("keys that do not fit are counted", || traced(aggregation_drops)),
    ("variables that do not fit are counted", || traced(variable_drops)),
];

/// Two million hits of a place that the kernel single-steps take 40 s of processor time.
const LIMIT: Duration = Duration::from_secs(240);

/// How often each thread of the program fires: on a slow machine a part of it, one in `$DUOTRACE_EXACT_PART`.
fn times(n: u32) -> u32 {
    let part = std::env::var("DUOTRACE_EXACT_PART").ok().and_then(|part| part.parse().ok());
    n / part.unwrap_or(1u32).clamp(1, 100)
}

/// Runs a script on `hits THREADS N`: the tracer's own output, what the program told, and all of standard error.
fn trace(options: &[&str], script: &str, threads: u32, n: u32) -> Result<(String, String, Ran), String> {
    let scratch = Scratch::new()?;
    let out = scratch.path().join("out");
    let mut command = Command::new(duotrace()?);
    command.arg("-q").args(options).arg("-o").arg(&out);
    command.args(["-c", &format!("{} {threads} {n}", program("hits")?), "-n", script]);
    let ran = run(&mut command, LIMIT)?;
    if !ran.status.success() {
        return Err(format!("{}\n{}", ran.status, ran.stderr));
    }
    let traced = std::fs::read_to_string(&out).map_err(|e| e.to_string())?;
    Ok((traced, ran.stdout.clone(), ran))
}

/// The numbers of a line, its words apart.
fn numbers(line: &str) -> Vec<i64> {
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Result<(), String> {
    match got == expected {
        true => Ok(()),
        false => Err(format!("{what}: {got:?} instead of {expected:?}")),
    }
}

/// No line of standard error tells of a loss or a fault.
fn silent(ran: &Ran) -> Result<(), String> {
    match ran.stderr.lines().find(|line| line.contains("drop") || line.contains("error")) {
        Some(line) => Err(line.to_owned()),
        None => Ok(()),
    }
}

/// The rows of a histogram: the value of each (its first column) and its count. Empty rows are left out.
fn rows(table: &str) -> Vec<(String, i64)> {
    let row = |line: &str| {
        let (value, rest) = line.split_once('|')?;
        let count = rest.split_whitespace().last()?.parse().ok()?;
        Some((value.split_whitespace().collect::<Vec<_>>().join(" "), count))
    };
    table.lines().filter_map(row).filter(|&(_, count)| count != 0).collect()
}

/// The integer square root, rounded down.
fn root(n: i128) -> i128 {
    let mut root = (n as f64).sqrt() as i128;
    while root * root > n {
        root -= 1;
    }
    while (root + 1) * (root + 1) <= n {
        root += 1;
    }
    root
}

/// The value of the program's event `i` of thread `t`, as hits.c computes it.
fn value(t: i64, i: i64) -> i64 {
    (i * 7919 + t * 104729) % 100_000 - 45_000
}

/// The lower end of a value's bucket of llquantize(v, 10, 2, 5, 20); 0 for all that lies below the lowest power.
fn llquantize_bucket(v: i64) -> i64 {
    // 20 steps for each power of ten, of which the first two belong to the power before.
    match (2..=5).rev().map(|p| 10i64.pow(p)).find(|&power| v >= power) {
        Some(power) => v / (power / 2) * (power / 2),
        None => 0,
    }
}

/// All functions of one value. `sum`, `sumsq`, ...: what the program told.
fn functions(probe: &str, of: &str) -> Result<(), String> {
    let script = format!(
        "{probe} {{ @n = count(); @s = sum({of}); @l = min({of}); @h = max({of}); @a = avg({of}); @d = stddev({of}); \
         @q = quantize({of}); @lq = lquantize({of}, -40000, 40000, 10000); @llq = llquantize({of}, 10, 2, 5, 20); }} \
         END {{ printa(\"simple %@d %@d %@d %@d %@d %@d\\n\", @n, @s, @l, @h, @a, @d); \
         printf(\"Q\\n\"); printa(@q); printf(\"Q\\n\"); printa(@lq); printf(\"Q\\n\"); printa(@llq); }}"
    );
    let (out, told, ran) = trace(&["-xaggsize=8m"], &script, 4, times(500_000))?;
    silent(&ran)?;
    let (count, sum) = (fact(&told, "count")?, fact(&told, "sum")?);
    let (n, mean) = (i128::from(count), i128::from(sum) / i128::from(count));
    let stddev = root(i128::from(fact(&told, "sumsq")?) / n - mean * mean);
    let stddev = i64::try_from(stddev).map_err(|e| e.to_string())?;
    let expected = vec![count, sum, fact(&told, "min")?, fact(&told, "max")?, fact(&told, "avg")?, stddev];
    let simple = facts(&out, "simple").next().map(numbers);
    same("count, sum, min, max, avg, stddev", simple, Some(expected))?;

    let tables: Vec<&str> = out.split("Q\n").collect();
    let [_, quantize, lquantize, llquantize] = tables[..] else {
        return Err(format!("three tables in {out}"));
    };
    let told_rows = |key: &str| {
        let row = |line: &str| {
            let (bucket, count) = line.split_once(' ')?;
            let bucket = match bucket {
                "LOW" => "< -40000",
                "HIGH" => ">= 40000",
                other => other,
            };
            Some((bucket.to_owned(), count.parse::<i64>().ok()?))
        };
        facts(&told, key).filter_map(row).filter(|&(_, count)| count != 0).collect::<Vec<_>>()
    };
    same("quantize", rows(quantize), told_rows("quantize"))?;
    same("lquantize", rows(lquantize), told_rows("lquantize"))?;

    let mut buckets = BTreeMap::new();
    for t in 0..4 {
        for i in 0..i64::from(times(500_000)) {
            *buckets.entry(llquantize_bucket(value(t, i))).or_insert(0i64) += 1;
        }
    }
    let mut got = BTreeMap::new();
    for (bucket, count) in rows(llquantize) {
        let low: i64 = bucket.rsplit(' ').next().and_then(|b| b.parse().ok()).unwrap_or(i64::MIN);
        *got.entry(if bucket.starts_with('<') { 0 } else { low }).or_insert(0i64) += count;
    }
    same("llquantize", got, buckets)
}

fn usdt_functions() -> Result<(), String> {
    functions("hits$target:::tick", "(int64_t)arg1")
}

fn pid_functions() -> Result<(), String> {
    functions("pid$target::work:entry", "(int64_t)arg1")
}

fn keys() -> Result<(), String> {
    let script = "hits$target:::tick { @s[copyinstr(arg2), probename, arg0] = sum(arg1); @c[copyinstr(arg2), probename, arg0] = count(); \
        @many[arg1] = count(); } \
        pid$target::work:return { @r[probefunc] = sum(arg1); } \
        END { printa(\"thread %s %s %d %@d %@d\\n\", @c, @s); printa(\"returns %s %@d\\n\", @r); printa(\"many %d %@d\\n\", @many); }";
    let (out, told, ran) = trace(&["-xaggsize=8m"], script, 4, times(250_000))?;
    silent(&ran)?;
    let mut got: Vec<Vec<i64>> = facts(&out, "thread").map(numbers).collect();
    got.sort();
    let expected: Vec<Vec<i64>> = facts(&told, "thread").map(numbers).collect();
    same("threads", got, expected)?;
    same("names", facts(&out, "thread").all(|line| line.contains("thread-") && line.contains("tick")), true)?;
    let returns = facts(&out, "returns").next().map(numbers);
    same("returns", returns, Some(vec![fact(&told, "returns")?]))?;

    let mut expected = BTreeMap::new();
    for t in 0..4 {
        for i in 0..i64::from(times(250_000)) {
            *expected.entry(value(t, i)).or_insert(0i64) += 1;
        }
    }
    let mut got = BTreeMap::new();
    for line in facts(&out, "many").map(numbers) {
        if let [key, count] = line[..] {
            got.insert(key, count);
        }
    }
    same("number of keys", got.len(), expected.len())?;
    same("100000 integer keys", got == expected, true)
}

fn snapshots() -> Result<(), String> {
    let script = "hits$target:::tick { @c = count(); @k[copyinstr(arg2)] = sum(arg1); @a = avg(arg1); @l = min(arg1); } \
        END { printa(\"all %@d %@d %@d\\n\", @c, @a, @l); printa(\"key %s %@d\\n\", @k); }";
    let (out, told, ran) = trace(&["-xaggrate=10ms", "-xswitchrate=10ms"], script, 4, times(500_000))?;
    silent(&ran)?;
    let expected = vec![fact(&told, "count")?, fact(&told, "avg")?, fact(&told, "min")?];
    same("count, avg, min", facts(&out, "all").next().map(numbers), Some(expected))?;
    let sum: i64 = facts(&out, "key").map(|line| numbers(line).last().copied().unwrap_or(0)).sum();
    same("sum of the keys", sum, fact(&told, "sum")?)
}

/// What is printed and then emptied by `how` every 20 ms adds up to what happened.
fn in_intervals(how: &str) -> Result<(), String> {
    let empty = ["@c", "@s", "@k"].map(|name| format!("{how}({name});")).concat();
    let script = format!(
        "hits$target:::tick {{ @c = count(); @s = sum(arg1); @k[copyinstr(arg2)] = count(); }} \
         tick-20ms {{ printa(\"n %@d %@d\\n\", @c, @s); printa(\"k %s %@d\\n\", @k); {empty} }} \
         END {{ printa(\"n %@d %@d\\n\", @c, @s); printa(\"k %s %@d\\n\", @k); }}"
    );
    let (out, told, ran) = trace(&["-xaggrate=10ms", "-xswitchrate=10ms"], &script, 4, times(500_000))?;
    silent(&ran)?;
    let intervals: Vec<Vec<i64>> = facts(&out, "n").map(numbers).collect();
    if intervals.len() < 10 {
        return Err(format!("only {} intervals were printed", intervals.len()));
    }
    let total = |column: usize| -> i64 { intervals.iter().filter_map(|row| row.get(column)).sum() };
    same("sum of the counts", total(0), fact(&told, "count")?)?;
    same("sum of the sums", total(1), fact(&told, "sum")?)?;
    let keys: i64 = facts(&out, "k").map(|line| numbers(line).last().copied().unwrap_or(0)).sum();
    same("sum of the keys", keys, fact(&told, "count")?)
}

fn intervals() -> Result<(), String> {
    in_intervals("clear")
}

fn truncated() -> Result<(), String> {
    in_intervals("trunc")
}

fn records() -> Result<(), String> {
    let script = "hits$target:::tick { printf(\"%d %d %s\\n\", arg0, (int64_t)arg1, copyinstr(arg2)); }";
    let (out, told, ran) = trace(&["-b", "64m", "-xstrsize=16", "-xswitchrate=10ms"], script, 4, 25_000)?;
    silent(&ran)?;
    let (mut lines, mut sum) = (0, 0);
    for line in out.lines().filter(|line| !line.is_empty()) {
        lines += 1;
        sum += numbers(line).get(1).copied().unwrap_or(0);
    }
    same("records", lines, fact(&told, "count")?)?;
    same("their sum", sum, fact(&told, "sum")?)
}

/// The sum of the numbers before the word "drop" in standard error.
fn drops(ran: &Ran, word: &str) -> Result<i64, String> {
    let lines = ran.stderr.lines().filter(|line| line.contains("drop") && line.contains(word));
    Ok(lines.filter_map(|line| line.split_whitespace().find_map(|word| word.parse::<i64>().ok())).sum())
}

/// Drops were reported, and they and what was delivered make up what was fired.
fn balanced(delivered: i64, dropped: i64, fired: i64, ran: &Ran) -> Result<(), String> {
    if dropped == 0 {
        return Err(format!("nothing was dropped: {delivered} of {fired} delivered\n{}", ran.stderr));
    }
    same("delivered + dropped", delivered + dropped, fired).map_err(|e| {
        format!("{e}: {delivered} + {dropped}\n{}", ran.stderr.chars().take(600).collect::<String>())
    })
}

fn record_drops() -> Result<(), String> {
    let script = "hits$target:::tick { printf(\"%d %s\\n\", arg1, copyinstr(arg2)); }";
    let (out, told, ran) =
        trace(&["-b", "16k", "-xbufresize=manual", "-xswitchrate=500ms"], script, 4, 25_000)?;
    let delivered = i64::try_from(out.lines().filter(|line| line.contains("thread-")).count()).unwrap_or(0);
    balanced(delivered, drops(&ran, "")?, fact(&told, "count")?, &ran)
}

fn aggregation_drops() -> Result<(), String> {
    let script = "hits$target:::tick { @[arg1] = count(); } END { printa(\"%d %@d\\n\", @); }";
    let (out, told, ran) = trace(&["-xaggsize=16k", "-xaggrate=10s"], script, 4, 25_000)?;
    let delivered = out.lines().map(|line| numbers(line).last().copied().unwrap_or(0)).sum();
    balanced(delivered, drops(&ran, "aggregation")?, fact(&told, "count")?, &ran)
}

fn variable_drops() -> Result<(), String> {
    // Each event sets an element of its own; the ones that are there afterwards were stored, all others were not.
    let script = "int kept[int64_t]; \
        pid$target::work:entry { kept[arg1] = 1; @n = sum(kept[arg1] == 1 ? 1 : 0); } \
        END { printa(\"%@d\\n\", @n); }";
    let (out, told, ran) = trace(&["-xdynvarsize=4096"], script, 1, 10_000)?;
    let delivered = numbers(&out).first().copied().unwrap_or(0);
    balanced(delivered, drops(&ran, "dynamic")?, fact(&told, "count")?, &ran)
}
