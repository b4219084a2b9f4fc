//! The database scripts of OSCON 2008 on a real PostgreSQL: the totals they print are, to the unit, what the client says
//! it sent.
//!
//! The server is a private one (ci/services), the load is pgbench's with a known number of transactions of 7 statements.
//! Two statements more are its own: before the load, one connection asks for the scale and for the partitions, by the
//! simple protocol. Nothing else sends statements: autovacuum is off, and its workers would send none.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use duotrace_tests::case::Outcome;
use duotrace_tests::process::{Running, run, start};
use duotrace_tests::programs::fact;
use duotrace_tests::{Scratch, duotrace, no_bpf, root};

use super::Test;

/// The tests of this file.
pub const TESTS: &[(&str, Test)] = &[
    ("qps.d, simple protocol", || with_server(|server| qps(server, "simple"))),
    ("qps.d, prepared protocol", || with_server(|server| qps(server, "prepared"))),
    ("query_speed.d, simple protocol", || with_server(|server| query_speed(server, "simple"))),
    ("query_speed.d, prepared protocol", || with_server(|server| query_speed(server, "prepared"))),
    ("query_speed2.d, simple protocol", || with_server(|server| query_speed2(server, "simple"))),
    ("query_speed2.d, prepared protocol", || with_server(|server| query_speed2(server, "prepared"))),
    ("pgslower.d", || with_server(pgslower)),
    ("pglocks.d", || with_server(pglocks)),
    ("backends that are forked later", || with_server(later_backends)),
];

const LIMIT: Duration = Duration::from_secs(60);

/// The server, once it is started. Its tests run one at a time, for each counts all that the server does.
static SERVER: Mutex<Option<Server>> = Mutex::new(None);

struct Server {
    state: PathBuf,
    /// The postmaster.
    pid: i64,
}

/// Runs a command of ci/services.
fn services(state: &PathBuf, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(root().join("ci/services"));
    command.args(arguments).env("DUOTRACE_SERVICES", state);
    run(&mut command, Duration::from_secs(300))?.ok()
}

fn with_server(test: fn(&Server) -> Result<(), String>) -> Result<Outcome, String> {
    if let Some(why) = no_bpf() {
        return Ok(Outcome::Skipped(why));
    }
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if server.is_none() {
        let state = std::env::temp_dir().join(format!("duotrace-e2e-pg.{}", std::process::id()));
        // Where the package cannot be had, there is nothing to test; a server that does not start is a failure.
        if let Err(why) = services(&state, &["install"]) {
            let why = why.trim_end().lines().last().unwrap_or_default().to_owned();
            return Ok(Outcome::Skipped(format!("no PostgreSQL: {why}")));
        }
        services(&state, &["start"])?;
        let pid = services(&state, &["env"])?.replace('=', " ");
        *server = Some(Server { pid: fact(&pid, "PG_PID")?, state });
    }
    server.as_ref().map_or(Ok(()), test).map(|()| Outcome::Passed)
}

/// Stops the server, where one was started.
pub fn stop() {
    if let Some(server) = SERVER.lock().unwrap_or_else(PoisonError::into_inner).take()
        && let Err(why) = services(&server.state, &["stop"])
    {
        eprintln!("duotrace-tests: {why}");
    }
}

