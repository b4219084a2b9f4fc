fbt probes a kernel function; args[] have the kernel's types.
options: -q
needs: functions
program: deeds file %{tmp}/data
--- script
fbt::vfs_write:entry
/pid == $target && arg2 == 1000/
{
	@[stringof(args[0]->f_path.dentry->d_name.name), args[2]] = count();
}
END { printa("%s %d %@d\n", @); }
--- stdout
data 1000 10
