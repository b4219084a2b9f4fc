A cast to a narrower type keeps the low bits and takes the sign from them.
options: -q
--- script
BEGIN
{
	x = 0x12345fffe;
	printf("%d %d %d %d\n", (char)x, (unsigned char)x, (short)x, (uint32_t)x);
	exit(0);
}
--- stdout
-2 254 -2 591790078
