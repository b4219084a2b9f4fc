A script at more places than maxprobes allows is refused before anything is attached.
options: -q -xmaxprobes=50
program: late 1
status: 1
--- script
pid$target:libc.so.6::entry { n++; }
--- stderr
the script's probes are at \d+ places, more than 50: make its descriptions narrower, or allow more \(-x maxprobes=\d+\)
