A flag is on or off by any of these words, in any case of letters.
options: -x quiet=Yes -x aggsortrev=ENABLED -x aggsortkey=no -x agghist=disabled
--- script
#pragma D option aggsortrev=off
BEGIN { @["a"] = sum(2); @["b"] = sum(1); exit(0); }
--- stdout

  b                                                                 1
  a                                                                 2
