/*
 * libmain: calls the library it is linked with; see lib.c.
 *
 *   cc -O1 -g -o libmain libmain.c -L. -lduo -Wl,-rpath,'$ORIGIN'
 *   libmain N     lib_work(i), which fires lib:::tick(i, "lib"), for i = 0..N-1; prints "count N", "sum SUM" of the
 *                 arguments and "returns SUM" of what came back
 */
#include <stdio.h>
#include <stdlib.h>

long lib_work(long i);

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000, returns = 0;
	for (long i = 0; i < n; i++)
		returns += lib_work(i);
	printf("count %ld\nsum %ld\nreturns %ld\n", n, n * (n - 1) / 2, returns);
	return 0;
}
