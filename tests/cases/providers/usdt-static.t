USDT probes with semaphores in a static program.
options: -q
program: hits-static 2 100
--- script
hits$target:::tick { @ = count(); }
END { printa("%@d\n", @); }
--- stdout
200
