/*
 * A libdtrace for tests, with the layouts of the Sun family: illumos and macOS (FUNCTION 128), FreeBSD (FUNCTION 192).
 * It compiles nothing: words in the program's text say what it does (see dtrace_program_strcompile). One clause fires
 * once, with a record for each action there is; aggregations hold one element for each function.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FUNCTION
#define FUNCTION 128
#endif
/* The first number of the library's own actions: another in every version. */
#ifndef ACT_BASE
#define ACT_BASE 51
#endif

/* DTRACE_VERSION: a library refuses callers that were made for another. */
#ifndef VERSION
#define VERSION 3
#endif

typedef struct { uint16_t action; uint32_t size, offset; uint16_t alignment, format; uint64_t arg, uarg; } rec_t;
typedef struct { uint32_t id; char prov[64], mod[64], func[FUNCTION], name[64]; } pdesc_t;
typedef struct { uint32_t epid, probeid; uint64_t uarg; uint32_t size; int nrecs; rec_t rec[64]; } edesc_t;
typedef struct {
	void *handle; edesc_t *edesc; pdesc_t *pdesc; int cpu; char *data; int flow; const char *prefix; int indent;
} pdata_t;
typedef struct {
	char *name; int64_t varid; int flags; uint32_t id, epid, size; int nrecs; uint32_t pad; rec_t rec[12];
} aggdesc_t;
typedef struct {
	void *handle; aggdesc_t *desc; edesc_t *edesc; pdesc_t *pdesc; char *data; uint64_t normal; size_t size;
	char *delta; char **percpu, **percpu_delta;
} aggdata_t;
typedef struct { void *ecb, *action, *last, *agg; const char *fmt; } stmt_t;
typedef struct { void *difo, *next; uint16_t kind; uint32_t ntuple; uint64_t arg, uarg; int refcnt; } action_t;
typedef struct { void *action; void *pred[2]; pdesc_t probe; } ecb_t;
typedef struct {
	void *handle; edesc_t *edesc; pdesc_t *pdesc; int cpu, action, offset, fault; uint64_t addr; const char *msg;
} err_t;
typedef struct { void *handle; int cpu, kind; uint64_t drops, total; const char *msg; } drop_t;
typedef struct { uint8_t d[3], s[3]; uint32_t aggs, recgens, matches, specs; } info_t;

typedef int data_f(const void *, void *);
typedef int rec_f(const void *, const void *, void *);
typedef int iter_f(void *, const void *, void *);
typedef int stmt_f(void *, void *, const void *, void *);

static int handle, fired, enabled, last_error;
static char message[256] = "nothing is wrong";
static const char *text = "";
static data_f *on_error, *on_drop;
static void (*on_proc)(void *, const char *, void *);
static void *err_arg, *drop_arg, *proc_arg;
static pdesc_t probes[2];

static void fill(pdesc_t *p, uint32_t id, const char *f, const char *n)
{
	memset(p, 0, sizeof (*p));
	p->id = id;
	strcpy(p->prov, "fake");
	strcpy(p->mod, "unit");
	strcpy(p->func, f);
	strcpy(p->name, n);
}

static int fail(int e, const char *m)
{
	last_error = e;
	snprintf(message, sizeof (message), "%s", m);
	return (-1);
}

