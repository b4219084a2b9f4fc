A comment that does not end.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { } /* open
--- stderr
end-of-file|comment
