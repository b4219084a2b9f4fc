Keys of several parts, printed in columns, sorted by the value.
options: -q
--- script
BEGIN
{
	@["b", 2] = sum(20);
	@["a", 1] = sum(30);
	@["a", 2] = sum(10);
	exit(0);
}
--- stdout

  a                                                         2               10
  b                                                         2               20
  a                                                         1               30
