An inline is evaluated where it is used.
options: -q
--- script
int n;
inline int doubled = 2 * n;
BEGIN { n = 4; a = doubled; n = 5; printf("%d %d\n", a, doubled); exit(0); }
--- stdout
8 10
