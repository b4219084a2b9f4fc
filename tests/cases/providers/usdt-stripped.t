USDT probes need no symbols.
options: -q
program: hits-stripped 2 100
--- script
hits$target:::tick { @ = count(); @t[arg0] = sum(arg1); }
END { printa("%@d\n", @); }
tick-1h { trunc(@t); }
--- stdout has
^200$
