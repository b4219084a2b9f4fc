man prints the manual page.
options: man
needs: nothing
--- stdout has
^\.TH duotrace 8
^\.SH ENVIRONMENT
strsize
