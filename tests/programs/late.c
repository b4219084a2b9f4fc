/*
 * late: a program that a test starts after the tracer, with a provider nobody had when the tracer began: by default it
 * fires the moment it runs, so that nothing but the kernel can have attached in time. Provider `late`.
 *
 *   cc -O1 -g -o late late.c
 *   late N [MS]     sleeps MS milliseconds (0), fires late:::tick(i, "late") and calls work(i) for i = 0..N-1, and
 *                   prints "pid PID", "count N" and "sum SUM"
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>
#include <unistd.h>

__attribute__((noinline)) long work(long i)
{
	__asm__ volatile("" : "+r"(i));
	return i;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;
	static char name[] = "late";
	if (argc > 2)
		usleep(atoi(argv[2]) * 1000);
	for (long i = 0; i < n; i++) {
		DTRACE_PROBE2(late, tick, i, name);
		work(i);
	}
	printf("pid %d\ncount %ld\nsum %ld\n", (int)getpid(), n, n * (n - 1) / 2);
	return 0;
}
