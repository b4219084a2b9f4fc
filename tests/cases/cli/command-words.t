The command of -c is divided at blanks, and its output is its own.
options: -q -c '%{bin}/late 3' -n 'pid$target::work:entry { n++; } END { printf("%d\n", n); }'
before: hits 1 1 wait
--- stdout has
^count 3$
^3$
