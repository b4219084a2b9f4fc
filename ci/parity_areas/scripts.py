"""Every script of scripts/, on both backends at once: over a program that does a known number of things, over a session of
PostgreSQL. What the library refuses is shown by dtrace(1) itself."""

import collections
import fnmatch
import os
import re
import subprocess
import tempfile

from . import postgres
from .common import HERE, TIMEOUT, alone, attach, both, finish, interrupt, start

FOLDER = os.path.join(HERE, "scripts")


def scripts(only):
    found = sorted(os.path.join(base, file) for base, _, files in os.walk(FOLDER) for file in files if file.endswith(".d"))
    names = [name for name in (os.path.relpath(path, FOLDER) for path in found) if fnmatch.fnmatch(name, only)]
    with postgres.server() as env:
        for name in names:
            path = os.path.join(FOLDER, name)
            if name in POSTGRES or "\npostgresql*:" in open(path, encoding="utf-8").read():
                if env is None:
                    yield "script " + name, "skipped", "no PostgreSQL"
                elif name in POSTGRES:
                    yield "script " + name, *POSTGRES[name](env)
                else:
                    yield "script " + name, *refused(*postgres.refusal(env, path))
            elif name in DEEDS:
                yield "script " + name, *deeds(name, path)
            else:
                yield "script " + name, *compiled(path)


POSTGRES = {
    "db/pglocks.d": postgres.locks,
    "db/pgslower.d": postgres.slower,
    "oscon2008/qps.d": postgres.qps,
    "oscon2008/query_speed.d": postgres.query_speed,
}


# What tests/programs/deeds.c does, the script's arguments ({}: the program's name), and what of its output is compared:
# lines with single blanks, of which the groups count. With a bound, the sums of the last group are compared: for what
# depends on the moment. Scripts for $target trace a program of their own.
HISTOGRAM = r"^-?\d+ \|[@ ]* (\d+)$"
DEEDS = {
    "io/biolatency.d": ("disk {dir}/data", [], HISTOGRAM, 0.5),
    "io/biosnoop.d": ("disk {dir}/data", [], r"^\d+ {} \S+ W \d+ (\d+) ", 0.0),
    "io/filetop.d": ("file {dir}/data", ["{}"], r"^(700 10000) {} \S+/data$", None),
    "io/opensnoop.d": ("fail", ["{}"], r" {} -1 2 (/nonexistent/deeds)$", None),
    "lock/mutexwait.d": ("mutex", [], r"^(1234) {}`(take)\+", None),
    "mem/mallocsizes.d": ("malloc", [], r"^(2097152) \|@* (1234)$", None),
    "mem/pagefaults.d": ("faults", [], r"^{} (\d+)$", 0.05),
    "net/tcpconn.d": ("tcp", [], r" {} (connect|accept) (\S+ \S+)$", None),
    "net/tcplife.d": ("tcp", [], r"^(127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+) ", None),
    "net/tcptop.d": ("tcp", [], r"^(127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ \d+ \d+)$", None),
    "proc/execsnoop.d": ("commands", ["{}"], r" {} (true deed-\d+)$", None),
    "proc/killsnoop.d": ("signal", [], r"^(\d+) {} (10) (\d+) {}$", None),
    "proc/lifetime.d": ("commands", [], r"^(\d+ true) \d+ (\d+)$", None),
    "sched/cpudist.d": ("sleep", ["{}"], HISTOGRAM, 0.1),
    "sched/offcpu.d": ("sleep", ["{}"], r"^(\d+) us$", 0.2),
    "sched/profile.d": ("spin", ["{}"], r"^(\d+)$", 0.3),
    "sched/runqlat.d": ("sleep", ["{}"], HISTOGRAM, 0.1),
    "syscall/errinfo.d": ("fail", ["{}"], r"^{} (open\w* 2 .*\b\d+)$", None),
    "syscall/procsystime.d": ("calls", ["{}"], r"^(getppid \d+) ", None),
    "syscall/syscount.d": ("calls", ["{}"], r"^{} (getppid \d+)$", None),
}
OWN = ("lock/mutexwait.d", "mem/mallocsizes.d")


