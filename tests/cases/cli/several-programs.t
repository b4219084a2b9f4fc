-n, -s and further -n are one program, in the order of the command line.
options: -q -n 'BEGIN { printf("1 "); }' -s %{tmp}/second.d -n 'BEGIN { printf("3\n"); exit(0); }'
--- file second.d
BEGIN { printf("2 "); }
--- stdout
1 2 3
