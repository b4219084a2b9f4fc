print() of a pointer to an object shows where it is and what it is; what is zero is left out.
options: -q
--- script
enum e { ZERO, ONE };
struct s { int a; long b; char c[6]; enum e d; unsigned f : 3; struct { uint8_t g; void *h; } i; int j[3]; };
this struct s *p;
BEGIN
{
	this->p = (struct s *)alloca(sizeof (struct s));
	this->p->a = -5;
	this->p->c[0] = 'x';
	this->p->d = ONE;
	this->p->i.h = (void *)0x10;
	this->p->j[2] = 7;
	print(this->p);
	exit(0);
}
--- stdout regex
0x[0-9a-f]+ = \*
 {44}\(struct s\) \{
 {45}\.a = \(int\)-5,
 {45}\.c = \(char \[6\]\) \[
 {46}\(char\)'x',
 {45}\],
 {45}\.d = \(enum e\)ONE,
 {45}\.i = \(struct.*\) \{
 {46}\.h = \(void \*\)0x10,
 {45}\},
 {45}\.j = \(int \[3\]\) \[
 {46}\(int\)7,
 {45}\],
 {44}\}
