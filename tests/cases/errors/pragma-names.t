A pragma that names what there is not is an error.
options: -q -xerrtags
status: 1
--- script
#pragma D attributes Stable/Stable/Common later
#pragma D binding "1.0" later
inline int later = 1;
#pragma D depends_on provider profile
#pragma D binding "1.0" never
BEGIN { exit(0); }
--- stderr
\[D_PRAGMA_UNUSED\] line 5: unused #pragma binding
