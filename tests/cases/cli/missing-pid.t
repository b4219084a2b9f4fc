A process that does not exist.
options: -p 99999999 -n BEGIN
status: 1
--- stderr
99999999
