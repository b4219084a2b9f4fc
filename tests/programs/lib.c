/*
 * lib: a shared library with a function and a USDT probe of its own (provider `lib`), for libmain (linked with it) and
 * dlopener (which opens it late), to prove that probes of a library are found, and found when it comes later.
 *
 *   cc -O1 -g -fPIC -shared -o libduo.so lib.c
 */
#include <sys/sdt.h>

long lib_work(long i);

__attribute__((noinline)) long lib_work(long i)
{
	DTRACE_PROBE2(lib, tick, i, "lib");
	__asm__ volatile("" : "+r"(i));
	return i * 3;
}
