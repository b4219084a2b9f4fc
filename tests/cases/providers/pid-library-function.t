Functions of a shared library, by the library's name.
options: -q
program: libmain 50
--- script
pid$target:libduo.so:lib_work:entry { @e = count(); @s = sum(arg0); }
pid$target:libduo*:lib_*:return { @r = sum(arg1); }
END { printa("%@d %@d %@d\n", @e, @s, @r); }
--- stdout
50 1225 3675
