/*
 * strings: strings of every awkward kind as arguments, in memory that is resident when the probe fires, and pointers
 * that are none, to prove copyinstr(), copyin() and the faults. Provider `strings`.
 *
 *   cc -O1 -g -o strings strings.c
 *   strings [N]     N times (1): strings:::say(n, text, length) and say(n, text, length) for each string n = 0..; then
 *                   strings:::bad(k, pointer) and bad(k, pointer) for NULL, 1, an unmapped page and a string of which
 *                   the end is unmapped
 *
 * Then it prints "string n LENGTH HEX" for each, with all bytes, and "bad k" for each pointer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sdt.h>
#include <unistd.h>

#define STRINGS 16

static char text[STRINGS][5000];
static const char *strings[STRINGS];

__attribute__((noinline)) long say(int n, const char *s, long length)
{
	__asm__ volatile("" : "+r"(s), "+r"(n), "+r"(length)::"memory");
	return n;
}

__attribute__((noinline)) long bad(int k, const char *s)
{
	__asm__ volatile("" : "+r"(s), "+r"(k)::"memory");
	return k;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1, page = sysconf(_SC_PAGESIZE);
	static const char *const literal[] = { "", "a", "hello, world", "two\nlines\tand \"quotes\" \\ and %d", "gr\xc3\xbc\xc3\x9f",
		"not utf-8: \xff\xfe\x80", "/usr/lib//x.so/" };
	static const int length[] = { 62, 63, 64, 254, 255, 256, 257, 4500 };
	int count = 0;
	for (unsigned i = 0; i < sizeof literal / sizeof *literal; i++)
		strings[count++] = strcpy(text[i], literal[i]);
	for (unsigned i = 0; i < sizeof length / sizeof *length; i++, count++) {
		for (int j = 0; j < length[i]; j++)
			text[count][j] = 'a' + (j + i) % 26;
		strings[count] = text[count];
	}
	/* A page, nothing behind it, a page and nothing again: one string ends with the last byte, another does not end. */
	char *edge = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (edge == MAP_FAILED || munmap(edge + page, page) != 0 || munmap(edge + 3 * page, page) != 0)
		return 1;
	strings[count++] = strcpy(edge + page - 9, "the edge");
	memset(edge + 2 * page, 'x', page);
	const char *const pointer[] = { NULL, (char *)1, edge + page, edge + 3 * page - 3 };

	for (long r = 0; r < n; r++) {
		for (int i = 0; i < count; i++) {
			DTRACE_PROBE3(strings, say, i, strings[i], strlen(strings[i]));
			say(i, strings[i], strlen(strings[i]));
		}
		for (int k = 0; k < 4; k++) {
			DTRACE_PROBE2(strings, bad, k, pointer[k]);
			bad(k, pointer[k]);
		}
	}
	for (int i = 0; i < count; i++) {
		printf("string %d %zu ", i, strlen(strings[i]));
		for (const char *s = strings[i]; *s; s++)
			printf("%02x", (unsigned char)*s);
		putchar('\n');
	}
	puts("bad 0\nbad 1\nbad 2\nbad 3");
	return 0;
}
