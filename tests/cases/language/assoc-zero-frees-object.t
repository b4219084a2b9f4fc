Zero assigned to an element that is a structure deletes it, as with any other type.
options: -q
--- script
this struct { int a; int b; } value;

BEGIN
{
	this->value.a = 1;
	a[1] = this->value;
	this->value.a = 2;
	a[2] = this->value;
	a[1] = 0;
	printf("%d %d\n", a[1].a, a[2].a);
	exit(0);
}
--- stdout
0 2
