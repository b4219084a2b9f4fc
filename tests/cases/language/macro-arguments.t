$1 is a number or an identifier, $$1 always a string.
options: -q
args: 0x10 "two words"
--- script
BEGIN { printf("%d [%s] [%s]\n", $1 + 1, $$1, $$2); exit(0); }
--- stdout
17 [0x10] [two words]
