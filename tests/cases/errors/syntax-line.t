A syntax error with its line.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN
{
	x = 1;
	y = = 2;
}
--- stderr
\[D_SYNTAX\] line 4: syntax error near "="
