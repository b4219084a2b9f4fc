The kernel stack in sched:::on-cpu is that of the thread that goes on, which waits in the kernel.
options: -q
program: late 200
--- script
sched:::on-cpu
/pid == $target/
{
	@[stack(1)] = count();
}
END { printa("%k\n", @); }
--- stdout has
^ *vmlinux`
