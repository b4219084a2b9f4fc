A library that a traced process opens later brings its probes along.
options: -q -Z
program: dlopener %{bin}/libduo.so 30 300
--- script
lib*:::tick { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
30
