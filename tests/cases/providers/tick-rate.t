tick-20ms fires about 10 times in 200 ms, on one CPU at a time.
options: -q
--- script
BEGIN { start = timestamp; }
tick-20ms { n++; }
tick-20ms /n == 10/
{
	this->ms = (timestamp - start) / 1000000;
	printf("%s\n", this->ms >= 170 && this->ms < 400 ? "as it should be" : lltostr(this->ms));
	exit(0);
}
--- stdout
as it should be
