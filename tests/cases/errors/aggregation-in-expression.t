An aggregation is no operand.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN
{
	@a = count();
	trace(@a + 3);
}
--- stderr
\[D_OP_INCOMPAT\] line 4
