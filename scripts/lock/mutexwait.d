#!/usr/sbin/dtrace -s
/*
 * mutexwait.d - how long a program's threads take to get their mutexes, and who takes them.
 *
 * Usage:     mutexwait.d -c COMMAND, or -p PID and ^C
 * Needs:     pid provider.
 *
 *   nanoseconds in pthread_mutex_lock(), and its calls by caller
 */

#pragma D option quiet

pid$target:libc.so:pthread_mutex_lock:entry
{
	self->began = timestamp;
	@callers[ucaller] = count();
}

pid$target:libc.so:pthread_mutex_lock:return
/self->began/
{
	@["pthread_mutex_lock, nanoseconds"] = quantize(timestamp - self->began);
	self->began = 0;
}

dtrace:::END
{
	printa("%s%@d", @);
	printf("%10s  %s\n", "CALLS", "CALLER");
	printa("%@10d  %A\n", @callers);
}
