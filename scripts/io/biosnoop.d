#!/usr/sbin/dtrace -s
/*
 * biosnoop.d - disk requests, one line each.
 *
 * Usage:     biosnoop.d              until ^C
 * Needs:     io provider.
 *
 *   PID COMMAND    who was on the processor when the request started (writes are often the kernel's)
 *   D              R read, W write
 *   US             microseconds from start to end
 */

#pragma D option quiet

dtrace:::BEGIN
{
	printf("%7s %-16s %-10s %1s %12s %8s %8s\n", "PID", "COMMAND", "DISK", "D", "BLOCK", "BYTES", "US");
}

io:::start
{
	began[args[0]->b_edev, args[0]->b_blkno] = timestamp;
	who[args[0]->b_edev, args[0]->b_blkno] = pid;
	command[args[0]->b_edev, args[0]->b_blkno] = execname;
	bytes[args[0]->b_edev, args[0]->b_blkno] = args[0]->b_bcount;
}

io:::done
/began[args[0]->b_edev, args[0]->b_blkno]/
{
	printf("%7d %-16s %-10s %s %12d %8d %8d\n", who[args[0]->b_edev, args[0]->b_blkno],
	    command[args[0]->b_edev, args[0]->b_blkno], args[1]->dev_statname,
	    args[0]->b_flags & B_READ ? "R" : "W", args[0]->b_blkno, bytes[args[0]->b_edev, args[0]->b_blkno],
	    (timestamp - began[args[0]->b_edev, args[0]->b_blkno]) / 1000);
	began[args[0]->b_edev, args[0]->b_blkno] = 0;
	who[args[0]->b_edev, args[0]->b_blkno] = 0;
	command[args[0]->b_edev, args[0]->b_blkno] = 0;
	bytes[args[0]->b_edev, args[0]->b_blkno] = 0;
}
