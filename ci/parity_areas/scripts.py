"""Every script of scripts/."""

import fnmatch
import os

from . import postgres
from .common import HERE, both, finish, start

FOLDER = os.path.join(HERE, "scripts")


def scripts(only):
    found = sorted(os.path.join(base, file) for base, _, files in os.walk(FOLDER) for file in files if file.endswith(".d"))
    names = [name for name in (os.path.relpath(path, FOLDER) for path in found) if fnmatch.fnmatch(name, only)]
    with postgres.server() as env:
        for name in names:
            path = os.path.join(FOLDER, name)
            if name in POSTGRES or "\npostgresql*:" in open(path, encoding="utf-8").read():
                if env is None:
                    yield "script " + name, "skipped", "no PostgreSQL"
                elif name in POSTGRES:
                    yield "script " + name, *POSTGRES[name](env)
                else:
                    yield "script " + name, *refused(*postgres.refusal(env, path))
            else:
                yield "script " + name, *compiled(path)


POSTGRES = {"oscon2008/qps.d": postgres.qps, "oscon2008/query_speed.d": postgres.query_speed}


def refused(run, own):
    """Does dtrace(1) refuse what our backend refuses?"""
    if run.status == 0:
        return "equal", "compiles"
    if own.status != 0:
        return "library", "refuses: " + own.message()
    return "DIFFERS", run.message()


def compiled(path):
    runs = both(["-x", "defaultargs", "-e", "-s", path], HERE)
    if runs["ebpf"].status == 0 and runs["dtrace"].status == 0:
        return "equal", "both compile"
    own = finish(start("dtrace(1)", ["-x", "defaultargs", "-e", "-s", path], HERE))
    result, note = refused(runs["dtrace"], own)
    ours = "" if runs["ebpf"].status == 0 else f"; ebpf: {runs['ebpf'].message()}"
    return result, note + ours
