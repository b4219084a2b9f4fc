A script that depends on a provider which is not there is told so.
options: -q -xerrtags
status: 1
--- script
#pragma D depends_on provider nosuch
BEGIN { exit(0); }
--- stderr
\[D_PRAGMA_DEPEND\] line 1: program requires provider nosuch
