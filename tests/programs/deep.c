/*
 * deep: calls within calls, from a thread, from a library's callback and from a signal handler, compiled without frame
 * pointers as distributions do: a stack is whole only if the frame tables (.eh_frame) are followed.
 *
 *   cc -O1 -g -o deep deep.c
 *   deep            calls leaf(1) five deep, leaf(2) as qsort's comparison, leaf(3) in a thread, leaf(10) in a handler
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) long leaf(long n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

__attribute__((noinline)) long deep(long n)
{
	char room[100];
	memset(room, (int)n, sizeof room);
	__asm__ volatile("" : : "r"(room) : "memory");
	return 1 + (n ? deep(n - 1) : leaf(1)) + room[0];
}

static int compare(const void *a, const void *b)
{
	return (int)leaf(2) + *(const int *)a - *(const int *)b;
}

static void *thread(void *argument)
{
	leaf(3);
	return argument;
}

static void handler(int signal)
{
	if (leaf(signal) != signal)
		abort();
}

int main(void)
{
	int numbers[2] = { 2, 1 };
	pthread_t other;
	deep(4);
	qsort(numbers, 2, sizeof *numbers, compare);
	pthread_create(&other, NULL, thread, NULL);
	pthread_join(other, NULL);
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	return puts("done") < 0;
}
