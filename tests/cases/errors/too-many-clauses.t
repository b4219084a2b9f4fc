More clauses than the kernel takes in one program: the first that is too many is named. (Each is a function there.)
options: -C -q
status: 1
--- script
#define C1 BEGIN { x++; }
#define C4 C1 C1 C1 C1
#define C16 C4 C4 C4 C4
#define C64 C16 C16 C16 C16
int x;
C64
C64
C64
C64
BEGIN { exit(0); }
--- stderr
line 9: this clause is one too many for its probe: of 257 clauses the kernel takes 2\d\d in one program
