/*
 * forks: children that are forked while they are traced, and their children, to prove that what is attached once holds
 * for all of them. Provider `forks`.
 *
 *   cc -O1 -g -o forks forks.c
 *   forks CHILDREN N [wait]     "wait": say "ready PID", go on at a line (or the end) of standard input
 *
 * Each child c = 0..CHILDREN-1, one grandchild of each odd child, and the parent (as c = -1) fire forks:::tick(c, i) and
 * call work(c, i) for i = 0..N-1. When all have ended it prints, for each process, "process PID C COUNT SUM", and then
 * "count TOTAL" and "sum TOTAL".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sdt.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) long work(int child, long i)
{
	__asm__ volatile("" : "+r"(i), "+r"(child));
	return i + child;
}

static void burst(int child, long n)
{
	for (long i = 0; i < n; i++) {
		DTRACE_PROBE2(forks, tick, child, i);
		work(child, i);
	}
}

static void report(int child, long n)
{
	/* One write each: the lines of processes that run at once do not mix. */
	char line[128];
	int length = snprintf(line, sizeof line, "process %d %d %ld %ld\n", (int)getpid(), child, n, n * (n - 1) / 2);
	if (write(1, line, length) != length)
		_exit(1);
}

int main(int argc, char **argv)
{
	int children = argc > 1 ? atoi(argv[1]) : 4;
	long n = argc > 2 ? atol(argv[2]) : 1000, processes = 1;
	if (argc > 3 && strcmp(argv[3], "wait") == 0) {
		printf("ready %d\n", (int)getpid());
		fflush(stdout);
		getchar();
	}
	for (int c = 0; c < children; c++) {
		pid_t pid = fork();
		if (pid < 0)
			return 1;
		if (pid == 0) {
			pid_t grandchild = c % 2 ? fork() : 0;
			burst(c, n);
			report(c, n);
			if (grandchild > 0)
				waitpid(grandchild, NULL, 0);
			_exit(0);
		}
		processes += 1 + c % 2;
	}
	burst(-1, n);
	report(-1, n);
	while (wait(NULL) > 0)
		;
	printf("count %ld\nsum %ld\n", processes * n, processes * (n * (n - 1) / 2));
	return 0;
}
