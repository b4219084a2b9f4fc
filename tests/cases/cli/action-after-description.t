-P, -m, -f and -n take a predicate and an action.
options: -q -n 'BEGIN /1/ { printf("n "); }' -P 'dtrace { printf("P "); }' -n 'BEGIN { exit(0); }'
--- stdout regex
n P P ?
