proc and sched tell of threads: the members of those that are not the current one as well.
options: -q
program: forks 3 2
--- script
proc:::create
/pid == $target/
{
	@[args[0]->pr_ppid == pid, args[0]->pr_pgid == curpsinfo->pr_pgid, args[0]->pr_sid == curpsinfo->pr_sid,
	    args[0]->pr_fname, args[0]->pr_size > 0] = count();
}
END { printa("%d %d %d %s %d %@d\n", @); }
--- stdout regex
1 1 1 forks 1 [1-9]\d*
