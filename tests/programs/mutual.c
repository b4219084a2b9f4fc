/*
 * mutual: even() and odd() call each other: calls under way at one time that neither function shows by itself.
 *
 *   cc -O1 -g -o mutual mutual.c
 *   mutual N            calls even(N), which calls odd(N - 1), and so on: N + 1 calls, all under way at the end
 */
#include <stdio.h>
#include <stdlib.h>

int odd(int n);

__attribute__((noinline)) int even(int n)
{
	int answer = n ? odd(n - 1) : 1;
	__asm__ volatile("" : "+r"(answer));
	return answer;
}

__attribute__((noinline)) int odd(int n)
{
	int answer = n ? even(n - 1) : 0;
	__asm__ volatile("" : "+r"(answer));
	return answer;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 99;
	printf("%d\n", even(n));
	return 0;
}
