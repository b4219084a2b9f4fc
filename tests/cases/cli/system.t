system() runs a command with the records before it printed first.
options: -q -w
--- script
BEGIN { printf("before\n"); system("echo %s %d", "said", 42); printf("after\n"); exit(0); }
--- stdout
before
said 42
after
