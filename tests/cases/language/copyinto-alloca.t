alloca() gives memory that copyinto() fills and that can be read through a pointer.
options: -q
program: strings
--- script
strings$target:::say
/arg0 == 2/
{
	this->p = (char *)alloca(32);
	copyinto(arg1, 5, this->p);
	this->p[5] = '\0';
	printf("%s %c\n", stringof(this->p), this->p[4]);
}
--- stdout
hello o
