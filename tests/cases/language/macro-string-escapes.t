A macro argument as a string has escapes as a string in the script does.
options: -q
args: 'a\tb\\c\101'
--- script
BEGIN { printf("[%s] %d\n", $$1, strlen($$1)); exit(0); }
--- stdout
[a	b\cA] 6
