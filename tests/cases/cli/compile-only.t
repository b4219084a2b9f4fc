-e ends after compiling.
options: -q -e
needs: nothing
--- script
BEGIN { printf("never\n"); }
