A variable that was never set is zero, or the empty string.
options: -q
--- script
string s;
BEGIN { printf("%d %d [%s] %d\n", self->none, a["none"], s, n); exit(0); }
END { n = 1; }
--- stdout
0 0 [] 0
