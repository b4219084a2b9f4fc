progenyof() tells the descendants of a process.
options: -q
program: forks 3 10
--- script
forks*:::tick /progenyof($pid)/ { @[progenyof($target), progenyof($pid), pid == $target] = count(); }
END { printa("%d %d %d %@d\n", @); }
--- stdout
1 1 1 10
1 1 0 40
