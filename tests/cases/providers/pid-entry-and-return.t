Entries and returns of the same functions are one program: each firing still knows which probe it is.
options: -q
program: hits 1 300
--- script
pid$target:hits:work:entry, pid$target:hits:run:entry
{
	self->depth++;
	@[probefunc, probename, self->depth] = count();
}
pid$target:hits:work:return, pid$target:hits:run:return
/self->depth/
{
	@[probefunc, probename, self->depth] = count();
	self->depth--;
}
END { printa("%s %s %d: %@d\n", @); }
--- stdout
run entry 1: 1
run return 1: 1
work entry 2: 300
work return 2: 300

