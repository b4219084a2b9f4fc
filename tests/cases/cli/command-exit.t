The tracer ends with the command of -c; END sees $target.
options: -q -c '/bin/sleep 0.1'
--- script
END { printf("%d\n", $target > 1); }
--- stdout
1
