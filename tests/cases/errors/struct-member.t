A member that a structure does not have.
options: -q -xerrtags
needs: nothing
status: 1
--- script
struct s { int a; };
struct s *p;
BEGIN
{ trace(p->b); }
--- stderr
\[D_TYPE_MEMBER\] line 4
