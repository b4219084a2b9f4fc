A process that starts after the tracer is found and traced.
options: -q -Z -xswitchrate=10ms
after: late 1000 4000
stop: INT
--- script
BEGIN { printf("armed\n"); }
late*:::tick /progenyof($ppid)/ { @ = count(); @s = sum(arg0); }
END { printa("%@d %@d\n", @, @s); }
--- stdout
armed

1000 499500
