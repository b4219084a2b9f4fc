Strings with widths and precisions, and an empty one.
options: -q
--- script
BEGIN { printf("[%s|%6s|%-6s|%.2s|%6.1s|%s]\n", "abc", "abc", "abc", "abc", "abc", ""); exit(0); }
--- stdout
[abc|   abc|abc   |ab|     a|]
