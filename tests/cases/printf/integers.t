Every integer conversion, with flags, widths and precisions.
options: -q
--- script
BEGIN
{
	printf("[%d|%i|%u|%o|%x|%X]\n", -5, 5, 5, 8, 255, 255);
	printf("[%6d|%-6d|%06d|%+d|% d|%.4d]\n", 42, 42, 42, 42, 42, 42);
	printf("[%#x|%#o|%c|%hd|%lld]\n", 255, 8, 'A', (short)70000, 5000000000);
	exit(0);
}
--- stdout
[-5|5|5|10|ff|FF]
[    42|42    |000042|+42| 42|0042]
[0xff|010|A|4464|5000000000]
