A character of a string is an integer; behind the end there are zeros.
options: -q
--- script
BEGIN { s = "hey"; printf("%c%c %d\n", s[0], s[2], s[3]); exit(0); }
--- stdout
hy 0
