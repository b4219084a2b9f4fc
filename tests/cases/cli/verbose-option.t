-x verbose lists the compiled program as -S does; -v is the stability report.
options: -q -xverbose -e -n 'BEGIN { exit(0); }'
--- stderr
Disassembly of clause :::BEGIN
^\d{4} \d{5}: [0-9a-f]{2} 
.
