"""A long run at half a million firings a second: is every one counted, and does the tracer's memory stay what it was?

    soak.py DUOTRACE SITES SECONDS

The script keeps aggregations with 4096 and 256 keys, prints and clears one of them each second and writes a record a thousand
firings. Shown each minute and at the end: the firings counted, the tracer's memory (its own, and resident with what it
maps of files and of the kernel's tables) and its processor time. Exit status 0 where the sums are exact, nothing was
dropped, and its own memory at the last minute is within 1 MB of the first's.
"""
import re, subprocess, sys, threading, time

duotrace, sites, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3])
RATE = 500000
hits = RATE * seconds
SCRIPT = """
sites$target:::nop5 { @second[arg0 & 4095] = count(); @all = count(); @shape[arg0 & 255] = quantize(arg0); }
sites$target:::nop5 /arg0 % 1000 == 0/ { printf("record %d\\n", arg0); }
tick-1s { printa("second %d %@d\\n", @second); clear(@second); }
END { printa("second %d %@d\\n", @second); printa("all %@d\\n", @all); trunc(@shape); trunc(@second); }
"""
tool = subprocess.Popen([duotrace, "-qn", SCRIPT, "-c", "%s nop5 %d 8 %d" % (sites, hits, RATE)], stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
told = {"record": 0, "second": 0, "all": 0}
said = []

def read():
    for line in tool.stdout:
        words = line.split()
        if words and words[0].decode() in told:
            told[words[0].decode()] += 1 if words[0] == b"record" else int(words[-1])

def used():
    """(KB of its own, resident KB, seconds of processor time)"""
    status = open("/proc/%d/status" % tool.pid).read()
    own, resident = (int(re.search(name + r":\s+(\d+)", status)[1]) for name in ("RssAnon", "VmRSS"))
    fields = open("/proc/%d/stat" % tool.pid).read().rsplit(")", 1)[1].split()
    return own, resident, (int(fields[11]) + int(fields[12])) / 100

reader = threading.Thread(target=read)
reader.start()
threading.Thread(target=lambda: said.extend(tool.stderr), daemon=True).start()
start, memory = time.monotonic(), []
next_look = min(60, max(seconds // 4, 1))
while reader.is_alive():
    reader.join(1)
    passed = time.monotonic() - start
    if reader.is_alive() and passed >= next_look:
        next_look += min(60, max(seconds // 4, 1))
        own, resident, cpu = used()
        memory.append(own)
        print("%5d s  %12d counted  %6d KB of %6d  %7.2f s CPU" % (passed, told["second"], own, resident, cpu), flush=True)
status = tool.wait()
words = b"".join(said).decode(errors="replace").strip()
grown = memory[-1] - memory[0] if memory else 0
exact = told == {"record": hits // 1000, "second": hits, "all": hits}
print("%d firings in %d s: %s, %s; memory %+d KB; %s" % (hits, time.monotonic() - start, told,
      "exact" if exact else "NOT exact", grown, words or "nothing dropped"))
sys.exit(0 if exact and status == 0 and not words and grown <= 1024 else 1)
