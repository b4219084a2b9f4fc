Twenty clauses of one probe all run, in order.
options: -q
program: hits 1 3
--- script
hits$target:::tick { n = 1; } hits$target:::tick { n += 1; } hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; }
hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; } hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; }
hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; } hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; }
hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; } hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; }
hits$target:::tick { n *= 2; } hits$target:::tick { n += 1; } hits$target:::tick { n *= 2; } hits$target:::tick { @[n] = count(); }
END { printa("%d %@d\n", @); }
--- stdout
1534 3