void *dtrace_open(int version, int flags, int *errp)
{
	fill(&probes[0], 1, "", "BEGIN");
	fill(&probes[1], 2, "f", "entry");
	if (version != VERSION || flags != 0) {
		*errp = fail(1000, "Client requested version newer than library");
		return (NULL);
	}
	return (&handle);
}
int dtrace_errno(void *h) { return (last_error); }
const char *dtrace_errmsg(void *h, int e) { return (message); }
int dtrace_setopt(void *h, const char *name, const char *value)
{
	if (strcmp(name, "nonsense") == 0)
		return (fail(1001, "Invalid value for specified option"));
	return (strcmp(name, "agghist") == 0 ? fail(1002, "Invalid option name") : 0);
}
int dtrace_getopt(void *h, const char *name, int64_t *value)
{
	*value = strcmp(name, "strsize") == 0 ? 256 : -2;
	return (0);
}
void *dtrace_program_strcompile(void *h, const char *s, int spec, uint32_t flags, int argc, char *const argv[])
{
	if (strstr(s, "clear(@duotrace)") != NULL)
		return (&fired);
	text = strdup(s);
	if (strstr(s, "wrong") != NULL) {
		fail(1003, "[D_SYNTAX] line 1: syntax error near \"wrong\"");
		return (NULL);
	}
	if (strstr(s, "abort") != NULL)
		abort();
	if (strstr(s, "stuck") != NULL)
		for (;;)
			pause();
	return (&handle);
}
void *dtrace_program_fcompile(void *h, FILE *f, uint32_t flags, int argc, char *const argv[])
{
	char *s = calloc(1, 65536);
	if (fread(s, 1, 65535, f) == 0)
		return (NULL);
	return (dtrace_program_strcompile(h, s, -1, flags, argc, argv));
}
void dtrace_program_info(void *h, void *p, info_t *i) { memset(i, 0, sizeof (*i)); i->matches = 7; }
int dtrace_program_exec(void *h, void *p, info_t *i) { enabled = 1; dtrace_program_info(h, p, i); return (0); }
int dtrace_stmt_iter(void *h, void *p, stmt_f *f, void *arg)
{
	static ecb_t ecb;
	static action_t count = { .kind = 0x701 }, clear = { .kind = 5, .arg = ACT_BASE + 15 };
	static stmt_t s[2] = { { &ecb, &count }, { &ecb, &clear } };
	ecb.probe = probes[1];
	return (f(h, p, &s[0], arg) < 0 || f(h, p, &s[1], arg) < 0 ? -1 : 0);
}
int dtrace_go(void *h) { return (strstr(text, "nogo") != NULL ? fail(1004, "Permission denied") : 0); }
int dtrace_stop(void *h) { return (0); }
void dtrace_sleep(void *h) { usleep(1000); }
int dtrace_aggregate_snap(void *h) { return (0); }
int dtrace_handle_err(void *h, data_f *f, void *arg)
{
	/* Oracle's enables a program of its own, for which it has no room after others: it would write behind a block. */
	if (enabled)
		abort();
	on_error = f;
	err_arg = arg;
	return (0);
}
int dtrace_handle_drop(void *h, data_f *f, void *arg) { on_drop = f; drop_arg = arg; return (0); }
int dtrace_handle_proc(void *h, void (*f)(void *, const char *, void *), void *arg)
{
	on_proc = f;
	proc_arg = arg;
	return (0);
}
#if FUNCTION == 192
void *dtrace_proc_create(void *h, const char *file, char *const *argv, void *fn, void *arg)
{
	return (fn == NULL && arg == NULL ? &fired : NULL);
}
int proc_getpid(void *p) { return (4242); }
#else
void *dtrace_proc_create(void *h, const char *file, char *const *argv) { return (&fired); }
const int *Pstatus(void *p) { static const int s[3] = { 0, 1, 4242 }; return (s); }
#endif
void *dtrace_proc_grab(void *h, int pid, int flags) { return (&fired); }
void dtrace_proc_continue(void *h, void *p) { }
void dtrace_proc_release(void *h, void *p) { }
int dtrace_str2desc(void *h, int spec, const char *s, pdesc_t *p) { *p = probes[1]; return (0); }
int dtrace_probe_iter(void *h, const pdesc_t *p, iter_f *f, void *arg)
{
	for (int i = 0; i < 2; i++) {
		if ((p == NULL || strcmp(p->name, probes[i].name) == 0) && f(h, &probes[i], arg) != 0)
			return (-1);
	}
	return (0);
}
int dtrace_addr2str(void *h, uint64_t addr, char *s, int n)
{
	return (snprintf(s, n, addr >= 0x2000 ? "0x%llx" : "unix`kernel+0x%llx", (unsigned long long)(addr & 0xfff)));
}
int dtrace_uaddr2str(void *h, int pid, uint64_t addr, char *s, int n)
{
	return (snprintf(s, n, "a.out`user%d+0x%llx", pid, (unsigned long long)(addr & 0xfff)));
}
size_t dtrace_printf_format(void *h, const char *fmt, char *s, size_t n) { return (snprintf(s, n, "%s", fmt)); }

static char data[8192];
static edesc_t edesc;

static void *rec(int action, const void *value, uint32_t size, uint64_t arg, stmt_t *s, int format)
{
	uint32_t at = (edesc.size + 7) & ~7u;
	edesc.rec[edesc.nrecs++] =
	    (rec_t){ action, size, at, 8, format, arg, (uint64_t)(uintptr_t)s };
	memcpy(data + at, value, size);
	edesc.size = at + size;
	return (data + at);
}

