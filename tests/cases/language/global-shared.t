A global variable is the same one in all probes.
options: -q
--- script
int n;
BEGIN { n = 1; }
tick-1ms { n++; }
tick-1ms /n > 5/ { exit(0); }
END { printf("%d\n", n); }
--- stdout
6
