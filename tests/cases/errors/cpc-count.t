A count so small that nothing else would be done.
options: -q
status: 1
--- script
cpc:::cpu_clock-user-5000 { n++; }
--- stderr
a count of cpu_clock must be at least 100000
