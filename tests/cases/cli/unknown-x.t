An option of -x that does not exist.
options: -xnosuch=1 -n BEGIN
needs: nothing
status: 1
--- stderr
nosuch
