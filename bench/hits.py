"""What a firing costs: the traced thread's processor time a hit, and what the tracer's BPF programs ran a firing.

    hits.py DUOTRACE SITES FLOOR ROUNDS OUT.json [CHROOT]

BENCH_ROWS is a regular expression: only the rows that it finds. SITES is the program of bench/sites.c, FLOOR that of
bench/floor.rs: hand-written BPF, what a row costs at least. All are interleaved, one after the other in each of ROUNDS
rounds; the table shows medians, for ratios those of the rounds' ratios. With CHROOT (ci/peers dir; the mounts have to be there) the peers are measured too. OUT.json has every
single value.
"""
import glob, json, os, re, signal, statistics, subprocess, sys, threading, time

duotrace, sites, floor, rounds, out = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
chroot = sys.argv[6] if len(sys.argv) > 6 else None

def probes(kind):
    """The probe in the words of D, and of bpftrace."""
    if kind == "getppid":
        return "syscall::getppid:entry/pid == $target/", "tracepoint:syscalls:sys_enter_getppid /pid == cpid/"
    if kind == "spin":
        return "profile-997", "profile:hz:997"
    if kind in ("deep", "key") or kind.startswith("nop"):
        return "sites$target:::" + kind, "usdt:%s:sites:%s" % (sites, kind)
    return "pid$target::at_%s:entry" % kind, "uprobe:%s:at_%s" % (sites, kind)

class Row:
    """One row of the table: the kinds of site, the scripts in D and in bpftrace's language without their probes, the
    program of bench/floor.rs that does the same, the length of the string (of keys: how many there are), the hits."""
    def __init__(self, kinds, d, bt=None, floor=None, length=8, hits=100000, options=()):
        self.kinds, self.d, self.bt, self.floor = kinds, d, bt or d, floor
        self.length, self.hits, self.options = length, hits, list(options)

    def scripts(self, kind):
        """The whole scripts for a kind of site."""
        probe, where = probes(kind)
        return probe + self.d, where + self.bt

class Latency(Row):
    """A call and its return: two probes, one hit."""
    def scripts(self, kind):
        probe, where = probes(kind)
        back = where.replace("uprobe:", "uretprobe:")
        return (probe + " { self->t = timestamp; } " + probe.replace(":entry", ":return")
                + " /self->t/ { @ = quantize(timestamp - self->t); self->t = 0; }",
                where + " { @t[tid] = nsecs; } " + back + " /@t[tid]/ { @ = hist(nsecs - @t[tid]); delete(@t, tid); }")

def strings(length):
    return Row(("nop5",), "{ @[copyinstr(arg1)] = count(); }", "{ @[str(arg1)] = count(); }", "string", length)

def keys(number, *options):
    """Each key twice. Of all of them one is printed: printing is no part of it."""
    return Row(("key",), "{ @[arg0] = count(); } END { trunc(@, 1); }", "{ @[arg0] = count(); } END { print(@, 1); clear(@); }",
               None, number, 2 * number, options)

RECORD = '{ printf("%d %d %d\\n", pid, tid, arg0); }'
ROWS = {
    "empty": Row(("nop5", "nop1"), " /arg0 < 0/ { @ = count(); }", None, "empty"),
    "count": Row(("nop5", "nop1", "push", "endbr"), "{ @ = count(); }", None, "count"),
    "quantize": Row(("nop5",), "{ @ = quantize(arg0); }", "{ @ = hist(arg0); }", "quantize"),
    "string key 8": strings(8),
    "string key 40": strings(40),
    "string key 220": strings(220),
    "tuple key": Row(("nop5",), "{ @[pid, execname, arg0 & 7] = count(); }", "{ @[pid, comm, arg0 & 7] = count(); }", "tuple"),
    "latency": Latency(("push", "leaf"), None, None, "latency"),
    "ustack key": Row(("nop5", "deep"), "{ @[ustack(20)] = count(); }", None, "ustack"),
    "printf record": Row(("nop5",), RECORD, None, "record"),
    "million records": Row(("nop5",), RECORD, None, "record", hits=1000000),
    "100 k keys": keys(100000),
    "1 M keys": keys(1000000, "-xaggsize=40m"),
    "syscall count": Row(("getppid",), "{ @ = count(); }"),
    "profile-997": Row(("spin",), "{ @[execname] = count(); }", "{ @[comm] = count(); }", hits=1000000),
}

