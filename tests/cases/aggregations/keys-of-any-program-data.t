Keys from a program's memory: what lies behind a string's end does not make another key.
options: -q
program: hits 3 50
--- script
hits$target:::tick { @[copyinstr(arg2), arg0] = count(); }
END { printa("%s %d %@d\n", @); }
--- stdout
thread-0 0 50
thread-1 1 50
thread-2 2 50