impl Server {
    /// Does another PostgreSQL run on this machine? Its statements would be counted as well.
    fn is_alone(&self) -> bool {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut postmasters = processes.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse::<i64>().ok()?;
            let program = std::fs::read_link(entry.path().join("exe")).ok()?;
            (program.ends_with("postgres") && pid != self.pid).then_some(pid)
        });
        let mine = |pid: i64| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).to_owned();
            after_name.split(' ').nth(1).is_none_or(|parent| parent == self.pid.to_string())
        };
        postmasters.all(mine)
    }

    /// Starts the tracer with a script of scripts/oscon2008, and waits until it is armed. Where another server runs,
    /// the script's probes are confined to this one.
    fn trace(&self, scratch: &Scratch, name: &str, arguments: &[&str]) -> Result<Running, String> {
        let path = root().join("scripts/oscon2008").join(name);
        let mut script = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if !self.is_alone() {
            let mine = format!("progenyof({})", self.pid);
            let mut confined = String::new();
            let mut in_clause = false;
            for line in script.lines() {
                match (in_clause, line.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'))) {
                    (true, Some(predicate)) => confined.push_str(&format!("/{mine} && ({predicate})/\n")),
                    (true, None) if line.starts_with('{') => confined.push_str(&format!("/{mine}/\n{{\n")),
                    _ => confined.push_str(&format!("{line}\n")),
                }
                in_clause = line.starts_with("postgresql*:::");
            }
            script = confined;
        }
        // A line that says when all is attached, whatever the script prints.
        script.push_str("\ndtrace:::BEGIN { printf(\"armed\\n\"); }\n");
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or(name);
        let path = scratch.write(file, script)?;
        let mut command = Command::new(duotrace()?);
        command.args(["-xswitchrate=50ms", "-s"]).arg(path).args(arguments);
        let tracer = start(&mut command)?;
        tracer.wait_for("armed", LIMIT)?;
        Ok(tracer)
    }

    /// Two clients with 300 transactions each: the numbers of transactions and of statements that were sent.
    fn load(&self, protocol: &str) -> Result<(i64, i64), String> {
        let told = services(&self.state, &["workload", "300x", "2", protocol])?;
        Ok((fact(&told, "transactions")?, fact(&told, "statements")?))
    }
}

/// Ends the tracer as a user does: what it printed. Nothing may have been lost.
fn interrupt(tracer: Running) -> Result<String, String> {
    let ran = tracer.stop(libc::SIGINT, LIMIT)?;
    match ran.stderr.lines().find(|line| line.contains("drop") || line.contains("error")) {
        Some(line) => Err(line.to_owned()),
        None => ran.ok(),
    }
}

fn same(what: &str, got: i64, expected: i64, output: &str) -> Result<(), String> {
    match got == expected {
        true => Ok(()),
        false => Err(format!("{what}: {got} instead of {expected}\n{output}")),
    }
}

fn qps(server: &Server, protocol: &str) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let tracer = server.trace(&scratch, "qps.d", &[])?;
    let (transactions, statements) = server.load(protocol)?;
    let out = interrupt(tracer)?;
    let totals =
        out.lines().find_map(|line| line.strip_prefix("TOTAL")).ok_or_else(|| format!("no total: {out}"))?;
    let totals: Vec<i64> = totals.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [queries, executions, commits, aborts] = totals[..] else { return Err(out) };
    // By the prepared protocol, pgbench's own two are the only simple queries; its PREPAREs are Parse messages.
    let simple = if protocol == "simple" { statements } else { statements - 7 * transactions };
    same("queries", queries, simple, &out)?;
    same("executions", executions, statements, &out)?;
    same("aborts", aborts, 0, &out)?;
    // One of each transaction, one of each of the two own statements, and one of each of the three backends, which
    // looks up its database and user when it starts. A client that prepares has one more: it prepares the first BEGIN
    // outside of a transaction, and all others inside.
    let prepares = if protocol == "simple" { 0 } else { 2 };
    same("commits", commits, transactions + 2 + 3 + prepares, &out)
}

/// The sum of the counts of all histograms in an output.
fn counted(out: &str) -> i64 {
    let rows = out.lines().filter_map(|line| line.split_once('|'));
    rows.filter_map(|(_, bar)| bar.split_whitespace().last()?.parse::<i64>().ok()).sum()
}

fn query_speed(server: &Server, protocol: &str) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let tracer = server.trace(&scratch, "query_speed.d", &[])?;
    let (_, statements) = server.load(protocol)?;
    let out = interrupt(tracer)?;
    same("statements", counted(&out), statements, &out)?;
    for text in ["BEGIN", "UPDATE pgbench_accounts", "SELECT abalance", "INSERT INTO pgbench_history", "END"]
    {
        if !out.lines().any(|line| line.trim().starts_with(text)) {
            return Err(format!("no histogram of {text}\n{out}"));
        }
    }
    Ok(())
}

