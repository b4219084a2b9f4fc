/* Paths, a bad address, the ERROR probe, exit status. */
#pragma D option quiet

syscall::openat:entry
{
	printf("%s %s %s\n", execname, basename(copyinstr(arg1)), dirname(copyinstr(arg1)));
}

ERROR
{
	printf("fault %d at %x\n", arg4, arg5);
}

syscall::openat:entry
/arg1 == 0x30/
{
	exit(2);
}
