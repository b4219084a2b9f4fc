#!/usr/bin/env python3
"""Prints what scripts/oscon2008/pcpu.d does as a bpftrace program, for the Perl in the processes of one server.

    bench/pcpu_bt.py PID SECONDS     PID: the server's first process; SECONDS: between its tables

bpftrace has no probes in a stock Perl: where the interpreter is (its key of pthreads, as in `struct pthread`) and the offsets in
its structures come from here, from the server's memory and from the table of duotrace's virtual provider.
"""

import os
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
OFFSETS = os.path.join(HERE, 'backend-ebpf', 'providers', 'offsets', 'perl-5.36.offsets')


def mappings(pid, name):
    """The path of a file that a process maps, and where its first byte is in memory."""
    with open(f'/proc/{pid}/maps') as maps:
        for line in maps:
            words = line.split()
            if len(words) > 5 and os.path.basename(words[5]).startswith(name) and int(words[2], 16) == 0:
                return words[5], int(words[0].split('-')[0], 16)
    sys.exit(f'pcpu_bt.py: process {pid} maps no {name}')


def symbol(path, name):
    """The address of a symbol in its file."""
    table = subprocess.run(['nm', '-D', path], capture_output=True, text=True, check=True).stdout
    found = re.search(rf'^([0-9a-f]+) \w {name}(@.*)?$', table, re.M)
    return int(found.group(1), 16) if found else sys.exit(f'pcpu_bt.py: no {name} in {path}')


def read(path, at, form):
    """Numbers from a file."""
    with open(path, 'rb') as file:
        file.seek(at)
        return struct.unpack(form, file.read(struct.calcsize(form)))


def main():
    pid, seconds = sys.argv[1:]
    with open(OFFSETS) as file:
        words = (line.split() for line in file if not line.startswith('#'))
        o = {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}
    perl, base = mappings(pid, 'libperl.so')
    (key,) = read(f'/proc/{pid}/mem', base + symbol(perl, 'PL_thr_key'), '<i')
    libc, _ = mappings(pid, 'libc.so')
    # glibc tells debuggers: bits of the field, how many, its offset. The table lies in .rodata, at its own offset.
    (_, _, blocks) = read(libc, symbol(libc, '_thread_db_pthread_specific'), '<III')
    (_, _, data) = read(libc, symbol(libc, '_thread_db_pthread_key_data_data'), '<III')
    with open(f'/proc/{pid}/comm') as file:
        comm = file.read().rstrip('\n')
    # The innermost sub of a stack of contexts, through three evals.
    def innermost(info, sub):
        return f'''
    $base = *(uint64 *)uptr({info} + {o["si.cxstack"]});
    $i = *(int32 *)uptr({info} + {o["si.cxsubix"]});
    $c = $i == -1 ? (uint64)0 : $base + (uint64)$i * {o["sizeof.context"]};
    unroll(3) {{
      if ($c != 0) {{
        if ((*(uint8 *)uptr($c + {o["context.type"]}) & {o["CXTYPEMASK"]}) == {o["CXt_EVAL"]}) {{
          $i = *(int32 *)uptr($c + {o["context.eval_old"]});
          $c = $i == -1 ? (uint64)0 : $base + (uint64)$i * {o["sizeof.context"]};
        }}
      }}
    }}
    if ($c != 0) {{
      if ((*(uint8 *)uptr($c + {o["context.type"]}) & {o["CXTYPEMASK"]}) == {o["CXt_SUB"]}) {{ {sub} = $c; }}
    }}'''
    print(f'''config = {{ max_strlen = 128 }}
profile:hz:997 /comm == "{comm}"/ {{
  $block = *(uint64 *)uptr(curtask->thread.fsbase + {blocks + 8 * (key >> 5)});
  $perl = $block == 0 ? (uint64)0 : *(uint64 *)uptr($block + {16 * (key & 31) + data});
  if ($perl != 0) {{
    $sub = (uint64)0;
    $info = *(uint64 *)uptr($perl + {o["interpreter.curstackinfo"]});{innermost("$info", "$sub")}
    if ($sub == 0) {{
      $info = *(uint64 *)uptr($info + {o["si.prev"]});
      if ($info != 0) {{{innermost("$info", "$sub")}
      }}
    }}
    if ($sub != 0) {{
      $cv = *(uint64 *)uptr($sub + {o["context.cv"]});
      if ((*(uint32 *)uptr($cv + {o["sv.flags"]}) & {o["SVTYPEMASK"]}) == {o["SVt_PVCV"]}) {{
        $body = *(uint64 *)uptr($cv + {o["sv.any"]});
        $hek = *(uint64 *)uptr($body + {o["xpvcv.gv"]});
        if ((*(uint32 *)uptr($body + {o["xpvcv.flags"]}) & {o["CVf_NAMED"]}) == 0) {{
          $hek = *(uint64 *)uptr(*(uint64 *)uptr($hek + {o["sv.any"]}) + {o["xpvgv.namehek"]});
        }}
        $cop = *(uint64 *)uptr($body + {o["xpvcv.start"]});
        @[str(uptr($hek + {o["hek.key"]})), str(uptr(*(uint64 *)uptr($cop + {o["cop.file"]}))),
          *(uint32 *)uptr($cop + {o["cop.line"]})] = count();
      }}
    }}
  }}
}}
interval:s:{seconds} {{ print(@, 20); clear(@); }}''')


main()
