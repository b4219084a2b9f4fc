/*
 * hits: a known number of events with known values, from several threads at once, to prove that nothing is lost and
 * every aggregating function is exact.
 *
 *   cc -O1 -g -o hits hits.c -lpthread                  the USDT probe without a semaphore
 *   cc -O1 -g -DSEMAPHORES -o hits-sem hits.c -lpthread     with one, which it tests before it fires
 *   hits THREADS N [wait]     "wait": say "ready PID", go on at a line (or the end) of standard input
 *
 * For i = 0..N-1 each thread t takes v = (i * 7919 + t * 104729) % 100000 - 45000, fires hits:::tick(t, v, "thread-t")
 * and calls work(t, v), which returns 2 * v + t. At the end it prints what any tracer must have seen, one fact a line:
 *
 *   count N / sum / min / max / avg (rounded to zero, as D does) / sumsq / returns (the sum of what work() returned)
 *   thread T COUNT SUM
 *   quantize BUCKET COUNT                  as quantize(v), buckets with a count
 *   lquantize BUCKET COUNT                 as lquantize(v, -40000, 40000, 10000); LOW and HIGH are beyond the limits
 */
#ifdef SEMAPHORES
#define _SDT_HAS_SEMAPHORES 1
__extension__ unsigned short hits_tick_semaphore __attribute__((unused, section(".probes")));
#define ENABLED() __builtin_expect(*(volatile unsigned short *)&hits_tick_semaphore, 0)
#else
#define ENABLED() 1
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>
#include <unistd.h>

#define MAX_THREADS 64

static long per_thread, returned[MAX_THREADS];
static char names[MAX_THREADS][24];

static long value(int thread, long i)
{
	return (i * 7919 + thread * 104729L) % 100000 - 45000;
}

__attribute__((noinline)) long work(int thread, long i)
{
	__asm__ volatile("" : "+r"(i), "+r"(thread));
	return 2 * i + thread;
}

static void *run(void *arg)
{
	int thread = (int)(long)arg;
	for (long i = 0; i < per_thread; i++) {
		long v = value(thread, i);
		if (ENABLED())
			DTRACE_PROBE3(hits, tick, thread, v, names[thread]);
		returned[thread] += work(thread, v);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 4;
	per_thread = argc > 2 ? atol(argv[2]) : 1000;
	if (threads < 1 || threads > MAX_THREADS || per_thread < 1)
		return 2;
	if (argc > 3 && printf("ready %d\n", (int)getpid()) > 0 && fflush(stdout) == 0)
		getchar();
	pthread_t id[MAX_THREADS];
	for (long t = 0; t < threads; t++)
		if (snprintf(names[t], sizeof names[t], "thread-%ld", t) < 0 || pthread_create(&id[t], NULL, run, (void *)t))
			return 1;
	for (int t = 0; t < threads; t++)
		pthread_join(id[t], NULL);

	long sum = 0, min = 0, max = 0, sumsq = 0, returns = 0, quantize[129] = { 0 }, lquantize[10] = { 0 };
	for (int t = 0; t < threads; t++) {
		long mine = 0;
		for (long i = 0; i < per_thread; i++) {
			long v = value(t, i), bits = v ? 64 - __builtin_clzl(v < 0 ? -v : v) : 0;
			mine += v;
			sumsq += v * v;
			min = (t | i) == 0 || v < min ? v : min;
			max = (t | i) == 0 || v > max ? v : max;
			quantize[64 + (v < 0 ? -bits : bits)]++;
			lquantize[v < -40000 ? 0 : v >= 40000 ? 9 : 1 + (v + 40000) / 10000]++;
		}
		printf("thread %d %ld %ld\n", t, per_thread, mine);
		sum += mine;
		returns += returned[t];
	}
	printf("count %ld\nsum %ld\nmin %ld\nmax %ld\navg %ld\nsumsq %ld\nreturns %ld\n", threads * per_thread, sum, min, max,
	    sum / (threads * per_thread), sumsq, returns);
	for (int b = -63; b <= 63; b++)
		if (quantize[64 + b])
			printf("quantize %ld %ld\n", b == 0 ? 0 : b < 0 ? -(1L << (-b - 1)) : 1L << (b - 1), quantize[64 + b]);
	printf("lquantize LOW %ld\n", lquantize[0]);
	for (int b = 1; b < 9; b++)
		printf("lquantize %d %ld\n", -40000 + (b - 1) * 10000, lquantize[b]);
	printf("lquantize HIGH %ld\n", lquantize[9]);
	return 0;
}
