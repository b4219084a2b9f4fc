The subroutines that swap bytes.
options: -q
--- script
BEGIN { printf("%x %x %x\n", htons(0x1234), htonl(0x12345678), ntohll(0x0102030405060708)); exit(0); }
--- stdout
3412 78563412 807060504030201
