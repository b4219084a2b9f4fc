-x cpulimit disables the dearest probe when all together cost more, and says so.
options: -q -xcpulimit=1%
program: hits 1 4000000
--- script
pid$target::work:entry { @ = count(); }
END { printa("counted\n", @); }
--- stdout
counted

--- stderr
dtrace: probes take [\d.]+% of a processor, the limit is 1%: pid\d+:hits:work:entry disabled \([\d.]+%\)
