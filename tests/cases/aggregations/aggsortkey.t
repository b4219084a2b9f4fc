aggsortkey sorts by the keys, and aggsortrev turns the order.
options: -q -xaggsortkey -xaggsortrev
--- script
BEGIN { @["b"] = sum(1); @["a"] = sum(3); @["c"] = sum(2); exit(0); }
END { printa("%s %@d\n", @); }
--- stdout
c 2
b 1
a 3
