llquantize() divides each power of its factor into steps.
options: -q
--- script
BEGIN
{
	@ = llquantize(0, 10, 0, 2, 10);
	@ = llquantize(7, 10, 0, 2, 10);
	@ = llquantize(45, 10, 0, 2, 10);
	@ = llquantize(1000, 10, 0, 2, 10);
	exit(0);
}
--- stdout has
< 1 \|@@@@@@@@@@  +1 
 7 \|@@@@@@@@@@  +1 
 40 \|@@@@@@@@@@  +1 
>= 1000 \|@@@@@@@@@@  +1 
