#!/usr/sbin/dtrace -s
/*
 * runqlat.d - how long threads that could run wait for a processor.
 *
 * Usage:     runqlat.d [COMMAND]     until ^C; COMMAND: only this command
 * Needs:     sched provider.
 *
 *   microseconds from being put on a run queue to being put on a processor
 */

#pragma D option quiet
#pragma D option defaultargs

sched:::enqueue
{
	queued[args[0]->pr_lwpid, args[1]->pr_pid] = timestamp;
}

sched:::on-cpu
/queued[curlwpsinfo->pr_lwpid, curpsinfo->pr_pid]/
{
	this->us = (timestamp - queued[curlwpsinfo->pr_lwpid, curpsinfo->pr_pid]) / 1000;
	queued[curlwpsinfo->pr_lwpid, curpsinfo->pr_pid] = 0;
	this->known = 1;
}

sched:::on-cpu
/this->known && ($$1 == "" || execname == $$1)/
{
	@["run queue, microseconds"] = quantize(this->us);
}

sched:::on-cpu
{
	this->known = 0;
}
