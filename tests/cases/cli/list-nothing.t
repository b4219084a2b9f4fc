-l of what does not exist says so.
options: -l -n nosuch:::probe
status: 1
--- stdout regex
   ID   PROVIDER            MODULE                          FUNCTION NAME
--- stderr
nosuch:::probe
