A pragma sets an option as -x does.
--- script
#pragma D option quiet
#pragma D option strsize=6
BEGIN { printf("%s\n", strjoin("abc", "defgh")); exit(0); }
--- stdout
abcde
