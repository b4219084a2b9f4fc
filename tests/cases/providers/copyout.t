copyout() and copyoutstr() change the process' memory before its next instruction; what cannot be written is a fault.
options: -q -w
program: strings
--- script
strings$target:::say /arg0 == 1/ { this->p = (char *)alloca(1); this->p[0] = 'Z'; copyout(this->p, arg1, 1); }
strings$target:::say /arg0 == 2/ { copyoutstr("HELLO", arg1, 6); copyoutstr("J", arg1, 1); }
pid$target:a.out:say:entry /arg0 == 1 || arg0 == 2/ { printf("%s\n", copyinstr(arg1)); }
strings$target:::bad /arg0 == 1/ { copyoutstr("x", arg1, 2); }
--- stdout
Z
JELLO
--- stderr
invalid address \(0x1\)
