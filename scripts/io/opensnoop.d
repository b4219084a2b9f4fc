#!/usr/sbin/dtrace -s
/*
 * opensnoop.d - files that are opened, and those that could not be.
 *
 * Usage:     opensnoop.d [COMMAND]   until ^C; COMMAND: only this command
 * Needs:     syscall provider.
 *
 *   FD             the descriptor, -1 where it failed
 *   ERR            errno of the failure, else 0
 *   PATH           as the program wrote it
 */

#pragma D option quiet
#pragma D option defaultargs

dtrace:::BEGIN
{
	printf("%7s %-16s %4s %4s %s\n", "PID", "COMMAND", "FD", "ERR", "PATH");
}

syscall::open:entry
/$$1 == "" || execname == $$1/
{
	self->path = arg0;
}

syscall::openat:entry
/$$1 == "" || execname == $$1/
{
	self->path = arg1;
}

/* The path is read at return: by then the page it is in has been brought in by the call itself. */
syscall::open:return, syscall::openat:return
/self->path/
{
	printf("%7d %-16s %4d %4d %s\n", pid, execname, errno ? -1 : (int)arg1, errno, copyinstr(self->path));
	self->path = 0;
}
