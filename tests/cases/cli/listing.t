-S lists the compiled program in the columns of dtrace's listing.
options: -q -S -e -n 'BEGIN { exit(0); }'
--- stderr
OPCODE                  INSTRUCTION
.
