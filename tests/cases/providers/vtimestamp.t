vtimestamp moves with every firing, by no more than the time that passed, and never goes back: it does not wait for ticks.
options: -q
program: late 2000
--- script
self uint64_t v, t;
int n, stood, back;
uint64_t total, passed;
pid$target::work:entry
{
	this->v = vtimestamp;
	this->t = timestamp;
}
pid$target::work:entry /self->v/
{
	stood += this->v == self->v;
	back += this->v < self->v;
	total += this->v - self->v;
	passed += this->t - self->t;
}
pid$target::work:entry
{
	self->v = this->v;
	self->t = this->t;
	n++;
}
pid$target::work:entry /n == 2000/
{
	/* The clauses read the two clocks a moment apart. */
	printf("%d %d %d\n", stood, back, total > 0 && total <= passed + 1000000);
}
--- stdout
0 0 1
