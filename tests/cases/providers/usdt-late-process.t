A process that starts after the tracer is traced from its first instruction.
options: -q -Z -xswitchrate=10ms
after: late 1000
stop: INT
--- script
BEGIN { printf("armed\n"); }
late*:::tick { @ = count(); @s = sum(arg0); }
END { printa("%@d %@d\n", @, @s); }
--- stdout
armed
1000 499500
