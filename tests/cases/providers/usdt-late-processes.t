Processes one after another of a program nobody ran when the tracer began: once it is known, each is traced from its
first instruction.
options: -q -Z -xswitchrate=10ms
after: dlopener %{bin}/libduo.so 10 800
stop: TERM
--- script
BEGIN { printf("armed\n"); }
lib*:::tick /probeprov == strjoin("lib", lltostr(pid)) && probemod == "libduo.so"/ { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
armed

10
