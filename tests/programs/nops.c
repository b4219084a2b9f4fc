/*
 * nops: a program whose probes are planted by <duotrace/sdt.h>, in C or C++. Its function leaf() calls nothing and keeps
 * variables in memory: what a tracer does at the probe must not touch them. Provider `nops`.
 *
 *   cc -O1 -g -I../../include -o nops nops.c           without semaphores
 *   cc -O1 -g -I../../include -DSEMAPHORES ...         with them
 *   nops N       for i = 0..N-1: fires nops:::leaf(i, 2 * i) and, where it is enabled, nops:::many(...); prints "count N",
 *                "sum SUM" of i + 2 * i, "wrong W" (results of leaf() that were not right), "asked A" (times that many
 *                was enabled) and "ns NS", the processor time of one turn
 */
#ifdef SEMAPHORES
#define _SDT_HAS_SEMAPHORES 1
#endif
#include <duotrace/sdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef SEMAPHORES
DUOTRACE_SEMAPHORE(nops, leaf);
DUOTRACE_SEMAPHORE(nops, many);
#define ENABLED() DUOTRACE_ENABLED(nops, many)
#else
#define ENABLED() 1
#endif

__attribute__((noinline)) static long leaf(long a, long b)
{
	volatile long kept[8];
	for (int i = 0; i < 8; i++)
		kept[i] = a + i;
	DTRACE_PROBE2(nops, leaf, a, b);
	long sum = 0;
	for (int i = 0; i < 8; i++)
		sum += kept[i];
	return sum;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return 1e9 * t.tv_sec + t.tv_nsec;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000, wrong = 0, asked = 0;
	char text[] = "text";
	short negative = -3;
	unsigned char byte = 200;
	double start = now();
	for (long i = 0; i < n; i++) {
		wrong += leaf(i, 2 * i) != 8 * i + 28;
		if (ENABLED()) {
			asked++;
			DTRACE_PROBE6(nops, many, text, negative, byte, -7L, 5u, i);
		}
	}
	printf("count %ld\nsum %ld\nwrong %ld\nasked %ld\nns %.0f\n", n, 3 * (n * (n - 1) / 2), wrong, asked,
	       n ? (now() - start) / n : 0.0);
	return 0;
}
