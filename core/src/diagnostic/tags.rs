//! The catalogue of error tags: a name and its one-line meaning.
//!
//! Names are those of illumos' and Oracle's libdtrace (`-xerrtags` prints them,
//! their test suites name files after them); `D_EBPF_*` are our own.
//! To add one: one row.

/// An error tag such as `D_SYNTAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u16);

macro_rules! tags {
    ($($name:ident $text:literal)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Row { $($name),* }

        impl Tag {
            $(#[doc = $text] pub const $name: Tag = Tag(Row::$name as u16);)*
        }

        /// Every tag: its name and its meaning.
        pub const TAGS: &[(&str, &str)] = &[$((stringify!($name), $text)),*];
    };
}

impl Tag {
    /// The name, `D_SYNTAX` for instance.
    pub fn name(self) -> &'static str {
        TAGS[self.0 as usize].0
    }

    /// The tag of a name.
    pub fn from_name(name: &str) -> Option<Tag> {
        TAGS.iter().position(|row| row.0 == name).map(|index| Tag(index as u16))
    }

    /// What the tag means, in one line.
    pub fn meaning(self) -> &'static str {
        TAGS[self.0 as usize].1
    }
}

macro_rules! aliases {
    ($($name:ident $tag:ident)*) => {
        impl Tag {
            $(#[doc = concat!("Shown as [`Tag::", stringify!($tag), "`].")] pub const $name: Tag = Tag::$tag;)*
        }
    };
}

// Other names for the same finding: illumos' for llquantize(), which Oracle's
// libdtrace, the one of Linux, names in its own way.
aliases! {
    D_LLQUANT_HIGHTYPE D_LLQUANT_HMAGTYPE
    D_LLQUANT_HIGHVAL D_LLQUANT_HMAGVAL
    D_LLQUANT_HIGHMATCH D_LLQUANT_MATCHHMAG
    D_LLQUANT_LOWTYPE D_LLQUANT_LMAGTYPE
    D_LLQUANT_LOWVAL D_LLQUANT_LMAGVAL
    D_LLQUANT_LOWMATCH D_LLQUANT_MATCHLMAG
    D_LLQUANT_FACTORMATCH D_LLQUANT_MATCHFACTOR
    D_LLQUANT_NSTEPMATCH D_LLQUANT_MATCHSTEPS
    D_LLQUANT_NSTEPTYPE D_LLQUANT_STEPTYPE
    D_LLQUANT_NSTEPVAL D_LLQUANT_STEPVAL
    D_LLQUANT_FACTOREVEN D_LLQUANT_STEPVAL
    D_LLQUANT_FACTORNSTEPS D_LLQUANT_STEPVAL
    D_LLQUANT_FACTORSMALL D_LLQUANT_FACTORVAL
    D_LLQUANT_MAGRANGE D_LLQUANT_HMAGVAL
    D_LLQUANT_MAGTOOBIG D_LLQUANT_HMAGVAL
    D_AGG_KEY D_KEY_TYPE
    D_DECL_MEMBER_NAME D_DECL_MNAME
    D_DECL_LOCASSOC D_DECL_LOCASSC
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

tags! {
    D_UNKNOWN "no tag fits"
    D_SYNTAX "the text is not D"
    D_EMPTY "an empty program or translation unit"
    D_TYPE_ERR "a type could not be read from its source"
    D_TYPE_MEMBER "a member is undefined or has an unreadable type"
    D_ASRELO "an internal relocation failed"
    D_CG_EXPR "code cannot be generated for the expression"
    D_CG_DYN "an expression of dynamic type cannot be evaluated"
    D_ATTR_MIN "the statement's stability is below -x amin"
    D_ID_OFLOW "too many identifiers"
    D_PROBE_SPEC "a probe description has the wrong form"
    D_PROBE_SPECIFIER "a probe description has too many parts"
    D_PDESC_ZERO "a probe description matches no probes"
    D_PDESC_INVAL "a probe description is invalid"
    D_PRED_SCALAR "a predicate must have scalar type"
    D_FUNC_IDENT "a function designator must be a name"
    D_FUNC_UNDEF "the function is not defined"
    D_FUNC_IDKIND "the name is not a function"
    D_OFFSETOF_TYPE "offsetof needs a struct or union type"
    D_OFFSETOF_BITFIELD "offsetof of a bit-field"
    D_SIZEOF_TYPE "sizeof of a type without size"
    D_SIZEOF_BITFIELD "sizeof of a bit-field"
    D_STRINGOF_TYPE "stringof of something that is not a string or pointer"
    D_OP_IDENT "the operator needs an identifier"
    D_OP_INT "the operator needs integers"
    D_OP_SCALAR "the operator needs scalars"
    D_OP_ARITH "the operator needs arithmetic operands"
    D_OP_WRITE "the operator cannot be applied to read-only data"
    D_OP_LVAL "the operator needs a modifiable lvalue"
    D_OP_INCOMPAT "the operands have incompatible types"
    D_OP_VFPTR "a void or function pointer cannot be used so"
    D_OP_ARRFUN "an array or function cannot be used so"
    D_OP_PTR "the operator needs a pointer"
    D_OP_SOU "the operator needs a struct or union"
    D_OP_INCOMPLETE "the operand has an incomplete type"
    D_OP_DYN "the operand has dynamic type"
    D_OP_ACT "an action cannot be used as an operand"
    D_IDENT_UNDEF "the identifier is not defined"
    D_VAR_UNDEF "the variable is not declared or assigned"
    D_KEY_TYPE "a key part has an unusable type"
    D_IDENT_BADREF "the identifier cannot be used so"
    D_VAR_UNSUP "the variable is not supported"
    D_AGG_NULL "an aggregation needs a function"
    D_AGG_FUNC "the function is not an aggregating function"
    D_AGG_MDIM "multi-dimensional aggregations are not allowed"
    D_AGG_SCALAR "an aggregating function needs a scalar argument"
    D_AGG_COM "a comma expression cannot contain an aggregation"
    D_AGG_MIX "actions and aggregations cannot be mixed so"
    D_AGG_TUPLE "an aggregation tuple has the wrong form"
    D_AGG_REDEF "an aggregation is redefined with another function"
    D_AGG_SPEC "an aggregation may not follow speculate()"
    D_XLATE_NONE "no translator exists for the types"
    D_XLATE_SOU "translator output must be a struct or union"
    D_XLATE_INCOMPAT "a translated member has an incompatible type"
    D_XLATE_REDECL "the translator is declared already"
    D_XLATE_NOCONV "the translator does not define a conversion for the member"
    D_XLATE_MEMB "the member is not in the translator's output"
    D_XLATE_STAB "the translator's stability is unusable"
    D_DIV_ZERO "division by zero in a constant expression"
    D_DEREF_NONPTR "only pointers can be dereferenced"
    D_DEREF_VOID "a void pointer cannot be dereferenced"
    D_DEREF_FUNC "a function pointer cannot be dereferenced"
    D_ADDROF_LVAL "the operand has no address"
    D_ADDROF_VAR "the address of a D variable cannot be taken"
    D_ADDROF_BITFIELD "a bit-field has no address"
    D_XREF_VAL "the expression refers to a value that cannot be read"
    D_NOREG "not enough registers or stack for the expression"
    D_CAST_INVAL "the cast is not possible"
    D_ARR_BADREF "the array cannot be indexed so"
    D_ARR_BOUNDS "the index lies outside the array"
    D_ARR_DUPREF "the array is referenced twice"
    D_ARR_LOCAL "a clause-local variable cannot be an associative array"
    D_ARGS_NONE "the probe has no typed arguments"
    D_ARGS_MULTI "args[] is not usable in a clause for several kinds of probes"
    D_ARGS_IDX "args[] has no such index"
    D_ARGS_TYPE "the type of an argument is not known"
    D_ARGS_XLATE "an argument cannot be translated"
    D_XLATE_VAR "translation of a variable failed"
    D_PRAGMA_INVAL "an unknown or malformed pragma"
    D_PRAGMA_MALFORM "a pragma has the wrong arguments"
    D_PRAGMA_OPTSET "the option may not be set by a pragma"
    D_PRAGMA_SCOPE "a pragma stands in the wrong place"
    D_PRAGMA_DEPEND "a dependency is missing"
    D_PRAGMA_UNUSED "a pragma is unused"
    D_PRAGCTL_INVAL "an unknown control line"
    D_PRAGCTL_NEST "a control line is nested"
    D_PRAGERR "#error"
    D_PRAGLINE "a malformed #line"
    D_DEPEND "a dependency is missing"
    D_DECL_ENCONST "an enumerator is redeclared"
    D_DECL_ENOFLOW "an enumerator overflows"
    D_DECL_BFSIZE "a bit-field is too wide"
    D_DECL_BFCONST "a bit-field width is not a positive constant"
    D_DECL_BFTYPE "a bit-field has a non-integer type"
    D_DECL_SIGNINT "signed or unsigned needs an integer type"
    D_DECL_CHARATTR "an attribute does not go with char"
    D_DECL_LONGINT "long does not go with the type"
    D_DECL_BADTYPE "the type is not usable so"
    D_DECL_CLASS "a storage class is not usable here"
    D_DECL_BADCLASS "the storage class is not one of D's"
    D_DECL_COMBO "a combination of type specifiers is not valid"
    D_DECL_VOIDATTR "an attribute does not go with void"
    D_DECL_VOIDOBJ "an object cannot have void type"
    D_DECL_DYNOBJ "an object cannot have dynamic type"
    D_DECL_ARRNULL "an array needs a dimension here"
    D_DECL_ARRBIG "an array dimension is too big"
    D_DECL_ARRSUB "an array dimension is not a positive integer constant"
    D_DECL_ARRVOID "an array of void"
    D_DECL_ARRFUNC "an array of functions"
    D_DECL_ARRASSOC "an associative array is not usable here"
    D_DECL_FUNCRET "a function cannot return the type"
    D_DECL_FUNCTYPE "a function has the wrong type"
    D_DECL_FUNCVOID "void is not a usable parameter"
    D_DECL_FUNCIDENT "a function parameter needs a name"
    D_DECL_PARMNAME "a parameter has no name"
    D_DECL_PARMCLASS "a parameter cannot have a storage class"
    D_DECL_PROTO_TYPE "a prototype's parameter has a bad type"
    D_DECL_PROTO_NAME "a prototype's parameter has a name twice"
    D_DECL_PROTO_VOID "void must be the only parameter"
    D_DECL_PROTO_VARARGS "... must be last"
    D_DECL_PROTO_FORM "a prototype has a malformed parameter"
    D_DECL_LOCASSC "a clause-local associative array"
    D_DECL_SCOPE "a scoping operator is not usable here"
    D_DECL_INCOMPLETE "a type is incomplete"
    D_DECL_IDRED "an identifier is declared twice"
    D_DECL_IDENT "a declaration has no name"
    D_DECL_NOINIT "an initialiser is not usable here"
    D_DECL_TYPERED "a type is declared twice"
    D_DECL_TOOBIG "the object is too large"
    D_DECL_USELESS "a declaration declares nothing"
    D_STR_NL "a newline in a string constant"
    D_CHR_NL "a newline in a character constant"
    D_CHR_NULL "an empty character constant"
    D_CHR_OFLOW "a character constant is too long"
    D_INT_OFLOW "an integer constant does not fit"
    D_INT_DIGIT "a digit does not fit the base"
    D_MACRO_OFLOW "a macro argument number overflows"
    D_MACRO_UNDEF "a macro argument is not defined"
    D_MACRO_UNUSED "a macro argument is not used"
    D_PROTO_LEN "a function has the wrong number of arguments"
    D_PROTO_ARG "an argument has the wrong type"
    D_ARGS_FUNC "arguments of a function are wrong"
    D_PROV_INCOMPAT "a provider declaration is incompatible"
    D_PROV_PRDUP "a probe is declared twice"
    D_PROV_PRARGLEN "a probe has too many arguments"
    D_PROV_PRXLATOR "a probe's argument needs a translator"
    D_PROV_BADNAME "a provider name is not valid"
    D_PROV_NAME "a probe name is not valid"
    D_PROV_STABILITY "a provider's stability is not valid"
    D_PROC_GRAB "a process cannot be grabbed"
    D_PROC_DYN "a process has no dynamic linker state"
    D_PROC_LIB "a library is not found in the process"
    D_PROC_FUNC "a function is not found in the process"
    D_PROC_OFF "an offset is not valid in the function"
    D_PROC_NAME "a pid probe name is not valid"
    D_PROC_ALIGN "an offset does not start an instruction"
    D_PROC_BADPROV "a provider name has no process id"
    D_PROC_BADPID "a process id is not valid"
    D_PROC_CREATEFAIL "a pid probe cannot be created"
    D_PROC_NODEV "the process facility is missing"
    D_PROC_USDT "a USDT probe cannot be found in a process"
    D_ACT_SPEC "the action may not follow speculate()"
    D_EXIT_SPEC "exit() may not follow speculate()"
    D_DREC_ACT "a data-recording action stands in the wrong place"
    D_COMM_REC "commit() may not follow a data-recording action"
    D_COMM_COMM "commit() twice in a clause"
    D_COMM_DREC "commit() and a data-recording action in a clause"
    D_SPEC_SPEC "speculate() twice in a clause"
    D_SPEC_COMM "speculate() after commit()"
    D_SPEC_DREC "speculate() after a data-recording action"
    D_SPEC_PROTO "speculate() arguments"
    D_PRINTF_ARG_FMT "printf needs a format string constant"
    D_PRINTF_FMT_EMPTY "printf has an empty format string"
    D_PRINTF_ARG_PROTO "printf has too few arguments"
    D_PRINTF_ARG_EXTRA "printf has too many arguments"
    D_PRINTF_ARG_TYPE "an argument does not fit its conversion"
    D_PRINTF_DYN_PROTO "a dynamic width has no argument"
    D_PRINTF_DYN_TYPE "a dynamic width is not an int"
    D_PRINTF_AGG_CONV "an aggregation conversion outside printa"
    D_PRINTF_AGG_MULTI "one aggregation is used twice"
    D_PRINTF_AGG_FUNC "a conversion does not fit the aggregating function"
    D_PRINTA_PROTO "printa has the wrong arguments"
    D_PRINTA_AGGARG "printa needs an aggregation"
    D_PRINTA_AGGPROTO "printa of incompatible aggregations"
    D_PRINTA_AGGBAD "printa of an undefined aggregation"
    D_PRINTA_AGGKEY "printa of aggregations with other keys"
    D_TRACE_VOID "trace of a void expression"
    D_TRACE_DYN "trace of a dynamic expression"
    D_TRACE_AGG "trace of an aggregation"
    D_PRINT_VOID "print of a void expression"
    D_PRINT_DYN "print of a dynamic expression"
    D_PRINT_AGG "print of an aggregation"
    D_PRINT_SIZE "print with a bad size"
    D_TRACEMEM_ADDR "tracemem needs an address"
    D_TRACEMEM_SIZE "tracemem needs a constant size"
    D_TRACEMEM_ARGS "tracemem has the wrong number of arguments"
    D_TRACEMEM_DYNSIZE "tracemem's run-time size is not an integer"
    D_STACK_PROTO "stack() has the wrong arguments"
    D_STACK_SIZE "stack() needs a constant size"
    D_USTACK_FRAMES "ustack() needs a constant number of frames"
    D_USTACK_STRSIZE "ustack() needs a constant string size"
    D_USTACK_PROTO "ustack() has the wrong arguments"
    D_LQUANT_BASETYPE "lquantize's base is not a constant"
    D_LQUANT_BASEVAL "lquantize's base is out of range"
    D_LQUANT_LIMTYPE "lquantize's limit is not a constant"
    D_LQUANT_LIMVAL "lquantize's limit is out of range"
    D_LQUANT_STEPTYPE "lquantize's step is not a constant"
    D_LQUANT_STEPVAL "lquantize's step is out of range"
    D_LQUANT_STEPLARGE "lquantize's step is too large"
    D_LQUANT_STEPSMALL "lquantize's step gives too many levels"
    D_LQUANT_MISMATCH "lquantize is used with different parameters"
    D_LQUANT_MATCHBASE "lquantize is used with another base"
    D_LQUANT_MATCHLIM "lquantize is used with another limit"
    D_LQUANT_MATCHSTEP "lquantize is used with another step"
    D_LLQUANT_FACTORTYPE "llquantize's factor is not a constant"
    D_LLQUANT_FACTORVAL "llquantize's factor is out of range"
    D_QUANT_PROTO "quantize has the wrong arguments"
    D_NORMALIZE_PROTO "normalize has the wrong arguments"
    D_NORMALIZE_SCALAR "normalize needs a scalar factor"
    D_NORMALIZE_AGGARG "normalize needs an aggregation"
    D_NORMALIZE_AGGBAD "normalize of an undefined aggregation"
    D_TRUNC_PROTO "trunc has the wrong arguments"
    D_TRUNC_SCALAR "trunc needs a scalar limit"
    D_TRUNC_AGGARG "trunc needs an aggregation"
    D_TRUNC_AGGBAD "trunc of an undefined aggregation"
    D_CLEAR_PROTO "clear has the wrong arguments"
    D_CLEAR_AGGARG "clear needs an aggregation"
    D_CLEAR_AGGBAD "clear of an undefined aggregation"
    D_EXIT_PROTO "exit has the wrong arguments"
    D_FREOPEN_INVALID "freopen needs a file name"
    D_SETOPT_INVALID "setopt has the wrong arguments"
    D_PCAP_PROTO "pcap has the wrong arguments"
    D_ACT_RETURN "return() has the wrong arguments"
    D_AGG_COMM "an aggregation may not follow commit()"
    D_ALLOCA_INCOMPAT "alloca() pointers and others are mixed in one variable"
    D_ALLOCA_SIZE "alloca() needs more memory than the scratch space has"
    D_ARGS_XLATOR "no translator for a probe's argument"
    D_DECL_MNAME "a member is declared twice"
    D_DREC_COMM "a data-recording action may not follow commit()"
    D_IDENT_AMBIG "the identifier has several meanings"
    D_LLQUANT_HMAGTYPE "llquantize's high magnitude is not a constant"
    D_LLQUANT_HMAGVAL "llquantize's high magnitude is out of range"
    D_LLQUANT_LMAGTYPE "llquantize's low magnitude is not a constant"
    D_LLQUANT_LMAGVAL "llquantize's low magnitude is out of range"
    D_LLQUANT_MATCHFACTOR "llquantize is used with another factor"
    D_LLQUANT_MATCHHMAG "llquantize is used with another high magnitude"
    D_LLQUANT_MATCHLMAG "llquantize is used with another low magnitude"
    D_LLQUANT_MATCHSTEPS "llquantize is used with other steps"
    D_LLQUANT_STEPTYPE "llquantize's steps are not a constant"
    D_LLQUANT_STEPVAL "llquantize's steps are out of range"
    D_PCAP_ADDR "pcap's packet is not a pointer or integer"
    D_PCAP_SIZE "pcap's size is not an integer"
    D_REGS_IDX "uregs[] has no such index"
    D_SYM_BADREF "a symbol cannot be used so"
    D_SYM_MODEL "a symbol's module has another data model"
    D_SYM_NOTYPES "a symbol's module has no types"
    D_XLATE_TYPE "a translator's type is not usable"
    D_KTYPE "kernel types are not available"
    D_EBPF_UNSUP "the eBPF backend does not support this yet"
    D_EBPF_VERIFIER "the kernel refused the program"
    D_EBPF_TOOBIG "the program is too large for the kernel"
}
