-l -i lists the probe of a number.
options: -l -i 2
--- stdout has
^ +2 +dtrace .* END$
