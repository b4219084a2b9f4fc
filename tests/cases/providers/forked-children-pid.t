pid$target probes fire in the target, not in its children.
options: -q
program: forks 3 10
--- script
pid$target::work:entry { @[pid == $target] = count(); }
END { printa("%d %@d\n", @); }
--- stdout
1 10
