A description with too many parts.
options: -q -xerrtags
needs: nothing
status: 1
--- script
a:b:c:d:e { }
--- stderr
line 1
