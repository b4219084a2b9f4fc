A library that is opened, closed and opened again counts every time.
options: -q -Z -xswitchrate=50ms
program: dlopener %{bin}/libduo.so 10 800 2
--- script
lib*:::tick /pid == $target/ { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
30