fn query_speed2(server: &Server, protocol: &str) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let tracer = server.trace(&scratch, "query_speed2.d", &[])?;
    let (_, statements) = server.load(protocol)?;
    let out = interrupt(tracer)?;
    // The rows have a count and three times, all numbers, and then the text.
    let mut sum = 0;
    for line in out.lines() {
        let numbers: Vec<i64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        if numbers.len() >= 4 {
            sum += numbers.first().copied().unwrap_or(0);
        }
    }
    same("statements", sum, statements, &out)
}

/// Every statement takes 0 milliseconds or more: a row for each.
fn pgslower(server: &Server) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let tracer = server.trace(&scratch, "../db/pgslower.d", &["0"])?;
    let (_, statements) = server.load("simple")?;
    let out = interrupt(tracer)?;
    let is_row = |line: &&str| line.split_whitespace().next().is_some_and(|pid| pid.parse::<u32>().is_ok());
    same("statements", out.lines().filter(is_row).count() as i64, statements, &out)
}

/// One session locks a table, another wants to read it: one wait.
fn pglocks(server: &Server) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let tracer = server.trace(&scratch, "../db/pglocks.d", &[])?;
    let environment = services(&server.state, &["env"])?;
    let sessions = format!(
        "{environment}\nsql() {{ \"$PG_BIN/psql\" -qAt -h \"$PG_SOCKET\" -p \"$PG_PORT\" -U \"$PG_USER\" \"$@\" bench; }}\n\
         waits() {{ for n in $(seq 500); do [ \"$(sql -c \"select count(*) from pg_locks where relation = \
         'pgbench_branches'::regclass and granted = '$1'\")\" = 1 ] && return; sleep 0.02; done; exit 1; }}\n\
         mkfifo '{fifo}'\n sql <'{fifo}' & exec 3>'{fifo}'\n\
         echo 'begin; lock table pgbench_branches in access exclusive mode;' >&3\n waits t\n\
         sql -c 'select count(*) from pgbench_branches' & waits f\n echo 'commit;' >&3\n exec 3>&-\n wait",
        fifo = scratch.path().join("fifo").display()
    );
    run(Command::new("bash").args(["-ec", &sessions]), LIMIT)?.ok()?;
    let out = interrupt(tracer)?;
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    // A relation, in mode AccessShare.
    match rows.iter().any(|row| matches!(row[..], ["0", "1", "1", _])) {
        true => Ok(()),
        false => Err(format!("not one wait:\n{out}")),
    }
}

/// `postgresql*:::query-start`, without -p: backends are processes that do not exist yet when the script starts.
fn later_backends(server: &Server) -> Result<(), String> {
    let script = "BEGIN { printf(\"armed\\n\"); } \
        postgresql*:::query-start /strstr(copyinstr(arg0), \"later_backends\") != NULL/ { @[pid] = count(); \
        wrong += probeprov == strjoin(\"postgresql\", lltostr(pid)) ? 0 : 1; } \
        END { printa(\"backend %d %@d\\n\", @); printf(\"wrong %d\\n\", wrong); }";
    let mut command = Command::new(duotrace()?);
    let script = format!("int wrong; {script}");
    let tracer = start(command.args(["-q", "-xswitchrate=50ms", "-n", &script]))?;
    tracer.wait_for("armed", LIMIT)?;
    let environment = services(&server.state, &["env"])?;
    let statement = "select 'later_backends'";
    let psql = format!(
        "{environment}\nfor n in 1 2 3 4 5; do \"$PG_BIN/psql\" -qAt -h \"$PG_SOCKET\" -p \"$PG_PORT\" -U \"$PG_USER\" \
         -c \"{statement}\" -c \"{statement}\" -c \"{statement}\" bench; done"
    );
    run(Command::new("bash").args(["-ec", &psql]), LIMIT)?.ok()?;
    let out = interrupt(tracer)?;
    let backends: Vec<&str> = out.lines().filter(|line| line.starts_with("backend ")).collect();
    match backends.len() == 5 && backends.iter().all(|line| line.ends_with(" 3")) && out.contains("wrong 0") {
        true => Ok(()),
        false => Err(format!("not five backends with three queries each:\n{out}")),
    }
}
