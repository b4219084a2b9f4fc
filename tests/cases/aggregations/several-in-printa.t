printa() joins aggregations by their keys; where one has no such key, it is zero.
options: -q
--- script
BEGIN { @a["both"] = count(); @b["both"] = sum(7); @a["one"] = count(); exit(0); }
END { printa("%-5s %@d %@d\n", @a, @b); }
--- stdout
one   1 0
both  1 7
