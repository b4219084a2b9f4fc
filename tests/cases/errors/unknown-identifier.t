A name that nobody knows, with its line.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN
{
	trace(nosuchname);
}
--- stderr
^dtrace: failed to compile script script\.d: \[D_IDENT_UNDEF\] line 3: failed to resolve nosuchname: Unknown variable name
