"""A program's system calls, USDT and pid probes: exact totals."""

import os
import re
import subprocess
import tempfile

from .common import Lines, attach, interrupt


def numbers(run):
    """`name value` lines."""
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\S+) (-?\d+)$", run.out, re.M)}


def same(runs):
    """Byte for byte, but for the ticks."""
    a, b = (re.sub(r"^(tick)?\n", "", runs[name].out, flags=re.M) for name in ("ebpf", "dtrace"))
    if a == b and len(a) > 1000:
        return "equal", f"the same {len(a)} bytes in {a.count(chr(10))} lines"
    apart = [(x, y) for x, y in zip(a.splitlines(), b.splitlines()) if x != y][:2]
    return "DIFFERS", f"{len(a)} and {len(b)} bytes: {apart} {runs['dtrace'].message()!r}"


def verdict(runs, bound, exact=None):
    a, b = numbers(runs["ebpf"]), numbers(runs["dtrace"])
    if not a or not b:
        return "DIFFERS", f"ebpf {runs['ebpf'].message()!r} dtrace {runs['dtrace'].message()!r}"
    pairs = [(a.get(name, 0), b.get(name, 0)) for name in sorted(set(a) | set(b))]
    worst = max(abs(x - y) / max(abs(x), abs(y), 1) for x, y in pairs)
    text = f"ebpf {a} dtrace {b}, worst {100 * worst:.2f} %, bound {100 * bound:g} %"
    if exact is not None and any(a.get(k) != v or b.get(k) != v for k, v in exact.items()):
        return "DIFFERS", text + f", expected {exact}"
    return ("equal" if worst <= bound else "DIFFERS"), text


WORKER = r'''
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sys/sdt.h>
__attribute__((noinline)) int step(int i) { __asm__ volatile(""); return i % 7; }
int main(int argc, char **argv)
{
	char c;
	puts("ready"); fflush(stdout);
	if (read(0, &c, 1) != 1) return 1;
	for (int i = 0; i < atoi(argv[1]); i++) {
		syscall(SYS_getppid);
		DTRACE_PROBE2(parity, hit, i, i % 10);
		step(i);
	}
	puts("done"); fflush(stdout);
	return read(0, &c, 1) < 0;
}
'''

SCRIPTS = {
    "syscalls": ("syscall::getppid:entry/pid == $target/{ @n[\"entry\"] = count(); }"
                 "syscall::getppid:return/pid == $target/{ @n[\"return\"] = count(); @s = sum(arg1 > 0); }"
                 "END { printa(\"%s %@d\\n\", @n); printa(\"positive %@d\\n\", @s); }",
                 lambda n: {"entry": n, "return": n, "positive": n}),
    "usdt": ("parity$target:::hit { @c = count(); @s = sum(arg0); @q[arg1] = count(); @x = max(arg0); @a = avg(arg1); }"
             "END { printa(\"count %@d\\n\", @c); printa(\"sum %@d\\n\", @s); printa(\"key%d %@d\\n\", @q);"
             " printa(\"max %@d\\n\", @x); printa(\"avg %@d\\n\", @a); }",
             lambda n: {"count": n, "sum": n * (n - 1) // 2, "max": n - 1, "avg": 4,
                        **{f"key{k}": n // 10 for k in range(10)}}),
    "pid": ("pid$target:a.out:step:entry { @c = count(); } pid$target:a.out:step:return { @r = sum(arg1); }"
            "END { printa(\"calls %@d\\n\", @c); printa(\"sum %@d\\n\", @r); }",
            lambda n: {"calls": n, "sum": sum(i % 7 for i in range(n))}),
    # Every function, with keys of strings, numbers and stacks, normalised and not, as it is printed.
    "functions": ("parity$target:::hit { @a[\"k\", arg1] = count(); @b[arg1] = sum(arg0); @c[arg1 & 1] = min(arg0 + 1);"
                  " @d[arg1 & 1] = max(arg0); @e[arg1 & 1] = avg(arg0); @f[arg1 & 1] = stddev(arg0);"
                  " @g[arg1 & 1] = quantize(arg0); @h[\"k\"] = lquantize(arg0, 0, 20000, 2500);"
                  " @i = llquantize(arg0, 10, 0, 4, 10); @j[ustack(1)] = count(); @k[execname, pid == $target] = sum(3); }"
                  "END { printa(@a); printa(@b); printa(\"%d %@d\\n\", @c); printa(@d); printa(@e); printa(@f); printa(@g);"
                  " printa(@h); printa(@i); printa(@j); printa(@k); normalize(@b, 1000); printa(@b); denormalize(@b);"
                  " trunc(@b, 3); printa(@b); clear(@d); printa(@d); }",
                  None),
}


def live():
    count = 20000
    with tempfile.TemporaryDirectory(prefix="parity.") as cwd:
        os.chmod(cwd, 0o755)
        open(os.path.join(cwd, "worker.c"), "w", encoding="utf-8").write(WORKER)
        program = os.path.join(cwd, "worker")
        subprocess.run(["gcc", "-O1", "-o", program, program + ".c"], check=True)
        for name, (text, expected) in SCRIPTS.items():
            target = subprocess.Popen([program, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            try:
                out = Lines(target.stdout)
                out.wait("ready")
                # Ticks come when everything is enabled.
                args = ["-q", "-p", str(target.pid), "-n", 'tick-500ms { printf("tick\\n"); }' + text]
                running = attach(args, cwd, "^tick$", 2)
                target.stdin.write(b"g")
                target.stdin.flush()
                out.wait("done")
                for tracer in running:
                    tracer.out.wait("^tick$", tracer.out.text().count("tick") + 2)
                runs = interrupt(running)
            finally:
                target.kill()
                target.wait()
            yield "live " + name, *(verdict(runs, 0.0, expected(count)) if expected else same(runs))


