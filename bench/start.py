"""What a tracer costs before and after it traces.

    start.py DUOTRACE WORK RUNS [CHROOT]

WORK has the programs `late` (tests/programs/late.c), `many` (10,000 functions) and `used` (what a command used, on
descriptor 3). For each test and tool, medians of RUNS runs: processor time with all children, largest resident size, and
the time from the last output until the process is gone. With CHROOT (ci/peers dir; the mounts have to be there) the peers
are measured too. Exit status 1 where duotrace misses a goal.
"""
import os, select, statistics, subprocess, sys, time

duotrace, work, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
chroot = sys.argv[4] if len(sys.argv) > 4 else None
late, many, used = work + "/late", work + "/many", work + "/used"
tick = "late$target:::tick"
# test -> D, bpftrace's script, the traced command, what the output has to have.
TESTS = {
    "hello": ('BEGIN { printf("hello\\n"); exit(0); }', 'BEGIN { printf("hello\\n"); exit(); }', None, b"hello"),
    "usdt": (tick + " { @ = count(); }", "usdt:%s:late:tick { @ = count(); }" % late, late + " 100", b"100"),
    "functions": ("pid$target:many::entry { @ = count(); }", "uprobe:%s:f* { @ = count(); }" % many, many, b"100"),
    "clauses": (" ".join(tick + " { @a%d = count(); }" % n for n in range(200)),
                " ".join("usdt:%s:late:tick { @a%d = count(); }" % (late, n) for n in range(200)), late + " 100", b"100"),
}
# (test, tool) -> command line. `alone` is the traced program without a tracer.
lines = {}
for test, (d, bt, command, _) in TESTS.items():
    traced = ["-c", command] if command else []
    lines[test, "duotrace"] = [duotrace, "-x", "maxprobes=20000", "-qn", d] + traced
    if command:
        lines[test, "alone"] = command.split()
    # The others take minutes for ten thousand places, which dtrace enables one by one, and for 200 clauses.
    if chroot and test in ("hello", "usdt"):
        lines[test, "dtrace"] = ["chroot", chroot, "dtrace", "-xsyslibdir=/dlib", "-qn", d] + traced
        lines[test, "bpftrace"] = ["chroot", chroot, "bpftrace", "-e", bt] + traced

def run(line):
    """(ms of processor time, MB, ms from the last output to the end), the output, and what was said."""
    read, write = os.pipe()
    whole = ["timeout", "--kill-after=5", "60", "sh", "-c", 'exec "$0" "$@" 3>&%d' % write, used] + line
    tool = subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, pass_fds=[write])
    os.close(write)
    text, error, last, open_ends = b"", b"", time.monotonic(), [tool.stdout, tool.stderr]
    while open_ends:
        for end in select.select(open_ends, [], [])[0]:
            chunk = os.read(end.fileno(), 65536)
            if not chunk:
                open_ends.remove(end)
            elif end is tool.stdout:
                text, last = text + chunk, time.monotonic()
            else:
                error += chunk
    status = tool.wait()
    stop = (time.monotonic() - last) * 1000
    with os.fdopen(read) as told:
        us, kb = map(int, (told.read() or "0 0").split())
    return (us / 1000, kb / 1024, stop), text, error, status

took, failed = {key: [] for key in lines}, {}
for turn in range(runs + 1):
    for key, line in lines.items():
        values, text, error, status = run(line)
        if status != 0 or TESTS[key[0]][3] not in text:
            failed[key] = (text + error).decode(errors="replace").strip().splitlines()[-1:]
        # The first run fills the caches.
        if turn > 0:
            took[key].append(values)

bad = False
median = {key: [statistics.median(column) for column in zip(*values)] for key, values in took.items()}
for (test, tool), (cpu, rss, stop) in median.items():
    note = "  FAILED: %s" % failed[test, tool] if (test, tool) in failed else ""
    print("%-10s %-10s %8.1f ms CPU %8.1f MB %8.1f ms to stop%s" % (test, tool, cpu, rss, stop, note))
    bad |= (test, tool) in failed and tool == "duotrace"
own = lambda test: median[test, "duotrace"][0] - median.get((test, "alone"), [0])[0]
goals = [("hello, ms", own("hello"), 4), ("hello, MB", median["hello", "duotrace"][1], 8), ("usdt, ms", own("usdt"), 8),
         ("functions, ms", own("functions"), 250),
         ("stop, ms", max(values[2] for (_, tool), values in median.items() if tool == "duotrace"), 20)]
for what, got, goal in goals:
    bad |= got > goal
    print("goal   %-13s %8.1f of %d: %s" % (what, got, goal, "met" if got <= goal else "MISSED"))
sys.exit(1 if bad else 0)
