quantize() puts negative values on the other side of zero.
options: -q
--- script
BEGIN { @ = quantize(-5); @ = quantize(0); @ = quantize(5); @ = quantize(-1); exit(0); }
--- stdout


           value  ------------- Distribution ------------- count    
              -8 |                                         0        
              -4 |@@@@@@@@@@                               1        
              -2 |                                         0        
              -1 |@@@@@@@@@@                               1        
               0 |@@@@@@@@@@                               1        
               1 |                                         0        
               2 |                                         0        
               4 |@@@@@@@@@@                               1        
               8 |                                         0        
