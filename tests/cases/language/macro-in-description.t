A macro argument may stand in a probe description.
options: -q
args: BEGIN tick
--- script
dtrace:::$1 { printf("begun\n"); }
$2-1ms { exit(0); }
--- stdout
begun
