speculation() gives 0 where none is left, and that is counted.
options: -q
--- script
BEGIN { a = speculation(); b = speculation(); printf("%d %d\n", a > 0, b); exit(0); }
--- stdout
1 0
--- stderr
failed speculation
