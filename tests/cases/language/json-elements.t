json() finds elements by names and indices; NULL where there is none. Addresses as text, of scratch memory.
options: -q
--- script
BEGIN
{
	this->text = "{ \"ab\": {\"a\": 0}, \"a\": 1, \"b\": {\"c\": \"s\\\"t\", \"d\": [10, {\"e\":-2.5}]}, \"t\": true }";
	printf("%s %s %s %s\n", json(this->text, "a"), json(this->text, "ab.a"), json(this->text, "t"),
	    json(this->text, "b.c"));
	printf("%s %s\n", json(this->text, "b.d[1].e"), json(this->text, "b.d"));
	printf("%d %d %d\n", json(this->text, "zz") == NULL, json(this->text, "a.b") == NULL,
	    json(this->text, "b.d[2]") == NULL);
}

BEGIN
{
	this->six = (char *)alloca(20);
	this->six[10] = 0xff;
	this->six[11] = 0xff;
	this->six[12] = 192;
	this->six[15] = 7;
	this->address = (void *)this->six;
	printf("%s %s\n", inet_ntop(10, this->address), inet_ntoa6(this->address));
	printf("%s\n", inet_ntoa6(this->address, 1));
	printf("%s %s\n", link_ntop(1, (void *)(this->six + 9)), link_ntop(32, this->address));
	this->six[10] = 0;
	printf("%s\n", inet_ntop(10, this->address));
	exit(0);
}
--- stdout
1 0 true s\"t
-2.5 [10, {"e":-2.5}]
1 1 1
::ffff:192.0.0.7 192.0.0.7
::ffff:192.0.0.7
00:ff:ff:c0:00:00 00:00:00:00:00:00:00:00:00:00:ff:ff:c0:00:00:07:00:00:00:00
::ff:c000:7
