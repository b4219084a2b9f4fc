"""What the first output and the end cost, beside dtrace(1): the two take turns, each as often the first, and the medians
count: what else runs on the machine makes either slower, at times by half. Of waits the least counts."""

import glob
import os
import signal
import statistics
import time

from .common import start


def tree(pid):
    """A process and all below it."""
    found = [pid]
    for task in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            found += [p for child in open(task).read().split() for p in tree(int(child))]
        except OSError:
            pass
    return found


def processor_time(pid):
    """Seconds that a process and those below it have had, to the nanosecond; ended threads by the kernel's ticks."""
    total = 0.0
    for process in tree(pid):
        for task in glob.glob(f"/proc/{process}/task/*/schedstat"):
            try:
                total += int(open(task).read().split()[0]) / 1e9
            except OSError:
                pass
        try:
            fields = open(f"/proc/{process}/stat").read().rsplit(")", 1)[1].split()
            total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            pass
    return total


COSTS = {
    "BEGIN": 'BEGIN { printf("x\\n"); }',
    "syscall": 'BEGIN { printf("x\\n"); } syscall::read:entry { @[execname] = count(); }',
    "profile": 'BEGIN { printf("x\\n"); } profile-97 /pid == $pid/ { @[ustack()] = count(); }',
}


def cost(rounds=int(os.environ.get("PARITY_ROUNDS", "15"))):
    """`PARITY_ROUNDS` turns. First output: processor time beside dtrace(1)'s. The end: from the last output to the end of the process."""
    names = ("dtrace(1)", "dtrace")
    for name, text in COSTS.items():
        spent = {tracer: [] for tracer in names}
        for turn in range(rounds):
            for tracer in names if turn % 2 else reversed(names):
                process = start(tracer, ["-q", "-n", text], "/")
                process.stdout.readline()
                spent[tracer].append(processor_time(process.pid))
                process.send_signal(signal.SIGINT)
                process.communicate()
        own, ours = (statistics.median(spent[tracer]) for tracer in names)
        text = f"CPU to the first output: dtrace(1) {own:.3f} s, duotrace {ours:.3f} s, ratio {ours / own:.2f}, bound 1.1"
        yield "cost " + name, "equal" if ours <= 1.1 * own else "DIFFERS", text
    waits = {tracer: [] for tracer in names}
    for _ in range(5):
        for tracer in names:
            process = start(tracer, ["-q", "-n", 'BEGIN { exit(0); } END { printf("x\\n"); }'], "/")
            process.stdout.readline()
            at = time.monotonic()
            process.wait()
            waits[tracer].append(time.monotonic() - at)
            process.communicate()
    # By the clock on the wall, to which a wait for a processor only adds.
    own, ours = (min(waits[tracer]) for tracer in names)
    text = f"last output to the end: dtrace(1) {own:.3f} s, duotrace {ours:.3f} s, bound 0.050 s"
    yield "cost end", "equal" if ours <= 0.05 else "DIFFERS", text


