zonename is the container's name, pid the number that the whole system knows, and progenyof() looks through containers.
options: -q
program: deeds container
--- script
syscall::getppid:entry
/progenyof($target) && pid != $target/
{
	@[zonename, execname, pid == curpsinfo->pr_pid, pid > 5, ppid == $target] = count();
}
BEGIN { printf("%s\n", zonename); }
END { printa("%s %s %d %d %d %@d\n", @); }
--- stdout
global
box deeds 1 1 1 5
