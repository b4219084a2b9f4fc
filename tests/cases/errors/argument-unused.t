An argument that the script does not use.
options: -q
needs: nothing
args: 1 2
status: 1
--- script
BEGIN { x = $1; }
--- stderr
extraneous argument '2'
