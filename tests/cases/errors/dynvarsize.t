Dynamic variable space that no element fits into is refused.
options: -xdynvarsize=15
status: 1
--- script
BEGIN { a[1] = 1; exit(0); }
--- stderr
could not enable tracing: Enabling exceeds size of buffer