static void fire(FILE *fp, data_f *pf, rec_f *rf, void *arg)
{
	static stmt_t print = { .fmt = "%d|%s|%k|%a\n" }, two = { .fmt = "%s %d %@d %@d\n" }, plain, norm, sys = { .fmt = "echo %d" };
	static stmt_t back = { .fmt = "" }, opt, bad;
	int32_t n = -42, status = 3, limit = 4;
	int64_t id[] = { 1, 5, 4, 2 }, factor = 10, one = 1;
	char s[256] = "hello";
	uint64_t kstack[3] = { 0x1010, 0x1020, 0 }, ustack[4] = { 77, 0x10, 0x20, 0 }, pair[2] = { 77, 0x30 }, k = 0x1040;
	pdata_t pd = { &handle, &edesc, &probes[1], 3, data };

	memset(&edesc, 0, sizeof (edesc));
	edesc.epid = 5;
	edesc.probeid = 2;
	rec(1, &n, 4, 0, NULL, 0);
	rec(1, s, 256, 0, NULL, 0);
	rec(3, &n, 4, 0, &print, 1);
	rec(3, s, 256, 0, &print, 0);
	rec(0x401, kstack, 24, 2, &print, 0);
	rec(3, &k, 8, 0, &print, 0);
	rec(0x401, kstack, 24, 2, NULL, 0);
	rec(0x101, ustack, 32, 3, NULL, 0);
	rec(0x402, &k, 8, 0, NULL, 0);
	rec(0x403, &k, 8, 0, NULL, 0);
	rec(0x103, pair, 16, 0, NULL, 0);
	rec(0x104, pair, 16, 0, NULL, 0);
	rec(0x105, pair, 16, 0, NULL, 0);
	rec(6, "0123456789abcdef", 16, 0, NULL, 0);
	rec(7, &limit, 4, 0, NULL, 0);
	rec(4, &id[0], 8, 0, &two, 2);
	rec(4, &id[1], 8, 0, &two, 0);
	rec(4, &id[2], 8, 0, &plain, 0);
	rec(5, &id[1], 8, ACT_BASE + 16, &norm, 0);
	rec(5, &factor, 8, ACT_BASE + 16, &norm, 0);
	rec(4, &id[1], 8, 0, &norm, 0);
	rec(5, &id[1], 8, ACT_BASE + 17, NULL, 0);
	rec(5, &id[3], 8, ACT_BASE + 18, &plain, 0);
	rec(5, &one, 8, ACT_BASE + 18, &plain, 0);
	rec(5, &id[2], 8, ACT_BASE + 15, NULL, 0);
	strcpy(s, "quiet");
	rec(5, s, 256, ACT_BASE + 28, &opt, 0);
	rec(5, &n, 4, ACT_BASE + 28, &opt, 0);
	rec(0x203, &n, 4, 0, &sys, 3);
	rec(5, "", 0, ACT_BASE + 21, NULL, 0);
	rec(8, &k, 8, 0, NULL, 0);
	rec(0x204, "", 0, 0, &back, 4);
	rec(2, &status, 4, 0, NULL, 0);
	if (strstr(text, "badrec") != NULL) {
		edesc.rec[1].size = 0xfffffff0;
		edesc.rec[3].offset = 0x7fffffff;
	}
	if (pf(&pd, arg) != 0)
		exit(77);
	for (int i = 0; i < edesc.nrecs; i++) {
		if (edesc.rec[i].action == 5)
			continue;
		pd.data = data + edesc.rec[i].offset;
		if (rf(&pd, &edesc.rec[i], arg) == 0)
			fprintf(fp, "printed by the library\n");
	}
	rf(&pd, NULL, arg);
}

int dtrace_work(void *h, FILE *fp, data_f *pf, rec_f *rf, void *arg)
{
	if (strstr(text, "hang") != NULL)
		for (;;)
			pause();
	if (strstr(text, "die") != NULL)
		raise(SIGKILL);
	if (strstr(text, "gone") != NULL)
		_exit(0);
	if (strstr(text, "shut") != NULL) {
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		for (;;)
			pause();
	}
	if (strstr(text, "eintr") != NULL && fired++ == 0)
		return (fail(EINTR, "Interrupted system call"));
	if (strstr(text, "failing") != NULL)
		return (fail(1005, "the buffer is on fire"));
	if (strstr(text, "endless") != NULL)
		return (0);
	err_t e = { &handle, &edesc, &probes[1], 1, 2, 16, 1, 0x10, "error on enabled probe ID 5 (ID 2: x): invalid" };
	on_error(&e, err_arg);
	for (int kind = 0; kind < 10; kind++) {
		drop_t d = { &handle, 1, kind, kind + 1, 100, "drops" };
		on_drop(&d, drop_arg);
	}
	on_proc(&fired, NULL, proc_arg);
	fire(fp, pf, rf, arg);
	return (1);
}

