The second argument of quantize() is what the value counts for.
options: -q
--- script
BEGIN { @ = quantize(16, 10); @ = quantize(32, 30); exit(0); }
--- stdout


           value  ------------- Distribution ------------- count    
               8 |                                         0        
              16 |@@@@@@@@@@                               10       
              32 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@           30       
              64 |                                         0        
