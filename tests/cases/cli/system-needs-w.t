A destructive action without -w is refused.
options: -q
needs: nothing
status: 1
--- script
BEGIN { system("echo never"); exit(0); }
--- stderr
estructive
