/*
 * sites: a load for ci/bench: one function or probe fired N times, and what a turn took of this thread's processor time.
 *
 *   sites KIND N [LENGTH]   KIND: nop5, nop1 (USDT probes sites:::nop5, sites:::nop1 of arguments i and a string of LENGTH
 *                           bytes), deep (sites:::deep below 20 frames), push, endbr, leaf (functions at_push(i, string)
 *                           and so on; at_leaf begins with a nop of five bytes), key (sites:::key of LENGTH different
 *                           numbers, one after the other), getppid (a system call), spin (a microsecond of counting), none
 *                           (the loop alone). RATE: turns a second at most
 *
 * Prints "ns NS": nanoseconds a turn. A pause before lets tracers that attach late be there.
 */
#include <duotrace/sdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* As <sys/sdt.h> plants it: the same note at a one-byte no-op. */
#undef DUOTRACE_SDT_NOP
#define DUOTRACE_SDT_NOP "nop"
__attribute__((noinline)) static void nop1(long i, const char *s) { DTRACE_PROBE2(sites, nop1, i, s); }
#undef DUOTRACE_SDT_NOP
#define DUOTRACE_SDT_NOP ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00"
__attribute__((noinline)) static void nop5(long i, const char *s) { DTRACE_PROBE2(sites, nop5, i, s); }

/* Scattered over 48 bits, as addresses are. */
__attribute__((noinline)) static void key(unsigned long n) { DTRACE_PROBE1(sites, key, n * 0x9e3779b97f4a7c15UL >> 16); }

/* Frames with frame pointers, that every tool can walk them. */
__attribute__((noinline, optimize("no-omit-frame-pointer", "no-optimize-sibling-calls"))) static long below(long depth, long i, const char *s)
{
	if (depth > 0)
		return below(depth - 1, i, s) + 1;
	DTRACE_PROBE2(sites, deep, i, s);
	return i;
}
static void deep(long i, const char *s) { below(20, i, s); }

long at_push(long i, const char *s), at_endbr(long i, const char *s), at_leaf(long i, const char *s);
__asm__(".globl at_push, at_endbr, at_leaf\n\t.type at_push,@function\n\t.type at_endbr,@function\n\t.type at_leaf,@function\n"
	"at_leaf:\t.byte 0x0f,0x1f,0x44,0,0\n\tmov %rdi,%rax\n\tret\n\t.size at_leaf,.-at_leaf\n\t.balign 16\n"
	"at_push:\tpush %rbp\n\tmov %rsp,%rbp\n\tmov %rdi,%rax\n\tpop %rbp\n\tret\n\t.size at_push,.-at_push\n\t.balign 16\n"
	"at_endbr:\tendbr64\n\tpush %rbp\n\tmov %rsp,%rbp\n\tmov %rdi,%rax\n\tpop %rbp\n\tret\n\t.size at_endbr,.-at_endbr\n");

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return 1e9 * t.tv_sec + t.tv_nsec;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "none";
	long n = argc > 2 ? atol(argv[2]) : 100000, length = argc > 3 ? atol(argv[3]) : 8;
	static char text[4096];
	if (length >= 0 && length < (long)sizeof text)
		memset(text, 'x', length);
	void (*probe)(long, const char *) = !strcmp(kind, "nop5") ? nop5 : !strcmp(kind, "nop1") ? nop1 : !strcmp(kind, "deep") ? deep : 0;
	int keys = !strcmp(kind, "key"), calls = !strcmp(kind, "getppid"), spins = !strcmp(kind, "spin");
	long (*function)(long, const char *) = !strcmp(kind, "push") ? at_push : !strcmp(kind, "endbr") ? at_endbr : !strcmp(kind, "leaf") ? at_leaf : 0;
	/* With a RATE: no more than so many turns a second, a thousandth of them at a time. */
	long burst = (argc > 4 ? atol(argv[4]) : 0) / 1000;
	struct timespec next;
	usleep(100000); /* for tracers that are late */
	clock_gettime(CLOCK_MONOTONIC, &next);
	double start = now();
	for (long i = 0; i < n; i++) {
		if (burst && i % burst == 0) {
			next.tv_nsec += 1000000;
			if (next.tv_nsec >= 1000000000) {
				next.tv_nsec -= 1000000000;
				next.tv_sec++;
			}
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, 0);
		}
		if (probe)
			probe(i, text);
		else if (function)
			function(i, text);
		else if (keys)
			key(i % (length ? length : 1));
		else if (calls)
			syscall(SYS_getppid);
		else if (spins)
			for (int turn = 0; turn < 2000; turn++)
				__asm__ volatile("" : "+r"(turn));
		else
			__asm__ volatile("" : "+r"(i));
	}
	double took = now() - start;
	printf("ns %.1f\n", n ? took / n : 0.0);
	fflush(stdout);
	/* For who reads the statistics of the tracer's programs meanwhile. */
	usleep(200000);
	return 0;
}
