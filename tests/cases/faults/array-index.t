An index outside an array is a fault that names the index, not an access beside the array.
options: -q
--- script
int a[5];
BEGIN
{
	i = 4;
	a[i] = 7;
	printf("%d\n", a[i]);
}
BEGIN
{
	i = 8;
	a[i] = 1;
	printf("not reached\n");
}
ERROR { exit(0); }
--- stdout
7

--- stderr
^dtrace: error on enabled probe ID 2 \(ID 1: dtrace:::BEGIN\): index out of bounds \(8\) in action #
