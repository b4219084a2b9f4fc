aggsortkeypos names the part of the key to begin with.
options: -q -xaggsortkey -xaggsortkeypos=1
--- script
BEGIN { @["b", 1] = sum(1); @["a", 3] = sum(2); @["c", 2] = sum(3); exit(0); }
END { printa("%s %d %@d\n", @); }
--- stdout
b 1 1
c 2 3
a 3 2
