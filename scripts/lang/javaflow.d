#!/usr/sbin/dtrace -s
/*
 * javaflow.d - Java methods as they are called and return, indented.
 *
 * Usage:     javaflow.d -c COMMAND [CLASS]     or until ^C, all processes
 *                CLASS: only methods of classes whose name begins so (as in com/example); without it, of all but the
 *                library's own
 * Needs:     a hotspot with probes (Debian's is), run with -XX:+ExtendedDTraceProbes or -XX:+DTraceMethodProbes.
 *
 *   TID            the thread: each has an indentation of its own
 *   US             microseconds since the script's begin
 */

#pragma D option quiet
#pragma D option defaultargs

#pragma D option switchrate=10hz

self int depth;

dtrace:::BEGIN
{
	began = timestamp;
	printf("%7s %7s %10s  %s\n", "PID", "TID", "US", "METHOD");
}

hotspot*:::method-entry, hotspot*:::method-return
{
	/* Names have a length and no end: one more byte is for that. */
	this->class = copyinstr(arg1, arg2 + 1);
	this->wanted = $$1 != "" ? index(this->class, $$1) == 0 :
	    index(this->class, "java/") != 0 && index(this->class, "jdk/") != 0 && index(this->class, "sun/") != 0;
}

hotspot*:::method-entry
/this->wanted/
{
	printf("%7d %7d %10d  %*s-> %s.%s\n", pid, tid, (timestamp - began) / 1000, self->depth * 2, "", this->class,
	    copyinstr(arg3, arg4 + 1));
	self->depth++;
}

hotspot*:::method-return
/this->wanted && self->depth > 0/
{
	self->depth--;
	printf("%7d %7d %10d  %*s<- %s.%s\n", pid, tid, (timestamp - began) / 1000, self->depth * 2, "", this->class,
	    copyinstr(arg3, arg4 + 1));
}
