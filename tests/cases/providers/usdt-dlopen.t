A library that a traced process opens later brings its probes along. FIXME: what it fires in the first moment, until the
tracer has found it, is missed; here that is the first of three times.
options: -q -Z -xswitchrate=50ms
program: dlopener %{bin}/libduo.so 30 2000 2
--- script
lib*:::tick /pid == $target/ { @ = count(); }
END { printa("%@d\n", @); }
--- stdout regex
60|90
