The names of an enum are constants.
options: -q
--- script
enum color { RED, GREEN = 5, BLUE };
inline int best = BLUE;
BEGIN { printf("%d %d %d\n", RED, GREEN, best); exit(0); }
--- stdout
0 5 6
