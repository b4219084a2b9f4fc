plockstat tells of every lock of a process: acquired, waited for, let go; recursive ones and both sides of rw locks.
options: -q
program: locks
--- script
uintptr_t plain, recursive, shared;
pid$target::note:entry { plain = arg0; recursive = arg1; shared = arg2; }
plockstat$target:::mutex-*
/arg0 == plain/
{
	@["plain", probename, arg1] = count();
}
plockstat$target:::mutex-*
/arg0 == recursive/
{
	@["recursive", probename, arg1] = count();
}
plockstat$target:::rw-*
/arg0 == shared/
{
	@["shared", probename, arg1] = count();
}
END { printa("%s %s %d %@d\n", @); }
#pragma D option aggsortkey
--- stdout
plain mutex-acquire 0 12
plain mutex-block 0 1
plain mutex-blocked 1 1
plain mutex-release 0 12
recursive mutex-acquire 0 1
recursive mutex-acquire 1 1
recursive mutex-release 0 1
recursive mutex-release 1 1
shared rw-acquire 0 6
shared rw-acquire 1 4
shared rw-block 0 1
shared rw-blocked 0 1
shared rw-release 0 6
shared rw-release 1 4
