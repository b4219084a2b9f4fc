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
HITS = 100000

def probes(kind):
    """The probe in the words of D, and of bpftrace."""
    if kind == "getppid":
        return "syscall::getppid:entry/pid == $target/", "tracepoint:syscalls:sys_enter_getppid /pid == cpid/"
    if kind == "spin":
        return "profile-997", "profile:hz:997"
    if kind in ("deep", "key") or kind.startswith("nop"):
        return "sites$target:::" + kind, "usdt:%s:sites:%s" % (sites, kind)
    return "pid$target::at_%s:entry" % kind, "uprobe:%s:at_%s" % (sites, kind)

# name -> kinds, length of the string, D, bpftrace, the program of bench/floor.rs, and the hits where they are others
# than HITS. A pair is a call and its return. Of many keys one is printed: printing is no part of it.
SAME = object()
MANY = ("{ @[arg0] = count(); } END { trunc(@, 1); }", "{ @[arg0] = count(); } END { print(@, 1); clear(@); }", None)
ROWS = {
    "empty": (("nop5", "nop1"), 8, " /arg0 < 0/ { @ = count(); }", SAME, "empty"),
    "count": (("nop5", "nop1", "push", "endbr"), 8, "{ @ = count(); }", SAME, "count"),
    "quantize": (("nop5",), 8, "{ @ = quantize(arg0); }", "{ @ = hist(arg0); }", "quantize"),
    "string key 8": (("nop5",), 8, "{ @[copyinstr(arg1)] = count(); }", "{ @[str(arg1)] = count(); }", "string"),
    "string key 40": (("nop5",), 40, "{ @[copyinstr(arg1)] = count(); }", "{ @[str(arg1)] = count(); }", "string"),
    "string key 220": (("nop5",), 220, "{ @[copyinstr(arg1)] = count(); }", "{ @[str(arg1)] = count(); }", "string"),
    "tuple key": (("nop5",), 8, "{ @[pid, execname, arg0 & 7] = count(); }", "{ @[pid, comm, arg0 & 7] = count(); }", "tuple"),
    "latency": (("push", "leaf"), 8, None, None, "latency"),
    "ustack key": (("nop5", "deep"), 8, "{ @[ustack(20)] = count(); }", SAME, "ustack"),
    "printf record": (("nop5",), 8, '{ printf("%d %d %d\\n", pid, tid, arg0); }', SAME, "record"),
    "million records": (("nop5",), 8, '{ printf("%d %d %d\\n", pid, tid, arg0); }', SAME, "record", 1000000),
    "100 k keys": (("key",), 100000, *MANY, 200000),
    "1 M keys": (("key",), 1000000, *MANY, 2000000),
    "syscall count": (("getppid",), 8, "{ @ = count(); }", SAME, None),
    "profile-997": (("spin",), 8, "{ @[execname] = count(); }", "{ @[comm] = count(); }", None, 1000000),
}

def scripts(row, kind):
    """The row's script in D, and in bpftrace's language."""
    probe, where = probes(kind)
    d, bt = ROWS[row][2:4]
    if row == "latency":
        back = where.replace("uprobe:", "uretprobe:")
        return (probe + " { self->t = timestamp; } " + probe.replace(":entry", ":return")
                + " /self->t/ { @ = quantize(timestamp - self->t); self->t = 0; }",
                where + " { @t[tid] = nsecs; } " + back + " /@t[tid]/ { @ = hist(nsecs - @t[tid]); delete(@t, tid); }")
    return probe + d, where + (d if bt is SAME else bt)

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
        for row, (kinds, length, _, _, least, *other) in ROWS.items():
            hits = other[0] if other else HITS
            for kind in kinds:
                name = "%s, %s" % (row, kind)
                if not re.search(wanted, name):
                    continue
                command = "%s %s %d %d" % (sites, kind, hits, length)
                d, bt = scripts(row, kind)
                place = kind if probes(kind)[0].startswith("sites") else "at_" + kind
                size = ["-xaggsize=40m"] if hits == 2000000 else []
                lines = {"duotrace": [duotrace, *size, "-qn", d, "-c", command]}
                if least:
                    lines = {"floor": [floor, least, place] + command.split(), **lines}
                if chroot:
                    lines["bpftrace"] = ["chroot", chroot, "bpftrace", "-e", bt, "-c", command]
                    lines["dtrace"] = ["chroot", chroot, "dtrace", "-xsyslibdir=/dlib", *size, "-qn", d, "-c", command]
                for tool, line in lines.items():
                    results.setdefault(name, {}).setdefault(tool, []).append(run(line, hits))
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
