-o writes to a file, and standard output stays empty.
options: -q -o %{tmp}/file -n 'BEGIN { printf("text\n"); exit(0); }'
