/*
 * duotrace/sdt.h: USDT probes at five-byte no-ops; takes the place of <sys/sdt.h>.
 *
 * A traced probe costs a trap wherever the probed instruction is a one-byte nop, as <sys/sdt.h> plants it. Since Linux
 * 6.18 on x86-64 the kernel turns a probed five-byte nop into a call instead, at about half the price. The notes are
 * the same (.note.stapsdt, version 3), so every tracer that reads those finds these probes. Elsewhere than on x86-64
 * the no-op is the plain one.
 *
 *   #include <duotrace/sdt.h>          instead of <sys/sdt.h>; or compile with -I.../include/duotrace, which has a
 *                                      <sys/sdt.h> of its own that includes this file
 *   DTRACE_PROBE2(provider, name, a, b);     also STAP_PROBE2 and DTRACE_PROBE; up to 12 arguments
 *
 * Semaphores, which are non-zero while somebody traces the probe:
 *
 *   #define _SDT_HAS_SEMAPHORES 1      before including; then each probe needs, once in the program,
 *   DUOTRACE_SEMAPHORE(provider, name);      at file scope
 *   if (DUOTRACE_ENABLED(provider, name)) DTRACE_PROBE1(provider, name, dear());
 *
 * `extern DUOTRACE_SEMAPHORE_DECLARE(provider, name);` names a semaphore of another file. What `dtrace -h` generates
 * (provider_name_semaphore) works as well.
 *
 * The kernel's call pushes a return address. In a leaf function the compiler may keep variables below the stack
 * pointer (the red zone), where that push would overwrite them; so each probe tells the compiler not to
 * (`DUOTRACE_SDT_STACK` below).
 */
#ifndef DUOTRACE_SDT_H
#define DUOTRACE_SDT_H

#ifdef _SYS_SDT_H
#error "include <duotrace/sdt.h> before, or instead of, <sys/sdt.h>"
#endif
/* <sys/sdt.h> included later adds nothing. */
#define _SYS_SDT_H 1

#if defined __x86_64__ && !defined __ILP32__
#define DUOTRACE_SDT_NOP ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00"
#else
#define DUOTRACE_SDT_NOP "nop"
#endif

#if defined __LP64__
#define DUOTRACE_SDT_ADDRESS ".8byte"
#else
#define DUOTRACE_SDT_ADDRESS ".4byte"
#endif

#ifndef STAP_SDT_ARG_CONSTRAINT
#if defined __powerpc64__
#define STAP_SDT_ARG_CONSTRAINT "nZr"
#elif defined __arm__
#define STAP_SDT_ARG_CONSTRAINT "g"
#else
#define STAP_SDT_ARG_CONSTRAINT "nor"
#endif
#endif

/*
 * A jump that is never taken (the statement has no instruction) to a real call: a function that calls another one has no
 * red zone.
 */
#if defined __x86_64__ && !defined __ILP32__
#define DUOTRACE_SDT_STACK \
	__label__ duotrace_sdt_never; \
	__asm__ goto("" : : : : duotrace_sdt_never); \
	if (0) { \
	duotrace_sdt_never: \
		__builtin_abort(); \
	}
#else
#define DUOTRACE_SDT_STACK
#endif


#ifdef __cplusplus

extern "C++" {
namespace duotrace_sdt {
/* Only ever under sizeof: passing by value turns arrays into pointers and drops qualifiers. */
template <typename T> char (&bytes(T))[sizeof(T)];
template <typename T> char (&sign(T))[1];
char (&sign(signed char))[2];
char (&sign(char))[char(-1) < char(0) ? 2 : 1];
char (&sign(short))[2];
char (&sign(int))[2];
char (&sign(long))[2];
char (&sign(long long))[2];
} // namespace duotrace_sdt
}
#define DUOTRACE_SDT_BYTES(x) ((int)sizeof(duotrace_sdt::bytes(x)))
#define DUOTRACE_SDT_SIGNED(x) (sizeof(duotrace_sdt::sign(x)) == 2)
#else
/* Classes 1 to 4 are the integers, characters, enumerations and booleans; arrays count as pointers. */
#define DUOTRACE_SDT_INTEGER(x) (__builtin_classify_type(x) >= 1 && __builtin_classify_type(x) <= 4)
#define DUOTRACE_SDT_VALUE(x) __builtin_choose_expr(DUOTRACE_SDT_INTEGER(x), (x), 0UL)
#define DUOTRACE_SDT_BYTES(x) \
	((int)(__builtin_classify_type(x) == 5 ? sizeof(void *) : sizeof(x)))
#define DUOTRACE_SDT_SIGNED(x) ((__typeof__(DUOTRACE_SDT_VALUE(x)))-1 < 1)
#endif

