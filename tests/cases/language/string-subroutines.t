The subroutines on strings.
options: -q
--- script
BEGIN
{
	s = "the quick brown fox";
	printf("%d [%s] [%s]\n", strlen(s), substr(s, 4, 5), substr(s, -3));
	printf("%d %d %d [%s]\n", index(s, "qu"), rindex(s, "o"), index(s, "cat"), strstr(s, "brown"));
	printf("[%s] [%s]\n", strchr(s, 'b'), strrchr(s, 'o'));
	printf("[%s]", strtok(s, " "));
	printf(" [%s]", strtok(NULL, " "));
	printf(" [%s]\n", strtok(NULL, "x"));
	printf("%s %s %s %s\n", strjoin("a", "b"), toupper("mixed Case"), tolower("UPPER"), lltostr(-15));
	exit(0);
}
--- stdout
19 [quick] [fox]
4 17 -1 [brown fox]
[brown fox] [ox]
[the] [quick] [ brown fo]
ab MIXED CASE upper -15
