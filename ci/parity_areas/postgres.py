"""PostgreSQL: a fixed list of statements in one session, sent when both tracers have shown that they trace. Both must have
counted exactly these; times are compared as distributions, for each tracer also times the other's probes."""

import contextlib
import os
import re
import subprocess

from .common import HERE, Lines, Tracer, armed, finish, interrupt, start

SERVICES = os.path.join(HERE, "ci/services")
# A server of its own: other tests stop theirs.
os.environ.setdefault("DUOTRACE_SERVICES", f"/tmp/duotrace-parity.{os.getuid()}")

# Statements, how often; what each is: messages, answers, executions, commits, aborts.
STATEMENTS = [
    ("select abalance from pgbench_accounts where aid = 7;", 900, (1, 1, 1, 1, 0)),
    ("begin;", 300, (1, 1, 1, 0, 0)),
    ("update pgbench_branches set bbalance = bbalance + 1 where bid = 1;", 300, (1, 1, 1, 0, 0)),
    ("commit;", 300, (1, 1, 1, 1, 0)),
    ("begin;", 120, (1, 1, 1, 0, 0)),
    ("insert into pgbench_history (tid, bid) values (1, 1);", 120, (1, 1, 1, 0, 0)),
    ("rollback;", 120, (1, 1, 1, 0, 1)),
    # Fails while it is executed.
    ("select 1 / (aid - aid) from pgbench_accounts limit 1;", 60, (1, 0, 1, 0, 1)),
    # Fails before that.
    ("select nothing_of_this_name;", 30, (1, 0, 0, 0, 1)),
]


def sent():
    """The list as it is sent: transactions stay together."""
    groups = [STATEMENTS[0:1], STATEMENTS[1:4], STATEMENTS[4:7], STATEMENTS[7:8], STATEMENTS[8:9]]
    for group in groups:
        for _ in range(group[0][1]):
            yield from (text for text, _, _ in group)


MESSAGES, ANSWERS, EXECUTIONS, COMMITS, ABORTS = range(5)


def expected(column):
    return sum(count * counts[column] for _, count, counts in STATEMENTS)


