/*
 * args: USDT probes with operands of every form a compiler writes, and then some, to prove that each argument is read
 * right. Provider `args`.
 *
 *   cc -O1 -g -o args args.c       args [N]: each probe fires N times (1); then what arg0, arg1... had to be, a line
 *                                  for each probe: NAME VALUE VALUE... (`*`: any value)
 *
 * The probes that begin with r, m, k or s have notes written here by hand, so that the operands do not depend on what
 * the compiler chooses; they are for x86-64. `types` and `twelve` are made by <sys/sdt.h>.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>

int32_t glob[4] = { -41, 42, -43, 44 };
int64_t globl = -1234567890123L;
static int64_t table[4] __attribute__((aligned(8))) = { 0x1122334455667788, -2, 0x00000000ffffff85, 4 };

#ifdef __x86_64__
/* A probe: SETUP, the place of the probe, and its note, with OPERANDS as they stand. */
#define PROBE(name, operands, setup, after)                                                                            \
	__asm__ volatile(setup "\n990: nop\n" after "\n.pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n"          \
	    ".4byte 992f-991f, 994f-993f, 3\n991: .asciz \"stapsdt\"\n992: .balign 4\n"                                \
	    "993: .8byte 990b, _.stapsdt.base, 0\n.asciz \"args\"\n.asciz \"" name "\"\n.asciz \"" operands "\"\n"     \
	    "994: .balign 4\n.popsection\n" ::"S"(table)                                                               \
	    : "rax", "rbx", "rcx", "rdx", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "memory")
#define SET(reg, value) "movabs $" value ", %%" reg "\n"

static void operands(void)
{
	PROBE("r64", "8@%%rax -8@%%rbx 8@%%rcx 8@%%rdx -8@%%rdi 8@%%r8 8@%%r9 8@%%r10 8@%%r11 8@%%r12",
	    SET("rax", "1") SET("rbx", "-2") SET("rcx", "3") SET("rdx", "0x7fffffffffffffff") SET("rdi", "-5")
	    SET("r8", "6") SET("r9", "7") SET("r10", "8") SET("r11", "9") SET("r12", "10"), "");
	PROBE("r64high", "-8@%%r13 8@%%r14 8@%%r15", SET("r13", "-11") SET("r14", "12") SET("r15", "13"), "");
	/* The upper halves hold what must not be seen. */
	PROBE("r32", "-4@%%eax 4@%%ebx -4@%%r8d 4@%%r15d", SET("rax", "0x5ffffffff") SET("rbx", "0x5ffffffff")
	    SET("r8", "0x780000000") SET("r15", "0x780000000"), "");
	PROBE("r16", "-2@%%ax 2@%%bx -2@%%r9w 2@%%r10w", SET("rax", "0x5ffff") SET("rbx", "0x5ffff")
	    SET("r9", "0x78000") SET("r10", "0x78000"), "");
	PROBE("r8", "-1@%%al 1@%%bl 1@%%ah -1@%%ch -1@%%dil 1@%%dl -1@%%r11b", SET("rax", "0x5a580") SET("rbx", "0x5ff")
	    SET("rcx", "0x58000") SET("rdi", "0x5fe") SET("rdx", "0x580") SET("r11", "0x57f"), "");
	PROBE("memory", "8@(%%rsi) -8@8(%%rsi) -4@16(%%rsi) 1@16(%%rsi) -1@16(%%rsi) 2@-2(%%rbx) -2@6(%%rsi,%%rcx)",
	    "lea 8(%%rsi), %%rbx\n" SET("rcx", "2"), "");
	PROBE("mindex", "8@(%%rsi,%%rcx,8) 8@16(%%rsi,%%rdx,4) 8@(,%%rdi,8) -8@-8(,%%rdi,8)",
	    SET("rcx", "3") SET("rdx", "2") "lea 16(%%rsi), %%rdi\nshr $3, %%rdi", "");
	PROBE("mrip", "-4@glob(%%rip) 4@glob(%%rip) -4@4+glob(%%rip) -4@glob+8(%%rip) -8@globl(%%rip) -4@-4+glob+8(%%rip)", "", "");
	PROBE("stack", "-8@(%%rbp) -8@8(%%rsp) -4@8(%%rsp)",
	    "lea -128(%%rsp), %%rsp\npushq $-77\npush %%rbp\nlea 8(%%rsp), %%rbp", "pop %%rbp\nlea 136(%%rsp), %%rsp");
	PROBE("konst", "-4@$-5 4@$-1 4@$4294967295 -8@$-9223372036854775808 8@$0x10 1@$255 1@$-1 -1@$-128 2@$65535 8@$0", "", "");
	/* An operand that nobody can give as an integer does not take the others with it. */
	PROBE("rfloat", "8f@%%xmm0 -4@%%eax", SET("rax", "-3"), "");
	PROBE("knone", "", "", "");
}
#endif

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1;
	volatile int8_t i8 = -8;
	volatile uint8_t u8 = 248;
	volatile int16_t i16 = -1600;
	volatile uint16_t u16 = 65000;
	volatile int32_t i32 = -320000;
	volatile uint32_t u32 = 4000000000u;
	volatile int64_t i64 = -6400000000;
	volatile uint64_t u64 = 6400000000;
	for (long i = 0; i < n; i++) {
#ifdef __x86_64__
		operands();
#endif
		DTRACE_PROBE8(args, types, i8, u8, i16, u16, i32, u32, i64, u64);
		DTRACE_PROBE12(args, twelve, 0, i8, 2, -3, 4, i16, 6, 7L, i64, 9, u8, 11);
	}
#ifdef __x86_64__
	puts("r64 1 -2 3 9223372036854775807 -5 6 7 8 9 10\nr64high -11 12 13\nr32 -1 4294967295 -2147483648 2147483648\n"
	     "r16 -1 65535 -32768 32768\nr8 -128 255 165 -128 -2 128 127\n"
	     "memory 1234605616436508552 -2 -123 133 -123 4386 -2\nmindex 4 4 4294967173 -2\n"
	     "mrip -41 4294967255 42 -43 -1234567890123 42\nstack -77 -77 -77\n"
	     "konst -5 4294967295 4294967295 -9223372036854775808 16 255 255 -128 65535 0\nrfloat * -3\nknone");
#endif
	puts("types -8 248 -1600 65000 -320000 4000000000 -6400000000 6400000000\n"
	     "twelve 0 -8 2 -3 4 -1600 6 7 -6400000000 9 248 11");
	return 0;
}
