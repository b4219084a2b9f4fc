A script that does not exist.
options: -s %{tmp}/none.d
needs: nothing
status: 1
--- stderr
none\.d
