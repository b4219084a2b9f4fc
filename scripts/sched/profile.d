#!/usr/sbin/dtrace -s
/*
 * profile.d - where processors spend their time: user stacks, sampled 97 times a second on each.
 *
 * Usage:     profile.d [COMMAND]     until ^C; COMMAND: only this command
 *            profile.d COMMAND | fold.sh | flamegraph.pl > out.svg
 * Needs:     profile provider.
 *
 *   stacks, innermost frame first, each with its number of samples below it; fold.sh beside this script turns them
 *   into one line each: frames from the outermost on, separated by `;`, and the number
 */

#pragma D option quiet
#pragma D option defaultargs

profile:::profile-97
/arg1 && ($$1 == "" || execname == $$1)/
{
	@[execname, ustack(50)] = count();
}

dtrace:::END
{
	printa("\n%s\n%k%@d\n", @);
}
