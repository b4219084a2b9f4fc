A decimal constant that only an unsigned type can hold has to say so.
options: -q -xerrtags
status: 1
--- script
BEGIN { trace(9223372036854775808u); trace(0x8000000000000000); trace(9223372036854775808); exit(0); }
--- stderr
\[D_INT_OFLOW\] line 1: integer constant 0x8000000000000000 cannot be represented in any built-in integral type
