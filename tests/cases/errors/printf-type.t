printf() of a string as an integer.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { printf("%d\n", "text"); }
--- stderr
\[D_PRINTF_ARG_TYPE\] line 1: printf\( \) argument #2 is incompatible
	conversion: %d
	 prototype: char, short, int, long, or long long
	  argument: string
