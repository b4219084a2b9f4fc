#!/usr/sbin/dtrace -s
/*
 * pagefaults.d - page faults by command.
 *
 * Usage:     pagefaults.d            until ^C
 * Needs:     vminfo provider.
 *
 *   FAULTS         address translation faults, the most last
 */

#pragma D option quiet

vminfo:::as_fault
{
	@[execname] = count();
}

dtrace:::END
{
	printf("%-16s %10s\n", "COMMAND", "FAULTS");
	printa("%-16s %@10d\n", @);
}
