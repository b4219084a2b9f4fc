* takes a width or a precision from the arguments.
options: -q
--- script
BEGIN { printf("[%*d|%-*d|%.*s]\n", 5, 42, 5, 42, 2, "abc"); exit(0); }
--- stdout
[   42|42   |ab]
