timestamp counts nanoseconds and does not go back; walltimestamp is the time of day; vtimestamp counts less than time passed.
options: -q
program: late 200000
--- script
self uint64_t last, v;
int n, back;
pid$target::work:entry /!self->last/ { self->last = timestamp; self->v = vtimestamp; }
pid$target::work:entry { back += timestamp < self->last; self->last = timestamp; n++; }
pid$target::work:entry /n == 200000/
{
	printf("%d %d %d\n", back, walltimestamp > 1700000000000000000, vtimestamp > self->v);
}
--- stdout
0 1 1
