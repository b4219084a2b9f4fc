^^ is true where exactly one side is, and any value but 0 is true.
options: -q
--- script
BEGIN { a = 2; b = 0; printf("%d %d %d\n", a ^^ b, a ^^ 5, b ^^ 0); exit(0); }
--- stdout
1 0 0
