Arguments that are not given are 0 and the empty string under defaultargs.
options: -q -xdefaultargs
--- script
BEGIN { printf("%d [%s]\n", $3, $$4); exit(0); }
--- stdout
0 []
