The id of a probe is the one -l shows: BEGIN is 1.
options: -q
--- script
BEGIN { printf("%d %d\n", id, epid > 0); exit(0); }
--- stdout
1 1
