"""The end-to-end cases, byte for byte."""

import fnmatch
import os
import re
import shlex
import subprocess
import tempfile

from .common import HERE, TIMED_OUT, alone, both


def read_case(path):
    keys, sections, name = {}, {}, None
    for line in open(path, encoding="utf-8"):
        if line.startswith("--- "):
            name = line[4:].strip()
            sections[name] = ""
        elif name is not None:
            sections[name] += line
        else:
            match = re.match(r"(\w+): ?(.*)", line)
            if match:
                keys[match[1]] = match[2].strip()
    return keys, sections


def cases(only):
    folder = os.path.join(HERE, "tests/cases")
    for base, _, files in sorted(os.walk(folder)):
        for file in sorted(files):
            path = os.path.join(base, file)
            name = os.path.relpath(path, folder)[:-2]
            if not file.endswith(".t") or not fnmatch.fnmatch(name, only):
                continue
            keys, sections = read_case(path)
            around = [k for k in ("before", "after", "stop") if k in keys]
            if around or keys.get("needs") == "nothing" or "script" not in sections:
                continue
            yield name, keys, sections


def normal(text):
    """What may differ from run to run: the processor's number in the first column, the probe's number."""
    text = re.sub(r"^ {0,2}\d+ +\d+ ( *\S*:\S+ )", r"C I \1", text.rstrip(), flags=re.M)
    return text


# Programs of the cases, as in tests/src/programs.rs.
PROGRAMS = {
    "hits": ["hits.c", "-lpthread"],
    "hits-sem": ["hits.c", "-DSEMAPHORES", "-lpthread"],
    "hits-stripped": ["hits.c", "-lpthread", "-s"],
    "hits-static": ["hits.c", "-DSEMAPHORES", "-static", "-lpthread"],
    "args": ["args.c"],
    "strings": ["strings.c"],
    "forks": ["forks.c"],
    "late": ["late.c"],
    "libduo.so": ["lib.c", "-fPIC", "-shared"],
    "dlopener": ["dlopener.c", "-ldl"],
    "libmain": ["libmain.c", "-L.", "-lduo", "-Wl,-rpath,$ORIGIN"],
}
BIN = os.path.join(HERE, "target/parity-programs")


def build_programs():
    """Where the chroot sees them too."""
    os.makedirs(BIN, exist_ok=True)
    for name, (source, *arguments) in PROGRAMS.items():
        path = os.path.join(HERE, "tests/programs", source)
        subprocess.run(["cc", "-O1", "-g", "-o", name, path, *arguments], cwd=BIN, check=True)


def unplaced(text):
    """Without what addresses are in this run."""
    return re.sub(r"\b(0x[0-9a-f]{9,}|\d{13,15})\b", "ADDRESS", normal(text))


# A case takes a second or two. Some never end through the library: what eBPF refuses is traced there, or a BEGIN clause fails
# before its exit().
LIMIT = 60


def compare_case(name, keys, sections):
    with tempfile.TemporaryDirectory(prefix="parity.") as cwd:
        os.chmod(cwd, 0o755)
        for section, content in sections.items():
            if section.startswith("file "):
                open(os.path.join(cwd, section[5:]), "w", encoding="utf-8").write(content.replace("%{tmp}", cwd))
        script = os.path.join(cwd, "prog.d")
        fill = lambda text: text.replace("%{tmp}", cwd).replace("%{bin}", BIN)
        sections = {key: fill(text) for key, text in sections.items()}
        open(script, "w", encoding="utf-8").write(sections["script"])
        args = shlex.split(fill(keys.get("options", "")))
        if "program" in keys:
            args += ["-c", os.path.join(BIN, keys["program"])]
        args += ["-s", script] + shlex.split(fill(keys.get("args", "")))
        runs = both(args, cwd, apart := "program" in keys, LIMIT)
        a, b = runs["ebpf"], runs["dtrace"]
        if "stdout" in sections:
            same = normal(a.out) == normal(b.out)
        else:
            # The case itself says that the output differs from run to run.
            same = matches(sections, a.out) and matches(sections, b.out)
        if same and a.status == b.status:
            return "equal", ""
        own = alone("dtrace(1)", args, cwd, apart, LIMIT)
        ends = [run.message() != TIMED_OUT for run in (b, own)]
        if not any(ends):
            return "library", "does not end in dtrace(1) either"
        if all(ends) and own.status != 0 and b.status != 0:
            return "library", "refuses: " + own.message()
        if unplaced(own.out) == unplaced(b.out):
            return "library", "dtrace(1) says the same: " + repr(b.out.strip()[-60:])
        if "stdout" not in sections and not matches(sections, own.out):
            return "library", "dtrace(1) does not match either"
        return "DIFFERS", f"{a.status}/{b.status} {a.out.strip()[-60:]!r} {b.out.strip()[-60:]!r} {b.message()}"


def matches(sections, out):
    lines = out.rstrip().splitlines()
    if "stdout regex" in sections:
        wanted = sections["stdout regex"].rstrip().splitlines()
        return len(wanted) == len(lines) and all(re.fullmatch(w, l) for w, l in zip(wanted, lines))
    wanted = sections.get("stdout has", "").rstrip().splitlines()
    return all(any(re.search(w, l) for l in lines) for w in wanted)




def run(only):
    build_programs()
    for name, keys, sections in cases(only):
        yield name, *compare_case(name, keys, sections)
