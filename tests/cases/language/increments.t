++ and -- before a variable give the new value, after it the old one, for variables of every kind.
options: -q
--- script
BEGIN
{
	g = 1;
	self->t = 10;
	this->c = 100;
	a["k"] = 1000;
	printf("%d %d %d %d\n", g++, self->t--, ++this->c, a["k"]++);
	printf("%d %d %d %d\n", g, self->t, this->c, --a["k"]);
	exit(0);
}
--- stdout
1 10 101 1000
2 9 101 1000
