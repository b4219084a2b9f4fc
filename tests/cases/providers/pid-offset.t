A name that is a number is an instruction's offset in the function.
options: -q
program: hits 2 100
--- script
pid$target::work:0 { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
200
