errno of a call that failed.
options: -q -c /nonexistent-no
status: 1
--- script
syscall:::entry { exit(0); }
--- stderr
nonexistent-no
