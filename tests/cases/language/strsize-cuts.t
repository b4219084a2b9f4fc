Strings are cut to strsize, the zero at the end included.
options: -q -xstrsize=8
--- script
BEGIN { s = "0123456789"; printf("[%s] %d [%s]\n", s, strlen(s), strjoin("abcdef", "ghij")); exit(0); }
--- stdout
[0123456] 7 [abcdefg]
