/* Only opens that fail are shown, with what led to them. */
#pragma D option quiet

syscall::openat:entry
{
	self->spec = speculation();
	speculate(self->spec);
	printf("%s opens fd %d: ", execname, arg0);
}

syscall::openat:return
/self->spec && errno == 0/
{
	discard(self->spec);
	self->spec = 0;
}

syscall::openat:return
/self->spec/
{
	speculate(self->spec);
	printf("error %d\n", errno);
}

syscall::openat:return
/self->spec/
{
	commit(self->spec);
	self->spec = 0;
}
