proc:::exec-success and proc:::exit of the program of -c.
options: -q
program: late 1
--- script
proc:::exit /pid == $target/ { printf("exit %d\n", args[0]); }
--- stdout
exit 1
