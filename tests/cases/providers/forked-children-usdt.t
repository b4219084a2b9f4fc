What is forked while it is traced is traced by a glob; $target alone is the parent.
options: -q
program: forks 4 25
--- script
forks*:::tick /progenyof($target)/ { @all = count(); }
forks$target:::tick { @one = count(); }
END { printa("%@d %@d\n", @all, @one); }
--- stdout
175 25
