A variable that was never set is zero, or the empty string.
options: -q
--- script
string s;
self int none;
int a[string];
int n;
BEGIN { printf("%d %d [%s] %d\n", self->none, a["none"], s, n); exit(0); }
--- stdout
0 0 [] 0