/* %n prints the constant negated: a signed argument's size has to become negative in the note, hence this way around. */
#define DUOTRACE_SDT_OPERAND(n, x) \
	[size##n] "n"(DUOTRACE_SDT_SIGNED(x) ? DUOTRACE_SDT_BYTES(x) : -DUOTRACE_SDT_BYTES(x)), \
	[value##n] STAP_SDT_ARG_CONSTRAINT(x)
#define DUOTRACE_SDT_TEXT(n) "%n[size" #n "]@%[value" #n "]"

#define DUOTRACE_SEMAPHORE_DECLARE(provider, name) \
	unsigned short provider##_##name##_semaphore __attribute__((section(".probes"), used))
#ifdef __cplusplus
#define DUOTRACE_SEMAPHORE(provider, name) \
	extern "C" { DUOTRACE_SEMAPHORE_DECLARE(provider, name) = 0; } \
	extern "C" unsigned short provider##_##name##_semaphore
#else
#define DUOTRACE_SEMAPHORE(provider, name) DUOTRACE_SEMAPHORE_DECLARE(provider, name) = 0
#endif
#define DUOTRACE_ENABLED(provider, name) \
	__builtin_expect(*(volatile unsigned short *)&provider##_##name##_semaphore, 0)

#ifdef _SDT_HAS_SEMAPHORES
#define DUOTRACE_SDT_SEMAPHORE(provider, name) #provider "_" #name "_semaphore"
#define DUOTRACE_SDT_USE(provider, name) __asm__ __volatile__("" ::"m"(provider##_##name##_semaphore));
#else
#define DUOTRACE_SDT_SEMAPHORE(provider, name) "0"
#define DUOTRACE_SDT_USE(provider, name)
#endif

#ifdef __ASSEMBLER__
#error "<duotrace/sdt.h> is for C and C++"
#endif

/* The note: name, three addresses (probe, base, semaphore), then provider, name and arguments as strings. */
#define DUOTRACE_SDT_PROBE(provider, name, text, operands) \
	do { \
		DUOTRACE_SDT_STACK \
		DUOTRACE_SDT_USE(provider, name) \
		__asm__ __volatile__("990:\t" DUOTRACE_SDT_NOP "\n" \
				     "\t.pushsection .note.stapsdt,\"?\",\"note\"\n" \
				     "\t.balign 4\n" \
				     "\t.4byte 992f-991f, 994f-993f, 3\n" \
				     "991:\t.asciz \"stapsdt\"\n" \
				     "992:\t.balign 4\n" \
				     "993:\t" DUOTRACE_SDT_ADDRESS " 990b\n" \
				     "\t" DUOTRACE_SDT_ADDRESS " _.stapsdt.base\n" \
				     "\t" DUOTRACE_SDT_ADDRESS " " DUOTRACE_SDT_SEMAPHORE(provider, name) "\n" \
				     "\t.asciz \"" #provider "\"\n" \
				     "\t.asciz \"" #name "\"\n" \
				     "\t.asciz \"" text "\"\n" \
				     "994:\t.balign 4\n" \
				     "\t.popsection\n" \
				     ".ifndef _.stapsdt.base\n" \
				     "\t.pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
				     "\t.weak _.stapsdt.base\n" \
				     "\t.hidden _.stapsdt.base\n" \
				     "_.stapsdt.base:\t.space 1\n" \
				     "\t.size _.stapsdt.base, 1\n" \
				     "\t.popsection\n" \
				     ".endif\n" \
				     : \
				     : operands); \
	} while (0)
#define DUOTRACE_SDT_LIST(...) __VA_ARGS__

#define STAP_PROBE(provider, name) DUOTRACE_SDT_PROBE(provider, name, "", DUOTRACE_SDT_LIST())
#define DTRACE_PROBE(provider, name) STAP_PROBE(provider, name)
#define STAP_PROBE0(provider, name) STAP_PROBE(provider, name)
#define DTRACE_PROBE0(provider, name) STAP_PROBE(provider, name)

#define STAP_PROBE1(provider, name, a1) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1)))
#define DTRACE_PROBE1(provider, name, a1) STAP_PROBE1(provider, name, a1)
#define STAP_PROBE2(provider, name, a1, a2) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2)))
#define DTRACE_PROBE2(provider, name, a1, a2) STAP_PROBE2(provider, name, a1, a2)
#define STAP_PROBE3(provider, name, a1, a2, a3) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3)))
#define DTRACE_PROBE3(provider, name, a1, a2, a3) STAP_PROBE3(provider, name, a1, a2, a3)
#define STAP_PROBE4(provider, name, a1, a2, a3, a4) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4)))
#define DTRACE_PROBE4(provider, name, a1, a2, a3, a4) STAP_PROBE4(provider, name, a1, a2, a3, a4)
#define STAP_PROBE5(provider, name, a1, a2, a3, a4, a5) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5)))
#define DTRACE_PROBE5(provider, name, a1, a2, a3, a4, a5) STAP_PROBE5(provider, name, a1, a2, a3, a4, a5)
#define STAP_PROBE6(provider, name, a1, a2, a3, a4, a5, a6) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5) " " DUOTRACE_SDT_TEXT(6), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5), DUOTRACE_SDT_OPERAND(6, a6)))
#define DTRACE_PROBE6(provider, name, a1, a2, a3, a4, a5, a6) STAP_PROBE6(provider, name, a1, a2, a3, a4, a5, a6)
#define STAP_PROBE7(provider, name, a1, a2, a3, a4, a5, a6, a7) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5) " " DUOTRACE_SDT_TEXT(6) " " DUOTRACE_SDT_TEXT(7), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5), DUOTRACE_SDT_OPERAND(6, a6), \
			DUOTRACE_SDT_OPERAND(7, a7)))
#define DTRACE_PROBE7(provider, name, a1, a2, a3, a4, a5, a6, a7) STAP_PROBE7(provider, name, a1, a2, a3, a4, a5, a6, a7)
#define STAP_PROBE8(provider, name, a1, a2, a3, a4, a5, a6, a7, a8) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5) " " DUOTRACE_SDT_TEXT(6) " " DUOTRACE_SDT_TEXT(7) " " DUOTRACE_SDT_TEXT(8), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5), DUOTRACE_SDT_OPERAND(6, a6), \
			DUOTRACE_SDT_OPERAND(7, a7), DUOTRACE_SDT_OPERAND(8, a8)))
