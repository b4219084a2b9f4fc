A library that is opened, closed and opened again counts every time.
options: -q -Z
program: dlopener %{bin}/libduo.so 10 200 2
--- script
lib*:::tick { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
30
