%p prints an address as %x does.
options: -q
--- script
BEGIN { printf("%p %x\n", (void *)0x1234, (uint64_t)(void *)0x1234); exit(0); }
--- stdout
1234 1234
