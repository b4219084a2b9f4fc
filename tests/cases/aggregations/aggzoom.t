aggzoom scales the bars so that the longest takes 95 % of the width.
options: -q -xaggzoom
--- script
BEGIN { @ = lquantize(1, 0, 3, 1); @ = lquantize(1, 0, 3, 1); @ = lquantize(2, 0, 3, 1); exit(0); }
--- stdout


           value  ------------- Distribution ------------- count    
               0 |                                         0        
               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@   2        
               2 |@@@@@@@@@@@@@@@@@@@                      1        
            >= 3 |                                         0        
