self-> is of a thread: what one process set, another does not see.
options: -q
program: forks 2 10
--- script
pid$target::work:entry { self->n++; }
forks*:::tick /pid == $target/ { self->ticks++; }
pid$target::report:entry
/pid == $target/
{
	printf("%d %d\n", self->n, self->ticks);
}
--- stdout
10 10
