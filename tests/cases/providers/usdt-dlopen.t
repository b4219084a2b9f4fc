A library that a traced process opens later brings its probes along.
options: -q -Z -xswitchrate=50ms
program: dlopener %{bin}/libduo.so 30 4000
--- script
lib*:::tick /pid == $target/ { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
30
