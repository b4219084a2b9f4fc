-l lists what a description matches.
options: -l -n dtrace:::BEGIN
--- stdout regex
   ID   PROVIDER            MODULE                          FUNCTION NAME
    1     dtrace .* BEGIN
