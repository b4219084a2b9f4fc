fds[] tells of open files: names, place and mode; of none where there is no such descriptor.
options: -q
program: deeds file %{tmp}/data
--- script
syscall::read:entry
/pid == $target && arg2 == 100/
{
	this->file = fds[arg0].fi_name;
	printf("%s %d %d %d", this->file, fds[arg0].fi_dirname == "%{tmp}", fds[arg0].fi_pathname == "%{tmp}/data",
	    (fds[arg0].fi_oflags & O_ACCMODE) == O_RDWR);
	printf(" %d\n", fds[arg0].fi_offset);
}
syscall::read:entry
/pid == $target && arg2 == 100 && !done++/
{
	printf("%s %s %d\n", fds[-1].fi_name, fds[1000000].fi_pathname, fds[999].fi_oflags);
}
--- stdout
data 1 1 1 0
<none> <none> 0
data 1 1 1 100
data 1 1 1 200
data 1 1 1 300
data 1 1 1 400
data 1 1 1 500
data 1 1 1 600
