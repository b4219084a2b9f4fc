pid, tid, ppid, execname and the credentials are the process's that fires the probe.
options: -q
program: hits 1 1
--- script
pid$target::main:entry
{
	printf("%d %d %s %d %d %d\n", pid == $target, tid == pid, execname, ppid == $pid, uid == $uid, gid == $gid);
}
pid$target::work:entry { printf("%d %d\n", pid == $target, tid != pid); }
--- stdout
1 1 hits 1 1 1
1 1
