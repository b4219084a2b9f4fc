A script without a clause is refused.
options: -q -e
needs: nothing
status: 1
--- script
int x;
--- stderr
empty D program
