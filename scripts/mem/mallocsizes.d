#!/usr/sbin/dtrace -s
/*
 * mallocsizes.d - the sizes that a program asks malloc for.
 *
 * Usage:     mallocsizes.d -c COMMAND, or -p PID and ^C
 * Needs:     pid provider.
 *
 *   a histogram of bytes, and the total
 */

#pragma D option quiet

pid$target:libc.so:malloc:entry
{
	@sizes["malloc, bytes"] = quantize(arg0);
	@calls = count();
	@total = sum(arg0);
}

dtrace:::END
{
	printa("%s%@d", @sizes);
	printa("calls %@d\n", @calls);
	printa("bytes %@d\n", @total);
}
