avg() rounds toward zero.
options: -q
--- script
BEGIN { @ = avg(-1); @ = avg(-2); @b["x"] = avg(1); @b["x"] = avg(2); exit(0); }
END { printa("%@d\n", @); printa("%s %@d\n", @b); }
--- stdout
-1
x 1
