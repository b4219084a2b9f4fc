A typedef of a typedef is what it stands for.
options: -q
--- script
typedef unsigned char byte_t;
typedef byte_t octet_t;
octet_t x;
BEGIN { x = 257; printf("%d %d\n", x, sizeof (octet_t)); exit(0); }
--- stdout
1 1
