A script's own first line is no D.
options: -q
args: 5
--- script
#!/usr/sbin/dtrace -s
BEGIN { printf("%d\n", $1); exit(0); }
--- stdout
5