#define DTRACE_PROBE8(provider, name, a1, a2, a3, a4, a5, a6, a7, a8) STAP_PROBE8(provider, name, a1, a2, a3, a4, a5, a6, a7, a8)
#define STAP_PROBE9(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5) " " DUOTRACE_SDT_TEXT(6) " " DUOTRACE_SDT_TEXT(7) " " DUOTRACE_SDT_TEXT(8) \
		" " DUOTRACE_SDT_TEXT(9), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5), DUOTRACE_SDT_OPERAND(6, a6), \
			DUOTRACE_SDT_OPERAND(7, a7), DUOTRACE_SDT_OPERAND(8, a8), DUOTRACE_SDT_OPERAND(9, a9)))
#define DTRACE_PROBE9(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9) STAP_PROBE9(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9)
#define STAP_PROBE10(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5) " " DUOTRACE_SDT_TEXT(6) " " DUOTRACE_SDT_TEXT(7) " " DUOTRACE_SDT_TEXT(8) \
		" " DUOTRACE_SDT_TEXT(9) " " DUOTRACE_SDT_TEXT(10), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5), DUOTRACE_SDT_OPERAND(6, a6), \
			DUOTRACE_SDT_OPERAND(7, a7), DUOTRACE_SDT_OPERAND(8, a8), DUOTRACE_SDT_OPERAND(9, a9), \
			DUOTRACE_SDT_OPERAND(10, a10)))
#define DTRACE_PROBE10(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10) STAP_PROBE10(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10)
#define STAP_PROBE11(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5) " " DUOTRACE_SDT_TEXT(6) " " DUOTRACE_SDT_TEXT(7) " " DUOTRACE_SDT_TEXT(8) \
		" " DUOTRACE_SDT_TEXT(9) " " DUOTRACE_SDT_TEXT(10) " " DUOTRACE_SDT_TEXT(11), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5), DUOTRACE_SDT_OPERAND(6, a6), \
			DUOTRACE_SDT_OPERAND(7, a7), DUOTRACE_SDT_OPERAND(8, a8), DUOTRACE_SDT_OPERAND(9, a9), \
			DUOTRACE_SDT_OPERAND(10, a10), DUOTRACE_SDT_OPERAND(11, a11)))
#define DTRACE_PROBE11(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11) STAP_PROBE11(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11)
#define STAP_PROBE12(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12) \
	DUOTRACE_SDT_PROBE(provider, name, \
		DUOTRACE_SDT_TEXT(1) " " DUOTRACE_SDT_TEXT(2) " " DUOTRACE_SDT_TEXT(3) " " DUOTRACE_SDT_TEXT(4) \
		" " DUOTRACE_SDT_TEXT(5) " " DUOTRACE_SDT_TEXT(6) " " DUOTRACE_SDT_TEXT(7) " " DUOTRACE_SDT_TEXT(8) \
		" " DUOTRACE_SDT_TEXT(9) " " DUOTRACE_SDT_TEXT(10) " " DUOTRACE_SDT_TEXT(11) " " DUOTRACE_SDT_TEXT(12), \
		DUOTRACE_SDT_LIST(DUOTRACE_SDT_OPERAND(1, a1), DUOTRACE_SDT_OPERAND(2, a2), DUOTRACE_SDT_OPERAND(3, a3), \
			DUOTRACE_SDT_OPERAND(4, a4), DUOTRACE_SDT_OPERAND(5, a5), DUOTRACE_SDT_OPERAND(6, a6), \
			DUOTRACE_SDT_OPERAND(7, a7), DUOTRACE_SDT_OPERAND(8, a8), DUOTRACE_SDT_OPERAND(9, a9), \
			DUOTRACE_SDT_OPERAND(10, a10), DUOTRACE_SDT_OPERAND(11, a11), DUOTRACE_SDT_OPERAND(12, a12)))
#define DTRACE_PROBE12(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12) STAP_PROBE12(provider, name, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12)

#endif /* DUOTRACE_SDT_H */
