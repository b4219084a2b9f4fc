pid probes of a process that runs.
options: -q -p %{pid} -xswitchrate=10ms
before: hits 2 500 wait
--- script
BEGIN { printf("armed\n"); }
pid$target::work:entry { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
armed
1000
