cpc counts the kernel's own events: a count of 1 fires at each of them.
options: -q
program: deeds faults
--- script
cpc:::page_faults-user-1 /pid == $target/ { @[arg0 == 0, arg1 != 0] = count(); }
END { printa("%d %d %@d\n", @); }
--- stdout regex
1 1 10\d\d
