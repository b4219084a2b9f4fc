printa() formats keys and values with widths, signs and bases.
options: -q
--- script
BEGIN { @["k", 255, 'c'] = sum(255); exit(0); }
END { printa("[%-4s|%6x|%c|%-6@d|%@x|%08@d]\n", @); }
--- stdout
[k   |    ff|c|255   |ff|00000255]
