-x of an option that has a letter.
options: -xquiet -xstrsize=6
--- script
BEGIN { printf("%s\n", strjoin("abc", "defgh")); exit(0); }
--- stdout
abcde
