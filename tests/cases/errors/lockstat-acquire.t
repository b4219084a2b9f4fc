What Linux does not tell of locks is refused.
options: -q
status: 1
--- script
lockstat:::adaptive-acquire { n++; }
--- stderr
Linux tells of locks only where somebody waits for them
