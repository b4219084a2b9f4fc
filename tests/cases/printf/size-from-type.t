%d, %x and %u print as many bits as the type has.
options: -q
--- script
BEGIN
{
	printf("%x %x %x %x\n", (char)-1, (short)-1, (int)-1, (long long)-1);
	printf("%u %d\n", (unsigned char)255, (char)255);
	exit(0);
}
--- stdout
ff ffff ffffffff ffffffffffffffff
255 -1
