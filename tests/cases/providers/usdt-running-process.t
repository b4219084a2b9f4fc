A provider glob without -p finds processes that run already.
options: -q -xswitchrate=10ms
before: hits-sem 2 500 wait
stop: INT
--- script
BEGIN { printf("armed\n"); }
hits*:::tick /pid == %{pid}/ { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
armed

1000
