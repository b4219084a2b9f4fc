An aggregation without data prints nothing.
options: -q
--- script
tick-1h { @a = count(); }
BEGIN { exit(0); }
END { printa("%@d\n", @a); printf("end\n"); }
--- stdout
end
