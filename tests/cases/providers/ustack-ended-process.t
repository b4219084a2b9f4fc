Frames have names when the process has ended before anybody could look at it.
options: -q -Z
after: late 1000
stop: INT
--- script
BEGIN { printf("armed\n"); }
late*:::tick /arg0 == 700/ { @[ustack(2), uaddr(uregs[16])] = count(); }
--- stdout has
armed
late`main\+0x
