An event that there is not.
options: -q
status: 1
--- script
cpc:::no_such_event-all-1000000 { n++; }
--- stderr
there is no event no_such_event; duotrace -l -P cpc lists those of this machine
