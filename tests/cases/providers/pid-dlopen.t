Functions and USDT probes of one process, in a library that it opens later.
options: -q -Z
program: dlopener %{bin}/libduo.so 30 20 2
--- script
pid$target:libduo.so:lib_work:entry { @e = count(); }
pid$target:libduo*::return { @r = count(); }
lib$target:::tick { @t = count(); }
END { printa("%@d %@d %@d\n", @e, @r, @t); }
--- stdout
90 90 90
