What stands first in the text is told first, though the parser is the one that finds the later thing.
options: -xerrtags
needs: nothing
status: 1
--- script
struct outer { struct inner in; };
struct inner { int a; };
BEGIN { printf("a")("b"); }
--- stderr
D_DECL_INCOMPLETE.* line 1
