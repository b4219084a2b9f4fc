A program that tests its semaphore fires when it is traced.
options: -q
program: hits-sem 2 100
--- script
hits$target:::tick { @[copyinstr(arg2)] = count(); }
END { printa("%s %@d\n", @); }
--- stdout
thread-0 100
thread-1 100