def deeds(name, path):
    """Both watch the same program, or each its own."""
    deed, args, pattern, bound = DEEDS[name]
    with tempfile.TemporaryDirectory(prefix="parity.") as cwd:
        os.chmod(cwd, 0o755)
        called = "deeds" + cwd[-8:].replace("_", "x")
        program = os.path.join(cwd, called)
        source = os.path.join(HERE, "tests/programs/deeds.c")
        subprocess.run(["cc", "-O1", "-g", "-fno-omit-frame-pointer", "-o", program, source, "-lpthread"], check=True)
        words = [program, *deed.replace("{dir}", cwd).split()]
        fill = lambda text: text.replace("{}", called)
        pattern = fill(pattern)
        if name in OWN:
            args = ["-s", path, "-c", " ".join(words)]
            runs = both(args, cwd)
        else:
            args = ["-x", "argref", "-n", "tick-500ms { printf(\"tick\\n\"); }", "-s", path, *map(fill, args)]
            runs = watched(attach(args, cwd, "^tick$", 2), words)
        a, b = (found(runs[backend], pattern) for backend in ("ebpf", "dtrace"))
        if not b and runs["dtrace"].status != 0:
            # Refused: as soon as it is compiled.
            own = finish(start("dtrace(1)", ["-e", *args], cwd))
            return refused(runs["dtrace"], own)
        result, note = agree(a, b, bound)
        if result == "DIFFERS":
            # What does dtrace(1) make of the same?
            if name in OWN:
                own = alone("dtrace(1)", args, cwd)
            else:
                own = watched(attach(args, cwd, "^tick$", 2, ["dtrace(1)"]), words)["dtrace(1)"]
            c = found(own, pattern)
            # Nothing is an answer too, of a tracer that has run.
            if agree(b, c, bound)[0] == "equal" or (own.status == 0 and not b and not c):
                return "library", f"dtrace(1) says the same; {note}"
        return result, note


def watched(running, words):
    """Does the deed under the eyes of the tracers; what they printed."""
    subprocess.run(words, stdout=subprocess.DEVNULL, timeout=TIMEOUT)
    for tracer in running:
        tracer.out.wait("^tick$", tracer.out.text().count("tick\n") + 2)
    return interrupt(running)


def found(run, pattern):
    """What the groups of a pattern match, and how often."""
    lines = (" ".join(line.split()) for line in run.out.splitlines())
    return collections.Counter(match.groups() for match in map(re.compile(pattern).search, lines) if match)


def agree(a, b, bound):
    """Do two outputs say the same?"""
    if bound is None:
        if a and a == b:
            rows = ", ".join(f"{count} x {' '.join(groups)}" for groups, count in sorted(a.items())[:3])
            return "equal", f"{sum(a.values())} rows: {rows}"
        return "DIFFERS", f"ebpf {dict(a)} dtrace {dict(b)}"
    total = [sum(int(groups[-1]) * count for groups, count in found.items()) for found in (a, b)]
    apart = abs(total[0] - total[1]) / max(*total, 1)
    note = f"ebpf {total[0]} dtrace {total[1]}, apart {100 * apart:.1f} %, bound {100 * bound:g} %"
    return ("equal" if min(total) > 0 and apart <= bound else "DIFFERS"), note


def refused(run, own):
    """Does dtrace(1) refuse what our backend refuses?"""
    if run.status == 0:
        return "equal", "compiles"
    if own.status != 0:
        return "library", "refuses: " + own.message()
    return "DIFFERS", run.message()


def compiled(path):
    runs = both(["-x", "defaultargs", "-e", "-s", path], HERE)
    if runs["ebpf"].status == 0 and runs["dtrace"].status == 0:
        return "equal", "both compile"
    own = finish(start("dtrace(1)", ["-x", "defaultargs", "-e", "-s", path], HERE))
    result, note = refused(runs["dtrace"], own)
    ours = "" if runs["ebpf"].status == 0 else f"; ebpf: {runs['ebpf'].message()}"
    return result, note + ours
