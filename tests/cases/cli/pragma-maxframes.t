maxframes may be set by a pragma, as on Linux' dtrace.
options: -q
--- script
#pragma D option maxframes=10
BEGIN { printf("ok\n"); exit(0); }
--- stdout
ok
