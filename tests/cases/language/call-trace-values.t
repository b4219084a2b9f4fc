A call trace can be kept in variables of every kind, asked for its parts, shortened, shown later and made a key.
program: hits 1 1
options: -q
--- script
pid$target:hits:work:entry
{
	global = ustack(2);
	self->thread = ustack(1);
	this->clause = ustack(2);
	element["here"] = ustack(2);
}

pid$target:hits:work:entry
/ustack(2).pid == $target/
{
	printf("%d %d %d %d\n", global.depth, global.pid == $target, global.is_user, global.strsz);
	printf("%k", global);
	printf("%k", self->thread);
	global.depth = 1;
	printf("%k", global);
	ufunc(ustack(2).addrs[0]);
	printf("\n%d\n", ustack(2).addrs[1] == this->clause.addrs[1]);
	@[element["here"]] = count();
	@[ustack(2)] = count();
	@[this->clause] = count();
}
--- stdout regex
2 1 1 0

 *hits`work
 *hits`run\+0x[0-9a-f]+

 *hits`work

 *hits`work
 *hits`work *
1


 *hits`work
 *hits`run\+0x[0-9a-f]+
 +3
