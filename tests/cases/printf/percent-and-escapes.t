%% and all escapes.
options: -q
--- script
BEGIN { printf("100%%\t\"q\" \\ \x41\102\n"); exit(0); }
--- stdout
100%	"q" \ AB
