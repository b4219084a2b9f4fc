copyinstr() of bad addresses faults; good ones of every kind are read whole.
options: -q -xstrsize=300
program: strings
--- script
strings$target:::say { @ok[strlen(copyinstr(arg1)) == (arg2 < 299 ? arg2 : 299)] = count(); }
strings$target:::bad /arg0 < 3/ { trace(copyinstr(arg1)); }
ERROR { n++; }
END { printa("%d %@d\n", @ok); printf("%d\n", n); }
--- stdout
1 16
3
--- stderr
invalid address
