exit(n) is the exit status.
options: -q
status: 7
--- script
BEGIN { exit(7); }
