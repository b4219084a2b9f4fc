A narrow value that a function returns has its sign.
options: -q
needs: functions
program: deeds fail
--- script
fbt::do_sys_openat2:return /pid == $target && (int)arg1 == -2/ { @ = count(); @m = min(arg1); }
END { printa("%@d %@d\n", @, @m); }
--- stdout
321 -2
