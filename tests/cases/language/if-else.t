if and else choose statements, also nested and without braces.
options: -q
--- script
int n;
tick-1ms
/n < 5/
{
	if (n % 2 == 0) {
		if (n == 4)
			printf("four\n");
		else
			printf("even %d\n", n);
	} else
		printf("odd %d\n", n);
	n++;
}
tick-1ms /n == 5/ { exit(0); }
--- stdout
even 0
odd 1
even 2
odd 3
four
