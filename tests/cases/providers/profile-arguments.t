arg0 and arg1 of profile are the kernel's and the user's program counter: one of them is zero.
options: -q
program: hits 2 3000000
--- script
int n, ok, user;
profile-997 /pid == $target/ { n++; ok += (arg0 == 0) != (arg1 == 0); user += arg1 != 0; }
END { printf("%d %d\n", n > 0 && n == ok, user > 0); }
--- stdout
1 1
