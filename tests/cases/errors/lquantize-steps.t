lquantize() with a step that is no step.
options: -q -xerrtags
needs: nothing
status: 1
--- script
BEGIN { @ = lquantize(1, 0, 10, 0); }
--- stderr
\[D_LQUANT_STEPTYPE\] line 1
