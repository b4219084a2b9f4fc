clear() sets values to zero and keeps the keys.
options: -q
--- script
BEGIN { @["k"] = sum(5); exit(0); }
END { printa("%s %@d\n", @); clear(@); printa("%s %@d\n", @); }
--- stdout
k 5
k 0
