freopen() sends what follows to a file, and back.
options: -q -w
--- script
BEGIN { printf("1\n"); freopen("%{tmp}/other"); printf("2\n"); freopen(""); printf("3\n"); system("cat %{tmp}/other"); exit(0); }
--- stdout
1
3
2
