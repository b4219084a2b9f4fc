#!/usr/sbin/dtrace -s
/*
 * biolatency.d - how long the disks take.
 *
 * Usage:     biolatency.d            until ^C: a histogram for each disk and direction
 * Needs:     io provider.
 *
 *   microseconds from the request's start in the driver to its end
 */

#pragma D option quiet

io:::start
{
	began[args[0]->b_edev, args[0]->b_blkno] = timestamp;
}

io:::done
/began[args[0]->b_edev, args[0]->b_blkno]/
{
	this->us = (timestamp - began[args[0]->b_edev, args[0]->b_blkno]) / 1000;
	@[args[1]->dev_statname, args[0]->b_flags & B_READ ? "read" : "write"] = quantize(this->us);
	began[args[0]->b_edev, args[0]->b_blkno] = 0;
}

dtrace:::END
{
	printa("%s %s, microseconds%@d\n", @);
}
