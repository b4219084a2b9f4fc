trace() in quiet mode prints the values alone.
options: -q
--- script
BEGIN { trace(42); trace("text"); trace(-1); exit(0); }
--- stdout
42text-1
