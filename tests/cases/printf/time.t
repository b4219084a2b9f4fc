%Y prints the date of a number of nanoseconds.
options: -q
--- script
BEGIN { printf("%Y\n", 1234567890000000000); exit(0); }
--- stdout
2009 Feb 13 23:31:30
