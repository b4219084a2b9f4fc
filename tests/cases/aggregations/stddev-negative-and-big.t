stddev() keeps 128 bits: the squares of large numbers do not overflow.
options: -q
--- script
BEGIN { @ = stddev(-4000000000000); @ = stddev(4000000000000); exit(0); }
--- stdout

    4000000000000
