An element set to zero is gone: 200 elements one after the other fit where few do at once.
options: -q -xdynvarsize=4096
--- script
int i, ok;
tick-1ms
/i < 200/
{
	a[i] = i + 1;
	ok += a[i] == i + 1;
	a[i] = 0;
	i++;
}
tick-1ms
/i == 200/
{
	printf("%d\n", ok);
	exit(0);
}
--- stdout
200