def run(line, hits):
    """(ns a hit, BPF ns a hit or None, the tool's ms of processor time, its peak MB), or the reason it failed."""
    tool = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    ran, peak, cpu, stop = {}, 0.0, 0.0, time.monotonic() + 60
    text, said = [], []
    reader = threading.Thread(target=lambda: text.append(tool.stdout.read()))
    reader.start()
    threading.Thread(target=lambda: said.append(tool.stderr.read()), daemon=True).start()
    while reader.is_alive() and time.monotonic() < stop:
        try:
            status = open("/proc/%d/status" % tool.pid).read()
            peak = max(peak, int((re.search(r"VmHWM:\s+(\d+)", status) or [0, 0])[1]) / 1024)
            fields = open("/proc/%d/stat" % tool.pid).read().rsplit(")", 1)[1].split()
            cpu = (int(fields[11]) + int(fields[12])) * 10.0
            for path in glob.glob("/proc/%d/fdinfo/*" % tool.pid):
                info = dict(re.findall(r"^(prog_id|run_time_ns|run_cnt):\s+(\d+)$", open(path).read(), re.M))
                if len(info) == 3:
                    ran[info["prog_id"]] = (int(info["run_time_ns"]), int(info["run_cnt"]))
        except OSError:
            pass
        reader.join(0.05)
    if reader.is_alive():
        tool.kill()
        reader.join()
    tool.wait()
    ns = re.search(r"ns ([\d.]+)$", text[0], re.M)
    lost = re.search(r"[^\n]*\b(drop|lost|Lost)[^\n]*", "".join(said))
    if tool.returncode or not ns or lost:
        return lost[0] if lost else "exit %s: %s" % (tool.returncode, "".join(said)[-200:])
    # A timer runs more rarely: what one run takes.
    busy = [r for r in ran.values() if r[1] >= hits // 2] or [(t / n * hits, n) for t, n in ran.values() if n >= 100]
    return float(ns[1]), sum(t for t, _ in busy) / hits if busy else None, cpu, peak

# The end by a signal has to restore the switch below as well.
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, lambda *_: sys.exit(1))
wanted = os.environ.get("BENCH_ROWS", "")
results = {}
switch = "/proc/sys/kernel/bpf_stats_enabled"
before = open(switch).read()
open(switch, "w").write("1")
try:
    for turn in range(rounds):
        for name, row in ROWS.items():
            for kind in row.kinds:
                title = "%s, %s" % (name, kind)
                if not re.search(wanted, title):
                    continue
                command = "%s %s %d %d" % (sites, kind, row.hits, row.length)
                d, bt = row.scripts(kind)
                place = kind if probes(kind)[0].startswith("sites") else "at_" + kind
                lines = {"duotrace": [duotrace, *row.options, "-qn", d, "-c", command]}
                if row.floor:
                    lines = {"floor": [floor, row.floor, place] + command.split(), **lines}
                if chroot:
                    lines["bpftrace"] = ["chroot", chroot, "bpftrace", "-e", bt, "-c", command]
                    lines["dtrace"] = ["chroot", chroot, "dtrace", "-xsyslibdir=/dlib", *row.options, "-qn", d, "-c", command]
                for tool, line in lines.items():
                    results.setdefault(title, {}).setdefault(tool, []).append(run(line, row.hits))
finally:
    open(switch, "w").write(before)

def median(values, column):
    good = [v[column] for v in values if not isinstance(v, str) and v[column] is not None]
    return statistics.median(good) if good else None

def show(value, form="%.0f"):
    return "-" if value is None else form % value

TOOLS = ("floor", "duotrace", "bpftrace", "dtrace")
print("%-20s %31s   %31s   %13s   %s" % ("", "ns a hit of the thread", "ns a hit in BPF (37 of the clock)",
                                        "of floor/peer", "duotrace"))
print("%-20s" % "row" + ("%8s" * 4 + "  ") % TOOLS + ("%8s" * 4 + "  ") % TOOLS + "%7s%7s%9s%7s" % ("CPU", "CPU", "CPU ms", "MB"))
for row, tools in results.items():
    ns, bpf = ({tool: median(tools.get(tool, []), column) for tool in TOOLS} for column in (0, 1))
    # The ratio of what is left of noise: round by round, then the median.
    pairs = [[v for v in turn] for turn in zip(*(tools.get(t, ["-"] * rounds) for t in TOOLS))]
    def ratio(others):
        found = []
        for turn in pairs:
            mine, rest = turn[1], [turn[n] for n in others if not isinstance(turn[n], str)]
            if not isinstance(mine, str) and rest:
                found.append(mine[0] / min(r[0] for r in rest))
        return statistics.median(found) if found else None
    duo = tools.get("duotrace", [])
    print("%-20s" % row + ("%8s" * 4 + "  ") % tuple(show(ns[t]) for t in TOOLS)
          + ("%8s" * 4 + "  ") % tuple(show(bpf[t]) for t in TOOLS)
          + "%7s%7s%9s%7s" % (show(ratio([0]), "%.2f"), show(ratio([2, 3]), "%.2f"), show(median(duo, 2)), show(median(duo, 3))))
    for tool, values in tools.items():
        bad = [v for v in values if isinstance(v, str)]
        if bad:
            print("    %s failed %d of %d: %s" % (tool, len(bad), len(values), bad[-1]))
json.dump(results, open(out, "w"), indent=1)
