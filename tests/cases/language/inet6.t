IPv6 addresses as text: the first of the longest runs of zero groups is left out, digits from one to four, IPv4 within.
options: -q
--- script
BEGIN { this->a = (uint16_t *)alloca(16); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[7] = htons(0x1); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[0] = htons(0x1); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[0] = htons(0x1); this->a[3] = htons(0x2); this->a[7] = htons(0x3); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[0] = htons(0x1); this->a[4] = htons(0x2); this->a[7] = htons(0x3); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[2] = htons(0x1); this->a[5] = htons(0x1); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[0] = htons(0x1); this->a[2] = htons(0x2); this->a[4] = htons(0x3); this->a[6] = htons(0x4); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[0] = htons(0xffff); this->a[1] = htons(0xfff); this->a[2] = htons(0xff); this->a[3] = htons(0xf); this->a[4] = htons(0x1000); this->a[5] = htons(0x100); this->a[6] = htons(0x10); this->a[7] = htons(0x1); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[0] = htons(0xfe80); this->a[4] = htons(0xabcd); this->a[5] = htons(0xef0); this->a[6] = htons(0x9); this->a[7] = htons(0x10); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[5] = htons(0xffff); this->a[6] = htons(0xc0a8); this->a[7] = htons(0xa01); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[4] = htons(0xffff); this->a[6] = htons(0x1); this->a[7] = htons(0x2); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[0] = htons(0x1); this->a[5] = htons(0xffff); this->a[6] = htons(0x102); this->a[7] = htons(0x304); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { this->a = (uint16_t *)alloca(16); this->a[4] = htons(0x9); this->a[5] = htons(0xa); printf("%s %s\n", inet_ntoa6((in6_addr_t *)this->a), inet_ntop(AF_INET6, this->a)); }
BEGIN { exit(0); }
--- stdout
:: ::
::1 ::1
1:: 1::
1:0:0:2::3 1:0:0:2::3
1::2:0:0:3 1::2:0:0:3
::1:0:0:1:0:0 ::1:0:0:1:0:0
1:0:2:0:3:0:4:0 1:0:2:0:3:0:4:0
ffff:fff:ff:f:1000:100:10:1 ffff:fff:ff:f:1000:100:10:1
fe80::abcd:ef0:9:10 fe80::abcd:ef0:9:10
192.168.10.1 ::ffff:192.168.10.1
::ffff:0:1:2 ::ffff:0:1:2
1::ffff:102:304 1::ffff:102:304
::9:a:0:0 ::9:a:0:0
