"""What replays and recordings cost.

    replay.py DUOTRACE SITES RECORDING ROUNDS WORK      by ci/bench --replay

SITES is the program of bench/sites.c, RECORDING that of backend-replay/examples/recording.rs, WORK a folder. Replays of
BENCH_EVENTS million events (10) that count them by `execname`: events for each second of user time, of the fastest
round (what else runs on the machine only ever adds) and of the median one. Then, as root, scripts on HITS hits of a USDT
probe, unrecorded and recorded in turn: nanoseconds of the traced thread, of BPF programs and of the tracer, for each
hit; medians, and of the differences within rounds. Exit status 1 where replays miss the goal.
"""
import glob, os, re, statistics, subprocess, sys, threading

duotrace, sites, maker, rounds, work = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
EVENTS = int(float(os.environ.get("BENCH_EVENTS", "10")) * 1e6)
HITS = 500000
GOAL = 5.0
SCRIPTS = {
    "count": "{ @ = count(); }",
    "count by a string": "{ @[copyinstr(arg1)] = count(); }",
    "count by execname": "{ @[execname] = count(); }",
    "printf": '{ printf("%d %d\\n", pid, arg0); }',
}


def replay(file):
    """User seconds and peak megabytes of a replay."""
    script = "syscall::read:entry { @[execname] = count(); } END { @all = count(); }"
    line = [duotrace, "--replay", file, "-qn", script]
    tool = subprocess.Popen(line, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    text = tool.stdout.read()
    _, status, used = os.wait4(tool.pid, 0)
    counted = sum(int(line.split()[1]) for line in text.splitlines() if len(line.split()) == 2)
    if status or counted != EVENTS:
        sys.exit("bench/replay.py: a replay counted %d of %d events" % (counted, EVENTS))
    return used.ru_utime, used.ru_maxrss / 1024


def replays():
    file = work + "/bench.dtr"
    subprocess.run([maker, file, str(EVENTS)], check=True)
    took = [replay(file) for _ in range(rounds)]
    size, peak = os.path.getsize(file), max(peak for _, peak in took)
    os.unlink(file)
    best, usual = (EVENTS / 1e6 / pick(user for user, _ in took) for pick in (min, statistics.median))
    print("replay, count by execname: %.1f million events/s of user time (median %.1f), %.1f MB of memory, file of %.0f MB"
          % (best, usual, peak, size / 1e6))
    print("goal   %.0f million events/s: %s" % (GOAL, "met" if best >= GOAL else "MISSED"))
    return best >= GOAL


def run(script, record):
    """ns a hit of the thread, of BPF programs, of the tracer; bytes a hit; hits that were lost."""
    file = work + "/hits.dtr"
    line = [duotrace, *(["--record", file] if record else []), "-qn", "sites$target:::nop5" + script, "-c", "%s nop5 %d 8" % (sites, HITS)]
    tool = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    text, ran = ["", ""], {}
    def drain(n, pipe):
        text[n] = pipe.read()
    readers = [threading.Thread(target=drain, args=pair) for pair in enumerate((tool.stdout, tool.stderr))]
    for reader in readers:
        reader.start()
    while readers[0].is_alive():
        for path in glob.glob("/proc/%d/fdinfo/*" % tool.pid):
            try:
                info = dict(re.findall(r"^(prog_id|run_time_ns|run_cnt):\s+(\d+)$", open(path).read(), re.M))
            except OSError:
                continue
            if len(info) == 3 and int(info["run_cnt"]) >= HITS // 2:
                ran[info["prog_id"]] = int(info["run_time_ns"])
        readers[0].join(0.05)
    for reader in readers:
        reader.join()
    _, status, used = os.wait4(tool.pid, 0)
    ns = re.search(r"ns ([\d.]+)$", text[0], re.M)
    if status or not ns:
        sys.exit("bench/replay.py: %s: %s" % (line, text[1]))
    thread = float(ns[1])
    # The program is the tracer's child: its time is taken off.
    tracer = 1e9 * (used.ru_utime + used.ru_stime) / HITS - thread
    size = os.path.getsize(file) / HITS if record else 0
    lost = sum(int(n) for n in re.findall(r"(\d+) (?:lost|drops)", text[1]))
    return thread, sum(ran.values()) / HITS, tracer, size, lost


def recordings():
    switch = "/proc/sys/kernel/bpf_stats_enabled"
    before = open(switch).read()
    open(switch, "w").write("1")
    took = {}
    try:
        for _ in range(rounds):
            for name, script in SCRIPTS.items():
                for record in (False, True):
                    took.setdefault(name, ([], []))[record].append(run(script, record))
    finally:
        open(switch, "w").write(before)
    print("ns a hit: unrecorded + what recording adds" + "thread".rjust(19) + "BPF".rjust(14) + "tracer".rjust(14)
          + "bytes".rjust(8) + "lost".rjust(8))
    for name, (plain, recorded) in took.items():
        cells = []
        for column in range(3):
            usual = statistics.median(row[column] for row in plain)
            more = statistics.median(with_[column] - without[column] for without, with_ in zip(plain, recorded))
            cells.append("%14s" % ("%.0f + %.0f" % (usual, more)))
        print("%-47s%s%8.1f%8d" % (name, "".join(cells), statistics.median(row[3] for row in recorded), max(row[4] for row in recorded)))


good = replays()
if os.geteuid() == 0:
    recordings()
sys.exit(0 if good else 1)
