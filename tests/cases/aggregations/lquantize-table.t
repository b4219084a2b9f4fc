lquantize() has a row for what is below and one for what is above.
options: -q
--- script
BEGIN { @ = lquantize(-1, 0, 10, 5); @ = lquantize(4, 0, 10, 5); @ = lquantize(5, 0, 10, 5); @ = lquantize(10, 0, 10, 5); exit(0); }
--- stdout


           value  ------------- Distribution ------------- count    
             < 0 |@@@@@@@@@@                               1        
               0 |@@@@@@@@@@                               1        
               5 |@@@@@@@@@@                               1        
           >= 10 |@@@@@@@@@@                               1        
