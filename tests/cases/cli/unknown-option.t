An option that does not exist.
options: -k
needs: nothing
status: 2
--- stderr
^dtrace: illegal option -- k$
^Usage: 
^$|^	