@contextlib.contextmanager
def server():
    """A server, for as long; None where there is none."""
    have = subprocess.run([SERVICES, "start"], stdout=subprocess.DEVNULL).returncode == 0
    try:
        yield environment() if have else None
    finally:
        subprocess.run([SERVICES, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def environment():
    text = subprocess.run([SERVICES, "env"], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^(PG_\w+)='?([^'\n]*)'?$", text, re.M))


class Session:
    """One client, and the process that serves it."""

    def __init__(self, env):
        words = [os.path.join(env["PG_BIN"], "psql"), "-XqAt", "-h", env["PG_SOCKET"], "-p", env["PG_PORT"]]
        self.psql = subprocess.Popen([*words, "-U", env["PG_USER"], "bench"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.out, self.file, self.sends = Lines(self.psql.stdout), os.path.join(env["PG_DIR"], f"{self.psql.pid}.sql"), 0
        self.send(["select 'pid ' || pg_backend_pid();"])
        self.pid = re.search(r"^pid (\d+)$", self.out.text(), re.M)[1]

    def send(self, statements):
        """Sends statements and waits until the last was answered."""
        self.ask(statements)
        self.answered()

    def ask(self, statements):
        """Sends statements."""
        self.sends += 1
        with open(self.file, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in [*statements, f"\\echo end {self.sends}"])
        self.psql.stdin.write(f"\\i {self.file}\n".encode())
        self.psql.stdin.flush()

    def answered(self):
        """Waits until the last statement was answered."""
        if not self.out.wait(rf"^end {self.sends}$"):
            raise TimeoutError("PostgreSQL does not answer")

    def close(self):
        self.psql.kill()
        self.psql.wait()
        os.unlink(self.file)


def send_all(_env, session):
    session.send(sent())


def over_session(env, args, pattern, names=("ebpf", "dtrace"), work=send_all):
    """Both over one session: armed when each has printed two lines that match (of a tick), ended two lines after the work. A
    script's `postgresql*` is every server of the machine on eBPF: there too it is read as the process that is held."""
    session = Session(env)
    try:
        of = lambda name: [held(env, word) if name != "dtrace" and word.endswith(".d") else word for word in args]
        running = [Tracer(name, ["-p", session.pid, *of(name)], HERE) for name in names]
        armed(running, pattern, 2)
        work(env, session)
        for tracer in running:
            seen = len(re.findall(pattern, tracer.out.text(), re.M))
            tracer.out.wait(pattern, seen + 2)
        return interrupt(running)
    finally:
        session.close()


PROGRAMS = {
    "pg counts": ("postgresql$target:::query-start { @n[\"start\"] = count(); }"
                  "postgresql$target:::query-done { @n[\"done\"] = count(); }"
                  "postgresql$target:::transaction-commit { @n[\"commit\"] = count(); }"
                  "postgresql$target:::transaction-abort { @n[\"abort\"] = count(); }"
                  "END { printa(\"%s %@d\\n\", @n); }"),
    "pg times": ("postgresql$target:::query-start { self->t = timestamp; }"
                 "postgresql$target:::query-done /self->t/ { @q[\"query\"] = quantize(timestamp - self->t); self->t = 0; }"
                 "END { printa(\"%s%@d\\n\", @q); }"),
}


def pg():
    with server() as env:
        for name, text in PROGRAMS.items():
            if env is None:
                yield name, "skipped", "no PostgreSQL"
                continue
            runs = over_session(env, ["-q", "-n", "tick-500ms { printf(\"tick\\n\"); }" + text], "^tick$")
            yield name, *(counts(runs) if name == "pg counts" else times(runs, {"query": expected(ANSWERS)}))


def counts(runs):
    names = {"start": MESSAGES, "done": ANSWERS, "commit": COMMITS, "abort": ABORTS}
    wanted = {name: expected(column) for name, column in names.items()}
    found = [{m[1]: int(m[2]) for m in re.finditer(r"^(\w+) (\d+)$", runs[name].out, re.M)} for name in ("ebpf", "dtrace")]
    return exact(wanted, found, runs)


def exact(wanted, found, runs):
    """Both have counted what was done."""
    a, b = found
    if a == wanted and b == wanted:
        return "equal", f"exactly {wanted}"
    return "DIFFERS", f"done {wanted} ebpf {a} dtrace {b} {runs['dtrace'].message()!r}"


def histograms(run):
    """Histograms by the line before each: name, then count by value. Tables that come again are added up."""
    found, name = {}, None
    for line in run.out.splitlines():
        row = re.match(r" *(\d+) \|[@ ]* (\d+) *$", line)
        if row and name is not None:
            buckets = found.setdefault(name, {})
            buckets[int(row[1])] = buckets.get(int(row[1]), 0) + int(row[2])
        elif "- Distribution -" not in line and line.strip():
            name = line.strip()
    return {name: buckets for name, buckets in found.items() if sum(buckets.values()) > 0}


def times(runs, wanted):
    """Histograms: exactly so many values by name in both, and the same times but for what tracing itself costs."""
    a, b = histograms(runs["ebpf"]), histograms(runs["dtrace"])
    result, note = exact(wanted, [{name: sum(buckets.values()) for name, buckets in all.items()} for all in (a, b)], runs)
    if result != "equal":
        return result, note
    # The mean bucket, in powers of two.
    mean = lambda buckets: sum(n * value.bit_length() for value, n in buckets.items()) / sum(buckets.values())
    apart = max(abs(mean(a[name]) - mean(b[name])) for name in a)
    return ("equal" if apart <= 1 else "DIFFERS"), f"{note}, mean bucket within {apart:.2f} (bound 1)"


QPS = ["-s", "scripts/oscon2008/qps.d"], r"^\d{4} \w{3} +\d+ "


def rows_of(run):
    """What qps.d printed: its totals, and the sums of its rows."""
    rows = re.findall(r"^(TOTAL|\d{4} \w{3} +\d+ [\d:]{8}) +(\d+) +(\d+) +(\d+) +(\d+) *$", run.out, re.M)
    numbers = [(row[0], [int(n) for n in row[1:]]) for row in rows]
    sums = [sum(column) for column in zip(*(n for name, n in numbers if name != "TOTAL"))]
    return {"totals": [n for name, n in numbers if name == "TOTAL"], "rows": sums}


def qps(env):
    """Totals are what was sent, and so is the sum of the rows. Rows are printed and cleared: what fires between the library's
    reading and its clearing is in none, which dtrace(1) shows by itself."""
    runs = over_session(env, *QPS)
    a, b = (rows_of(runs[name]) for name in ("ebpf", "dtrace"))
    wanted = [expected(column) for column in (MESSAGES, EXECUTIONS, COMMITS, ABORTS)]
    wanted = {"totals": [wanted], "rows": wanted}
    result = exact(wanted, [a, b], runs)
    if result[0] == "equal" or a != wanted or b["totals"] != wanted["totals"]:
        return result
    for _ in range(5):
        own = rows_of(over_session(env, *QPS, names=("dtrace(1)",))["dtrace(1)"])
        if own["totals"] == wanted["totals"] and own["rows"] != wanted["rows"]:
            note = f"totals exact on both; rows {b['rows']}, of dtrace(1) alone {own['rows']}, on eBPF {a['rows']}"
            return "library", note
    return result


def query_speed(env):
    """Every statement that was answered, by its text up to the first digit, in a histogram of its time."""
    runs = over_session(env, ["-n", "tick-500ms { printf(\"tick\\n\"); }", "-s", "scripts/oscon2008/query_speed.d"], "^tick$")
    for run in runs.values():
        run.out = re.sub(r"^(tick|.* statements by time, us)\n", "", run.out, flags=re.M)
    wanted = {}
    for text, count, counts in STATEMENTS:
        if counts[ANSWERS]:
            key = re.split(r"[0-9'$-]", text)[0].strip()
            wanted[key] = wanted.get(key, 0) + count
    return times(runs, wanted)


def slower(env):
    """Every statement that was answered is a row, in its order: none is quicker than 0 ms."""
    tick = "tick-500ms { printf(\"tick\\n\"); }"
    runs = over_session(env, ["-x", "argref", "-n", tick, "-s", "scripts/db/pgslower.d", "0"], "^tick$")
    answered = {text for text, _, counts in STATEMENTS if counts[ANSWERS]}
    wanted = [text for text in sent() if text in answered]
    rows = [re.findall(r"^ *\d+ +\d+\.\d{3} (.*)$", runs[name].out, re.M) for name in ("ebpf", "dtrace")]
    if rows == [wanted, wanted]:
        return "equal", f"exactly the {len(wanted)} statements, in order"
    return "DIFFERS", f"{len(wanted)} statements, rows {[len(found) for found in rows]} {runs['dtrace'].message()!r}"


# Waits of the session for a table that another has locked: how it wants to lock it, the mode's number, how often.
WAITS = [("share", 5, 12), ("access exclusive", 8, 18)]
WAIT_MS = 50
# Until the other waits, and then some.
HOLD = (f"do $$ begin while not exists (select from pg_locks where not granted) loop perform pg_sleep(0.001); end loop; "
        f"perform pg_sleep({WAIT_MS / 1000}); end $$;")


def wait_for_locks(env, session):
    other = Session(env)
    try:
        for mode, _, count in WAITS:
            for _ in range(count):
                other.send(["begin;", "lock table pgbench_branches in access exclusive mode;"])
                session.ask(["begin;", f"lock table pgbench_branches in {mode} mode;", "commit;"])
                other.send([HOLD, "commit;"])
                session.answered()
    finally:
        other.close()


def locks(env):
    """Every wait, by the kind of the lock (0: relation) and its mode; the same times, which are no shorter than they were."""
    tick = "tick-500ms { printf(\"tick\\n\"); }"
    runs = over_session(env, ["-n", tick, "-s", "scripts/db/pglocks.d"], "^tick$", work=wait_for_locks)
    rows = [re.findall(r"^ *(\d+) +(\d+) +(\d+) +(\d+)$", runs[name].out, re.M) for name in ("ebpf", "dtrace")]
    wanted = {f"relation, mode {mode}": count for _, mode, count in WAITS}
    found = [{f"relation, mode {mode}": int(waits) for kind, mode, waits, _ in of if kind == "0"} for of in rows]
    result, note = exact(wanted, found, runs)
    if result != "equal" or any(len(of) != len(WAITS) for of in rows):
        return "DIFFERS", f"{note}; rows {rows}"
    a, b = (sum(int(row[3]) for row in of) for of in rows)
    least = WAIT_MS * sum(count for _, _, count in WAITS)
    apart = abs(a - b) / max(a, b)
    good = min(a, b) >= least and apart <= 0.05
    return "equal" if good else "DIFFERS", f"{note}; ms: ebpf {a} dtrace {b} of at least {least}, bound 5 %"


def refusal(env, path):
    """What the libdtrace backend says to a script over a session, and dtrace(1) to the same, read as our backend reads it."""
    session = Session(env)
    try:
        args = ["-x", "defaultargs", "-e", "-p", session.pid, "-s"]
        run = finish(start("dtrace", [*args, path], HERE))
        own = finish(start("dtrace(1)", [*args, held(env, path)], HERE))
        return run, own
    finally:
        session.close()


def held(env, path):
    """A copy of a script with the held process's probes by their own name."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^postgresql\*:", "postgresql$target:", file.read(), flags=re.M)
    copy = os.path.join(env["PG_DIR"], os.path.basename(path))
    with open(copy, "w", encoding="utf-8") as file:
        file.write(text)
    return copy
