cpc's clock samples as a profile does; a name that a description does not have right is told.
options: -q
program: deeds spin
--- script
cpc:::cpu_clock-all-10000000 /pid == $target/ { n++; }
END { printf("%d\n", n > 10); }
--- stdout
1
