"""What the areas of ci/parity share: the programs that are compared, how they are started, watched and ended."""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PEERS = os.path.join(HERE, "ci", "peers")
DUOTRACE = os.path.realpath(os.environ.get("DUOTRACE", os.path.join(HERE, "target/release/duotrace")))
LIBRARY = ["-x", "syslibdir=/dlib"]
# Oracle's library takes half a minute to compile a script where four others want the same processors.
TIMEOUT = 180
TIMED_OUT = "timed out"
# Already in the chroot: the library finds a process's files only where both see the same mounts.
INSIDE = "PARITY_INSIDE" in os.environ
ENTER = [] if INSIDE else [PEERS, "exec"]


class Run:
    """What one program printed."""

    def __init__(self, out, err, status):
        self.out, self.err, self.status = out, err, status

    def message(self):
        lines = [l for l in self.err.splitlines() if l.startswith("dtrace: ") and " matched " not in l]
        return lines[0][len("dtrace: "):] if lines else self.err.strip()[:160]


def command(backend):
    """The command of a backend, or of dtrace(1) itself."""
    if backend == "dtrace(1)":
        return [*ENTER, "dtrace", *LIBRARY]
    extra = LIBRARY if backend == "dtrace" else []
    return [*ENTER, DUOTRACE, "--backend", backend, *extra]


def start(backend, args, cwd):
    env = dict(os.environ, TZ="UTC", LC_ALL="C")
    env["DUOTRACE_PEERS_BIND"] = " ".join(p for p in [env.get("DUOTRACE_PEERS_BIND", ""), bind()] if p)
    return subprocess.Popen(command(backend) + args, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def bind():
    """Directories that processes outside of the chroot run from."""
    found = [os.path.dirname(DUOTRACE)]
    return " ".join(found + [d for d in ["/usr/lib/postgresql"] if os.path.isdir(d)])


def finish(process, timeout=TIMEOUT):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        err += f"\ndtrace: {TIMED_OUT}".encode()
    return Run(out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), process.returncode)


def alone(name, args, cwd, apart=False, timeout=TIMEOUT):
    """Runs one; `apart`: the tracer's output goes through a file, apart from that of its command."""
    out = os.path.join(cwd, "out." + name)
    run = finish(start(name, (["-o", out] if apart else []) + args, cwd), timeout)
    if apart:
        run.out = open(out, encoding="utf-8", errors="replace").read() if os.path.exists(out) else ""
    return run


def both(args, cwd, apart=False, timeout=TIMEOUT):
    """Both backends at the same time."""
    names = ("ebpf", "dtrace")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(lambda name: alone(name, args, cwd, apart, timeout), names)))


class Lines:
    """What comes out of a pipe, read by a thread of its own, so that waiting for a line has a deadline."""

    def __init__(self, pipe):
        self.lines, self.closed, self.more = [], False, threading.Condition()
        self.thread = threading.Thread(target=self.collect, args=(pipe,), daemon=True)
        self.thread.start()

    def collect(self, pipe):
        for line in pipe:
            with self.more:
                self.lines.append(line.decode("utf-8", "replace"))
                self.more.notify_all()
        with self.more:
            self.closed = True
            self.more.notify_all()

    def wait(self, pattern, count=1, timeout=TIMEOUT):
        """Waits until so many lines match: did they?"""
        found = lambda: sum(re.search(pattern, line) is not None for line in self.lines) >= count
        with self.more:
            self.more.wait_for(lambda: self.closed or found(), timeout)
            return found()

    def text(self):
        with self.more:
            return "".join(self.lines)


class Tracer:
    """A tracer that runs while something else happens."""

    def __init__(self, name, args, cwd):
        self.name, self.process = name, start(name, args, cwd)
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    def finish(self, timeout=TIMEOUT):
        """What it printed, when it has ended."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return Run(self.out.text(), self.err.text() + f"\ndtrace: {TIMED_OUT}", -signal.SIGKILL)
        for lines in (self.out, self.err):
            lines.thread.join(5)
        return Run(self.out.text(), self.err.text(), self.process.returncode)

    def interrupt(self):
        """^C."""
        try:
            os.killpg(self.process.pid, signal.SIGINT)
        except ProcessLookupError:
            pass


def attach(args, cwd, pattern="", count=1, names=("ebpf", "dtrace")):
    """Starts both backends; returns them when each has printed so many lines that match."""
    running = [Tracer(name, args, cwd) for name in names]
    armed(running, pattern, count)
    return running


def armed(running, pattern, count=1):
    """Waits until each has printed so many lines that match."""
    for tracer in running:
        if not tracer.out.wait(pattern, count) and not tracer.out.closed:
            print(f"ci/parity: {tracer.name} is not ready after {TIMEOUT} s: {' '.join(tracer.process.args)}", file=sys.stderr)


def interrupt(running):
    """^C for both at once; what they printed."""
    for tracer in running:
        tracer.interrupt()
    return {tracer.name: tracer.finish() for tracer in running}


def inside(area):
    """Runs an area within the chroot; its rows."""
    env = dict(os.environ, PARITY_INSIDE="1", DUOTRACE=DUOTRACE, DUOTRACE_PEERS_BIND=bind())
    inner = subprocess.run([PEERS, "exec", "python3", os.path.join(HERE, "ci/parity"), area, "--save", "/dev/stdout"],
                           env=env, capture_output=True, text=True)
    rows = [line.split("\t") for line in inner.stdout.splitlines() if line.count("\t") == 2]
    yield from rows or [(area, "DIFFERS", inner.stderr.strip()[-300:])]


