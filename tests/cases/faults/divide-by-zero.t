Division by zero when running.
options: -q
--- script
BEGIN { z = 0; trace(10 / z); }
BEGIN { z = 0; trace(10 % z); }
BEGIN { exit(0); }
--- stderr
divide-by-zero in action #1
