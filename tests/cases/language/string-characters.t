A character of a string variable can be assigned; past its end nothing changes, and NUL ends it.
options: -q
--- script
BEGIN
{
	this->s = "hello";
	this->s[0] = 'J';
	this->s[9] = 'z';
	printf("%s ", this->s);
	i = 3;
	this->s[i] = '\0';
	printf("%s\n", this->s);
	exit(0);
}
--- stdout
Jello Jel
