Several processes one after another, each its own provider name.
options: -q -Z -xswitchrate=10ms
after: forks 3 20
stop: TERM
--- script
BEGIN { printf("armed\n"); }
forks*:::tick { @[arg0] = count(); @p[probeprov] = count(); }
forks*:::tick /probeprov != strjoin("forks", lltostr(pid))/ { wrong++; }
END { printa("%d %@d\n", @); printf("%d\n", wrong); trunc(@p); }
--- stdout
armed
0 20
2 20
-1 20
1 40
0
