The members of psinfo_t and lwpsinfo_t of the current process and thread.
options: -q
program: deeds calls
--- script
syscall::getppid:entry
/pid == $target && !n++/
{
	printf("%d %d %d %d\n", curpsinfo->pr_argc, curpsinfo->pr_size > 100, curpsinfo->pr_nlwp, curpsinfo->pr_dmodel);
	this->argv = (uintptr_t *)copyin(curpsinfo->pr_argv, 16);
	printf("%s\n", copyinstr(this->argv[1]));
	printf("%d %d %d\n", curpsinfo->pr_euid == euid, curpsinfo->pr_egid == egid,
	    curpsinfo->pr_envp == curpsinfo->pr_argv + 8 * (curpsinfo->pr_argc + 1));
	printf("%s %c %d %d %d\n", curlwpsinfo->pr_clname, curlwpsinfo->pr_sname, curlwpsinfo->pr_state,
	    curlwpsinfo->pr_bindpro, curlwpsinfo->pr_lwpid == tid);
}
--- stdout
2 1 1 2
calls
1 1 1
TS O 6 -1 1
