USDT probes of a shared library.
options: -q
program: libmain 40
--- script
lib$target:libduo.so:lib_work:tick { @ = sum(arg0); @n[probemod] = count(); }
END { printa("%@d\n", @); printa("%s %@d\n", @n); }
--- stdout
780
libduo.so 40
