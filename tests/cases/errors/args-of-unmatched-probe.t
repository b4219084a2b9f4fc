args[] of a probe that does not exist (-Z): the message names the probe and the provider.
options: -q -Z
needs: nothing
status: 1
--- script
BEGIN { exit(0); }
nosuchprovider:::start { trace(args[0]->pr_fname); }
--- stderr
line 2: args\[ \] may not be referenced because probe description nosuchprovider:::start does not match any probes \(there is no provider nosuchprovider\)
