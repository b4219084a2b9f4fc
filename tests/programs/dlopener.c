/*
 * dlopener: opens the library of lib.c by dlopen() when it has run for a while, and calls it.
 *
 *   cc -O1 -g -o dlopener dlopener.c -ldl
 *   dlopener LIBRARY N MS [AGAIN]     says "ready PID", sleeps MS milliseconds, opens LIBRARY ("opened"), calls
 *                                     lib_work(i) for i = 0..N-1 and closes it; AGAIN times more (0). Prints "count",
 *                                     "sum" and "returns" as libmain does, over all the times.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	long n = atol(argv[2]), times = 1 + (argc > 4 ? atol(argv[4]) : 0), returns = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready %d\n", (int)getpid());
	for (long t = 0; t < times; t++) {
		usleep(atoi(argv[3]) * 1000);
		void *library = dlopen(argv[1], RTLD_NOW);
		long (*work)(long) = library ? (long (*)(long))dlsym(library, "lib_work") : NULL;
		if (work == NULL) {
			fprintf(stderr, "dlopener: %s\n", dlerror());
			return 1;
		}
		puts("opened");
		for (long i = 0; i < n; i++)
			returns += work(i);
		dlclose(library);
	}
	printf("count %ld\nsum %ld\nreturns %ld\n", times * n, times * (n * (n - 1) / 2), returns);
	return 0;
}
