All units of tick are known; the probes need not fire.
options: -q
--- script
tick-500us, tick-5000000ns, tick-1d, tick-1h, tick-1m, tick-10s, tick-10sec, tick-200msec, tick-500hz, tick-300 { n++; }
tick-50ms { exit(0); }
END { printf("%d\n", n > 10); }
--- stdout
1