static int element(int64_t var, const char *name, int code, const int64_t *words, int nwords, data_f *f, void *arg)
{
	static aggdesc_t d;
	static char buf[2048];
	int64_t key = -7;
	aggdata_t a = { &handle, &d, &edesc, &probes[1], buf, 1, sizeof (buf) };

	if (strstr(text, "bigkey") != NULL)
		a.size = 264;

	memset(&d, 0, sizeof (d));
	memset(buf, 0, sizeof (buf));
	d.name = (char *)name;
	d.varid = var;
	d.nrecs = 4;
	d.rec[0] = (rec_t){ 1, 8, 0, 8 };
	d.rec[1] = (rec_t){ 1, 256, 8, 1 };
	d.rec[2] = (rec_t){ 1, 4, 264, 4 };
	d.rec[3] = (rec_t){ 0x700 + code, nwords * 8, 272, 8 };
	memcpy(buf, &var, 8);
	strcpy(buf + 8, "key");
	memcpy(buf + 264, &key, 4);
	memcpy(buf + 272, words, nwords * 8);
	return (f(&a, arg));
}

/* An element whose key has a part of each kind but strings and numbers; the buffer of the size that is told. */
static int stacks(int64_t var, const char *name, data_f *f, void *arg)
{
	static aggdesc_t d;
	static uint64_t buf[64];
	uint64_t k[] = { 0x1010, 0x1020, 0 }, u[] = { 77, 0x10, 0x20, 0 }, pair[] = { 77, 0x30 }, addr = 0x1040;
	struct { int action; const void *at; uint32_t size; uint64_t arg; } part[] = {
		{ 1, &var, 8 }, { 0x401, k, 24, 3 }, { 0x101, u, 32, 3 }, { 0x102, u, 32, 3 }, { 0x402, &addr, 8 },
		{ 0x403, &addr, 8 }, { 0x103, pair, 16 }, { 0x104, pair, 16 }, { 0x105, pair, 16 }, { 1, "structure", 9 },
		{ 0x705, &pair[1], 8 },
	};
	uint32_t at = 0;

	memset(&d, 0, sizeof (d));
	d.name = (char *)name;
	d.varid = var;
	for (d.nrecs = 0; d.nrecs < (int)(sizeof (part) / sizeof (part[0])); d.nrecs++) {
		d.rec[d.nrecs] = (rec_t){ part[d.nrecs].action, part[d.nrecs].size, at, 8, 0, part[d.nrecs].arg };
		memcpy((char *)buf + at, part[d.nrecs].at, part[d.nrecs].size);
		at += (part[d.nrecs].size + 7) & ~7u;
	}
	aggdata_t a = { &handle, &d, &edesc, &probes[1], (char *)buf, 1, at };
	return (f(&a, arg));
}

int dtrace_aggregate_walk(void *h, data_f *f, void *arg)
{
	static int64_t words[200];
	int64_t w[4] = { 4, 400, 100000, 0 };

	element(1, "count", 1, w, 1, f, arg);
	element(2, "min", 2, w, 1, f, arg);
	element(3, "max", 3, w, 1, f, arg);
	element(4, "avg", 4, w, 2, f, arg);
	element(5, "sum", 5, w + 1, 1, f, arg);
	element(6, "stddev", 6, w, 4, f, arg);
	memset(words, 0, sizeof (words));
	words[63 + 3] = 5;
	element(7, "quantize", 7, words, 127, f, arg);
	memset(words, 0, sizeof (words));
	/* lquantize(x, 0, 10, 2): step << 48 | levels << 32 | base */
	words[0] = 2LL << 48 | 5LL << 32;
	words[1 + 2] = 6;
	element(8, "lquantize", 8, words, 8, f, arg);
	memset(words, 0, sizeof (words));
	/* llquantize(x, 10, 0, 1, 10): factor << 48 | low << 32 | high << 16 | steps */
	words[0] = 10LL << 48 | 0LL << 32 | 1LL << 16 | 10;
	words[1 + 3] = 8;
	element(9, "llquantize", 9, words, 21, f, arg);
	stacks(10, "stacks", f, arg);
	if (strstr(text, "badagg") != NULL) {
		element(9, "llquantize", 9, words, 2, f, arg);
		element(-3, "negative", 1, words, 1, f, arg);
		element(1, "unknown", 0x55, words, 1, f, arg);
	}
	return (0);
}
