The simple aggregating functions on values of both signs.
options: -q
--- script
int i;
tick-1ms /i < 10/ { @c = count(); @s = sum(i - 5); @l = min(i - 5); @h = max(i - 5); @a = avg(i * 3); i++; }
tick-1ms /i == 10/ { exit(0); }
END { printa("%@d %@d %@d %@d %@d\n", @c, @s, @l, @h, @a); }
--- stdout
10 -5 -5 4 13
