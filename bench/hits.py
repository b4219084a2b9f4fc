"""What a firing costs: the traced thread's processor time a hit, and what the tracer's BPF programs ran a firing.

    hits.py DUOTRACE SITES ROUNDS OUT.json [CHROOT]

BENCH_ROWS is a regular expression: only the rows that it finds. SITES is the program of bench/sites.c. All tools are interleaved, one after the other in each of ROUNDS rounds; the table
shows medians. With CHROOT (ci/peers dir; the mounts have to be there) the peers are measured too. OUT.json has every
single value.
"""
import glob, json, os, re, signal, statistics, subprocess, sys, threading, time

duotrace, sites, rounds, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
chroot = sys.argv[5] if len(sys.argv) > 5 else None
HITS = 100000

def probes(kind):
    """The probe in the words of D, and of bpftrace."""
    if kind.startswith("nop"):
        return "sites$target:::" + kind, "usdt:%s:sites:%s" % (sites, kind)
    return "pid$target::at_%s:entry" % kind, "uprobe:%s:at_%s" % (sites, kind)

# name -> kinds, length of the string, D, bpftrace
ROWS = {
    "empty": (("nop5", "nop1"), 8, "{ }", "{ }"),
    "count": (("nop5", "nop1", "push", "endbr"), 8, "{ @ = count(); }", "{ @ = count(); }"),
    "quantize": (("nop5",), 8, "{ @ = quantize(arg0); }", "{ @ = hist(arg0); }"),
    "string key 8": (("nop5",), 8, "{ @[copyinstr(arg1)] = count(); }", "{ @[str(arg1)] = count(); }"),
    "string key 40": (("nop5",), 40, "{ @[copyinstr(arg1)] = count(); }", "{ @[str(arg1)] = count(); }"),
    "string key 220": (("nop5",), 220, "{ @[copyinstr(arg1)] = count(); }", "{ @[str(arg1)] = count(); }"),
    "tuple key": (("nop5",), 8, "{ @[pid, execname, arg0 & 7] = count(); }", "{ @[pid, comm, arg0 & 7] = count(); }"),
    "ustack key": (("nop5",), 8, "{ @[ustack(20)] = count(); }", "{ @[ustack(20)] = count(); }"),
    "printf record": (("nop5",), 8, '{ printf("%d %d %d\\n", pid, tid, arg0); }', '{ printf("%d %d %d\\n", pid, tid, arg0); }'),
}

def run(line):
    """(ns a hit, BPF ns a firing or None, the tool's ms of processor time, its peak MB), or the reason it failed."""
    tool = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    ran, peak, cpu, stop = {}, 0.0, 0.0, time.monotonic() + 60
    text = []
    reader = threading.Thread(target=lambda: text.append(tool.stdout.read()))
    reader.start()
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
    ns = re.search(r"^ns ([\d.]+)", text[0], re.M)
    if tool.returncode or not ns:
        return "exit %s" % tool.returncode
    busy = [r for r in ran.values() if r[1] >= HITS // 2]
    return float(ns[1]), max((t / n for t, n in busy), default=None), cpu, peak

# The end by a signal has to restore the switch below as well.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
wanted = os.environ.get("BENCH_ROWS", "")
results = {}
switch = "/proc/sys/kernel/bpf_stats_enabled"
before = open(switch).read()
open(switch, "w").write("1")
try:
    for turn in range(rounds):
        for row, (kinds, length, d, bt) in ROWS.items():
            for kind in kinds:
                if not re.search(wanted, "%s, %s" % (row, kind)):
                    continue
                probe, where = probes(kind)
                command = "%s %s %d %d" % (sites, kind, HITS, length)
                lines = {"duotrace": [duotrace, "-qn", probe + d, "-c", command]}
                if chroot:
                    lines["bpftrace"] = ["chroot", chroot, "bpftrace", "-e", where + bt, "-c", command]
                    lines["dtrace"] = ["chroot", chroot, "dtrace", "-xsyslibdir=/dlib", "-qn", probe + d, "-c", command]
                for tool, line in lines.items():
                    results.setdefault("%s, %s" % (row, kind), {}).setdefault(tool, []).append(run(line))
finally:
    open(switch, "w").write(before)

print("%-22s %-9s %9s %9s %9s %7s %s" % ("row", "tool", "ns/hit", "BPF ns", "CPU ms", "MB", "of the best peer"))
for row, tools in results.items():
    best = [statistics.median(v[0] for v in values if not isinstance(v, str)) for tool, values in tools.items()
            if tool != "duotrace" and any(not isinstance(v, str) for v in values)]
    for tool, values in tools.items():
        good = [v for v in values if not isinstance(v, str)]
        if not good:
            print("%-22s %-9s FAILED: %s" % (row, tool, values[-1]))
            continue
        ns, cpu, peak = (statistics.median(v[i] for v in good) for i in (0, 2, 3))
        bpf = [v[1] for v in good if v[1] is not None]
        ratio = "%.2f" % (ns / min(best)) if best and tool == "duotrace" else ""
        print("%-22s %-9s %9.0f %9s %9.0f %7.1f %s" % (
            row, tool, ns, "%.0f" % statistics.median(bpf) if bpf else "-", cpu, peak, ratio))
json.dump(results, open(out, "w"), indent=1)
