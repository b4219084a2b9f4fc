quantize() prints powers of two with an empty row before and after.
options: -q
--- script
BEGIN { @ = quantize(1); @ = quantize(3); @ = quantize(3); @ = quantize(9); exit(0); }
--- stdout


           value  ------------- Distribution ------------- count    
               0 |                                         0        
               1 |@@@@@@@@@@                               1        
               2 |@@@@@@@@@@@@@@@@@@@@                     2        
               4 |                                         0        
               8 |@@@@@@@@@@                               1        
              16 |                                         0        
