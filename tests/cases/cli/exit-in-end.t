END has the last word on the exit status.
options: -q
status: 3
--- script
BEGIN { exit(1); }
END { exit(3); }
