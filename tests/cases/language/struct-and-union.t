Structures and unions of the script's own, with members of all kinds, as global variables.
options: -q
--- script
struct point { int x; int y; };
union word { uint32_t all; uint8_t byte[4]; };
struct both { struct point p; union word w; char name[8]; };
struct both v;
BEGIN
{
	v.p.x = -3;
	v.p.y = 4;
	v.w.all = 0x01020304;
	printf("%d %d %x %d\n", v.p.x, v.p.y, (int)v.w.byte[3] << 8 | v.w.byte[0], v.p.x * v.p.y);
	exit(0);
}
--- stdout
-3 4 104 -12
