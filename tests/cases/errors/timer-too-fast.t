A timer's period is at least 200 microseconds.
options: -q -xerrtags
needs: nothing
status: 1
--- script
profile-1ns { }
--- stderr
\[D_PDESC_ZERO\] line 1
