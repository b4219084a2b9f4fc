A program that nobody ran before is traced from its first firing on: it waits until its probes are attached.
options: -q -Z
after: late 1000
stop: INT
--- script
BEGIN { printf("armed\n"); }
late*:::tick /progenyof($ppid)/ { @[pid] = count(); @s[pid] = sum(arg0); }
END { printa("%d: %@d %@d\n", @, @s); }
--- stdout has
armed
: 1000 499500
