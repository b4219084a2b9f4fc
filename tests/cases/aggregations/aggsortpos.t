Of several aggregations printed together, aggsortpos is the one to sort by.
options: -q -xaggsortpos=1
--- script
BEGIN { @a["x"] = sum(1); @a["y"] = sum(2); @b["x"] = sum(9); @b["y"] = sum(3); exit(0); }
END { printa("%s %@d %@d\n", @a, @b); }
--- stdout
y 2 3
x 1 9
