A string that is NULL cannot be recorded: an unset self-> string, strtok() past the end, strchr() without a match.
options: -q
--- script
self string s;
int n;
BEGIN { printf("%d %d ", self->s == NULL, strchr("a", 'b') == NULL); }
BEGIN { printf("[%s]", self->s); }
BEGIN { printf("[%s]", strchr("a", 'b')); }
BEGIN { printf("[%s]", strtok("a", ",")); }
BEGIN { printf("[%s]", strtok(NULL, ",")); }
BEGIN { self->s = "set"; printf("[%s] %d\n", self->s, n); exit(0); }
ERROR { n += arg4 == DTRACEFLT_BADADDR && arg5 == 0; }
--- stdout
1 1 [a][set] 3
--- stderr
invalid address \(0x0\)
