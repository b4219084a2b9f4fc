Globs with *, ? and [] in every part of a probe description.
options: -q
program: hits 1 10
--- script
h?ts*:hi*:r[a-u]n:t*k /pid == $target/ { @a = count(); }
pid$target:hit[rst]:w?rk:e*y { @b = count(); }
END { printa("%@d %@d\n", @a, @b); }
--- stdout
10 10
