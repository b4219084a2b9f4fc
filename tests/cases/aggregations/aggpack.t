aggpack prints a quantize in one line.
options: -q -xaggpack
--- script
BEGIN { @["k"] = quantize(2); exit(0); }
--- stdout has
k .*\|.*1
