A value that an option cannot have.
options: -xbufsize=lots -n BEGIN
needs: nothing
status: 1
--- stderr
bufsize
