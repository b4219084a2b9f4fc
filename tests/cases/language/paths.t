basename() and dirname() answer as the commands of that name do, and cleanpath() takes the dots out.
options: -q
--- script
BEGIN
{
	printf("[%s] [%s] [%s] [%s]\n", basename("/a/b/"), basename("/"), basename(""), basename("x"));
	printf("[%s] [%s] [%s] [%s]\n", dirname("/a/b/"), dirname("/a"), dirname("a"), dirname(""));
	printf("[%s]\n", cleanpath("/a/./b/../c//d"));
	exit(0);
}
--- stdout
[b] [/] [.] [x]
[/a] [/] [.] [.]
[/a/c/d]
