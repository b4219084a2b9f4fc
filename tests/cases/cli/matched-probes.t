Without -q the number of matched probes goes to standard error.
options: -n 'BEGIN,END { exit(0); }'
--- stdout has
:BEGIN
:END
--- stderr
^dtrace: description 'BEGIN,END ' matched 2 probes$
