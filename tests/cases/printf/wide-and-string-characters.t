%S escapes what cannot be printed.
options: -q
--- script
BEGIN { printf("[%S]\n", "a\tb\nc"); exit(0); }
--- stdout
[a\tb\nc]
