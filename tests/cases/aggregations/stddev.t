stddev() of 0, 10, 20, 30 is 11.18, cut to an integer.
options: -q
--- script
BEGIN { @ = stddev(0); @ = stddev(10); @ = stddev(20); @ = stddev(30); exit(0); }
END { printa("%@d\n", @); }
--- stdout
11
