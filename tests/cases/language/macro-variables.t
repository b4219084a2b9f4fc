The variables of the tracer: its process, its user.
options: -q
--- script
BEGIN /pid == $pid && uid == $uid && gid == $gid && $euid == $uid/ { printf("mine\n"); }
BEGIN { exit(0); }
--- stdout
mine
