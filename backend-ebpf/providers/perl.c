/*
 * Prints where the structures of the Perl interpreter have the fields that perl.probes names: ci/virtual-offsets
 * compiles it against the headers of the build in question and runs it.
 */
#define PERL_NO_GET_CONTEXT
#include <EXTERN.h>
#include <perl.h>

#ifndef USE_ITHREADS
#error "perl.probes knows only interpreters with ithreads"
#endif

#define PLACE(name, type, field) printf(name " %zu\n", offsetof(type, field))
#define VALUE(constant) printf(#constant " %lu\n", (unsigned long)(constant))

int
main(void)
{
	PLACE("interpreter.stack_sp", struct interpreter, Istack_sp);
	PLACE("interpreter.curcop", struct interpreter, Icurcop);
	PLACE("interpreter.curstackinfo", struct interpreter, Icurstackinfo);
	PLACE("sv.any", struct sv, sv_any);
	PLACE("sv.flags", struct sv, sv_flags);
	PLACE("sv.u", struct sv, sv_u);
	PLACE("gp.cv", struct gp, gp_cv);
	PLACE("xpvcv.stash", struct xpvcv, xcv_stash);
	PLACE("xpvcv.start", struct xpvcv, xcv_start_u);
	PLACE("xpvcv.depth", struct xpvcv, xcv_depth);
	PLACE("xpvcv.gv", struct xpvcv, xcv_gv_u);
	PLACE("xpvcv.flags", struct xpvcv, xcv_flags);
	PLACE("xpvgv.namehek", struct xpvgv, xiv_u);
	PLACE("hek.key", struct hek, hek_key);
	PLACE("hv.name", struct xpvhv_with_aux, xhv_aux.xhv_name_u);
	PLACE("hv.name_count", struct xpvhv_with_aux, xhv_aux.xhv_name_count);
	PLACE("cop.file", struct cop, cop_file);
	PLACE("cop.line", struct cop, cop_line);
	PLACE("si.cxstack", PERL_SI, si_cxstack);
	PLACE("si.cxix", PERL_SI, si_cxix);
	PLACE("si.cxsubix", PERL_SI, si_cxsubix);
	PLACE("si.prev", PERL_SI, si_prev);
	PLACE("context.type", PERL_CONTEXT, cx_u.cx_blk.blku_type);
	PLACE("context.cv", PERL_CONTEXT, cx_u.cx_blk.blk_u.blku_sub.cv);
	PLACE("context.sub_old", PERL_CONTEXT, cx_u.cx_blk.blk_u.blku_sub.old_cxsubix);
	PLACE("context.eval_old", PERL_CONTEXT, cx_u.cx_blk.blk_u.blku_eval.old_cxsubix);
	printf("sizeof.context %zu\n", sizeof(PERL_CONTEXT));
	VALUE(SVTYPEMASK);
	VALUE(SVt_PVGV);
	VALUE(SVt_PVCV);
	VALUE(SVf_ROK);
	VALUE(CVf_ISXSUB);
	VALUE(CVf_NAMED);
	VALUE(CXt_SUB);
	VALUE(CXt_EVAL);
	VALUE(CXTYPEMASK);
	/* Newer builds do not export these functions: their addresses are in PL_ppaddr. */
	printf("op Perl_pp_entersub %d\n", OP_ENTERSUB);
	printf("op Perl_pp_leavesub %d\n", OP_LEAVESUB);
	printf("op Perl_pp_leavesublv %d\n", OP_LEAVESUBLV);
	printf("CXTYPE_MULTICALL %lu\n", (unsigned long)(CXTYPEMASK | CXp_MULTICALL));
	return (0);
}
