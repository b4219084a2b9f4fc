A library that a traced process opens later brings its probes along, and none of what it fires is missed: the process
waits until they are attached.
options: -q -Z
program: dlopener %{bin}/libduo.so 30 20 2
--- script
lib*:::tick /pid == $target/ { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
90
