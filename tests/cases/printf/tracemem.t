tracemem() dumps bytes.
options: -q
program: strings
--- script
strings$target:::say /arg0 == 2/ { tracemem(copyin(arg1, 12), 12); }
--- stdout

             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef
         0: 68 65 6c 6c 6f 2c 20 77 6f 72 6c 64              hello, world
