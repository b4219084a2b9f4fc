sum() of negative values, with a key of one byte, which prints without its sign.
options: -q
--- script
BEGIN { @[(char)0x1ff] = sum(-7); @[(char)0x1ff] = sum(-8); exit(0); }
--- stdout

 255              -15
