/* How long read() takes, by program; what it read. */
#pragma D option quiet

syscall::read:entry
{
	self->start = timestamp;
}

syscall::read:return
/self->start/
{
	@latency[execname] = quantize(timestamp - self->start);
	@bytes[execname] = sum(arg0);
	self->start = 0;
}
