#!/usr/sbin/dtrace -s
/*
 * filetop.d - bytes read and written, by file.
 *
 * Usage:     filetop.d [COMMAND]     until ^C; COMMAND: only this command
 * Needs:     syscall provider. Files are known from their opening: those open before the script began are not shown.
 *
 *   READ WRITTEN   bytes by read(2) and write(2), the most read last
 */

#pragma D option quiet
#pragma D option defaultargs

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

syscall::open:return, syscall::openat:return
/self->path && errno == 0/
{
	file[pid, (int)arg1] = copyinstr(self->path);
}

syscall::open:return, syscall::openat:return
/self->path/
{
	self->path = 0;
}

syscall::close:entry
/file[pid, (int)arg0] != 0/
{
	file[pid, (int)arg0] = 0;
}

syscall::read:entry, syscall::write:entry
/file[pid, (int)arg0] != 0/
{
	self->file = file[pid, (int)arg0];
}

syscall::read:return
/self->file != 0 && errno == 0/
{
	@read[execname, self->file] = sum(arg1);
	@written[execname, self->file] = sum(0);
}

syscall::write:return
/self->file != 0 && errno == 0/
{
	@read[execname, self->file] = sum(0);
	@written[execname, self->file] = sum(arg1);
}

syscall::read:return, syscall::write:return
/self->file != 0/
{
	self->file = 0;
}

dtrace:::END
{
	printf("%12s %12s %-16s %s\n", "READ", "WRITTEN", "COMMAND", "FILE");
	printa("%@12d %@12d %-16s %s\n", @read, @written);
}
