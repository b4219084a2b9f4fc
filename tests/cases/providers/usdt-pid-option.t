-p traces a process that runs, and ends with it.
options: -q -p %{pid} -xswitchrate=10ms
before: hits 2 500 wait
--- script
BEGIN { printf("armed\n"); }
hits$target:::tick { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
armed
1000
