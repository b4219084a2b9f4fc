-Z lets a description match nothing.
options: -q -Z
--- script
nosuch:::probe { printf("never\n"); }
BEGIN { printf("begun\n"); exit(0); }
--- stdout
begun
