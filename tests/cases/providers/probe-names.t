A probe knows its provider, module, function and name.
options: -q
program: hits 1 1
--- script
BEGIN { printf("[%s|%s|%s|%s]\n", probeprov, probemod, probefunc, probename); }
pid$target::work:return { printf("[%s|%s|%s]\n", probemod, probefunc, probename); }
hits$target:::tick { printf("[%s|%s|%s]\n", probemod, probefunc, probename); }
pid$target::work:return, hits$target:::tick
{
	printf("%d\n", probeprov == strjoin(probename == "tick" ? "hits" : "pid", lltostr($target)));
}
--- stdout
[dtrace|||BEGIN]
[hits|run|tick]
1
[hits|work|return]
1
