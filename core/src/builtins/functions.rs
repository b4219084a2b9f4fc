//! Subroutines, actions and aggregating functions.

use crate::ir::{Effect, Subroutine};

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name in D.
    pub name: &'static str,
    /// What kind of thing it is, and how it is lowered.
    pub kind: FunctionKind,
    /// Type of its result, as D source; `void` for actions.
    pub ret: &'static str,
    /// Types of its arguments, as D source; `@` any, `@s` any scalar, `@str` anything string-like,
    /// `@agg` an aggregation. Arguments from the first with a `?` on are optional.
    pub args: &'static [&'static str],
    /// One line for the documentation.
    pub doc: &'static str,
}

/// Kinds of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    /// Computes a value wherever an expression may stand.
    Subroutine(Subroutine),
    /// `copyinstr`: a string load with a special form.
    Copyinstr,
    /// Performed by the consumer or the kernel; only as a statement.
    Action(Action),
    /// Performed in the probe's context; only as a statement; destructive ones need `-w`.
    Effect { effect: Effect, destructive: bool },
    /// Only on the right side of `@name = ...`.
    Aggregating,
}

/// Actions with argument rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Printf,
    Printa,
    Trace,
    Print,
    Tracemem,
    Stack,
    Ustack,
    Jstack,
    Symbol(crate::ir::SymbolKind),
    Exit,
    Clear,
    Trunc,
    Normalize,
    Denormalize,
    System,
    Freopen,
    Ftruncate,
    Setopt,
    Speculate,
    Commit,
    Discard,
}

use crate::ir::SymbolKind as K;
use Action as A;
use FunctionKind::{Aggregating, Copyinstr, Effect as E, Subroutine as Sub};
use Subroutine as S;

const fn f(
    name: &'static str,
    kind: FunctionKind,
    ret: &'static str,
    args: &'static [&'static str],
    doc: &'static str,
) -> Function {
    Function { name, kind, ret, args, doc }
}

const fn action(
    name: &'static str,
    action: Action,
    args: &'static [&'static str],
    doc: &'static str,
) -> Function {
    Function { name, kind: FunctionKind::Action(action), ret: "void", args, doc }
}

const fn destructive(
    name: &'static str,
    effect: Effect,
    args: &'static [&'static str],
    doc: &'static str,
) -> Function {
    Function { name, kind: E { effect, destructive: true }, ret: "void", args, doc }
}

/// Every function of the language, by name.
pub const FUNCTIONS: &[Function] = &[
    f("alloca", Sub(S::Alloca), "void *", &["size_t"], "scratch memory for the rest of the firing"),
    f("avg", Aggregating, "void", &["@s"], "mean of the values"),
    f("basename", Sub(S::Basename), "string", &["@str"], "last component of a path"),
    f("bcopy", Sub(S::Bcopy), "void", &["void *", "void *", "size_t"], "copies memory into scratch"),
    destructive("breakpoint", Effect::Breakpoint, &[], "stops the system in its debugger"),
    destructive("chill", Effect::Chill, &["uint64_t"], "spins for some nanoseconds"),
    f("cleanpath", Sub(S::Cleanpath), "string", &["@str"], "a path without . and .. and //"),
    action("clear", A::Clear, &["@agg"], "sets the values of an aggregation to zero"),
    action("commit", A::Commit, &["int"], "publishes a speculation"),
    f("copyin", Sub(S::Copyin), "void *", &["uintptr_t", "size_t"], "copies user memory into scratch"),
    f("copyinstr", Copyinstr, "string", &["uintptr_t", "?size_t"], "a string in user memory"),
    f(
        "copyinto",
        Sub(S::Copyinto),
        "void",
        &["uintptr_t", "size_t", "void *"],
        "copies user memory to a place in scratch",
    ),
    f("copyout", Sub(S::Copyout), "void", &["void *", "uintptr_t", "size_t"], "writes user memory"),
    f(
        "copyoutstr",
        Sub(S::Copyoutstr),
        "void",
        &["@str", "uintptr_t", "size_t"],
        "writes a string to user memory",
    ),
    f("count", Aggregating, "void", &[], "number of firings"),
    f("d_path", Sub(S::DPath), "string", &["void *"], "path name of a struct path"),
    action("denormalize", A::Denormalize, &["@agg"], "undoes normalize()"),
    f("dirname", Sub(S::Dirname), "string", &["@str"], "a path without its last component"),
    action("discard", A::Discard, &["int"], "throws a speculation away"),
    action("exit", A::Exit, &["int"], "stops tracing; the status of dtrace"),
    action("freopen", A::Freopen, &["@str", "..."], "redirects the output to a file"),
    action("ftruncate", A::Ftruncate, &[], "empties the output file"),
    action("func", A::Symbol(K::Func), &["uintptr_t"], "a kernel address as a function's name"),
    f("getmajor", Sub(S::Getmajor), "uint32_t", &["uint64_t"], "major number of a device"),
    f("getminor", Sub(S::Getminor), "uint32_t", &["uint64_t"], "minor number of a device"),
    f("htonl", Sub(S::Htonl), "uint32_t", &["uint32_t"], "to network byte order"),
    f("htonll", Sub(S::Htonll), "uint64_t", &["uint64_t"], "to network byte order"),
    f("htons", Sub(S::Htons), "uint16_t", &["uint16_t"], "to network byte order"),
    f("index", Sub(S::Index), "int", &["@str", "@str", "?int"], "position of a string in a string, or -1"),
    f("inet_ntoa", Sub(S::InetNtoa), "string", &["void *"], "an IPv4 address as text"),
    f("inet_ntoa6", Sub(S::InetNtoa6), "string", &["void *", "?int"], "an IPv6 address as text"),
    f("inet_ntop", Sub(S::InetNtop), "string", &["int", "void *"], "an address as text"),
    f("json", Sub(S::Json), "string", &["@str", "@str"], "an element of a JSON text"),
    action(
        "jstack",
        A::Jstack,
        &["?uint32_t", "?uint32_t"],
        "the user stack with names of run-time compiled code",
    ),
    f("link_ntop", Sub(S::LinkNtop), "string", &["int", "void *"], "a link layer address as text"),
    f(
        "llquantize",
        Aggregating,
        "void",
        &["@s", "int32_t", "int32_t", "int32_t", "int32_t", "?int64_t"],
        "log-linear distribution",
    ),
    f("lltostr", Sub(S::Lltostr), "string", &["int64_t", "?int"], "a number as text"),
    f(
        "lquantize",
        Aggregating,
        "void",
        &["@s", "int32_t", "int32_t", "?int32_t", "?int64_t"],
        "linear distribution",
    ),
    f("max", Aggregating, "void", &["@s"], "the greatest value"),
    f("min", Aggregating, "void", &["@s"], "the least value"),
    action("mod", A::Symbol(K::Mod), &["uintptr_t"], "a kernel address as a module's name"),
    f("mutex_owned", Sub(S::MutexOwned), "int", &["void *"], "does this thread hold the kernel mutex?"),
    f("mutex_owner", Sub(S::MutexOwner), "uintptr_t", &["void *"], "the thread that holds the kernel mutex"),
    f("mutex_type_adaptive", Sub(S::MutexTypeAdaptive), "int", &["void *"], "is the kernel mutex adaptive?"),
    f("mutex_type_spin", Sub(S::MutexTypeSpin), "int", &["void *"], "is the kernel mutex a spin lock?"),
    action(
        "normalize",
        A::Normalize,
        &["@agg", "uint64_t"],
        "divides the values of an aggregation when shown",
    ),
    f("ntohl", Sub(S::Ntohl), "uint32_t", &["uint32_t"], "from network byte order"),
    f("ntohll", Sub(S::Ntohll), "uint64_t", &["uint64_t"], "from network byte order"),
    f("ntohs", Sub(S::Ntohs), "uint16_t", &["uint16_t"], "from network byte order"),
    destructive("panic", Effect::Panic, &[], "crashes the system"),
    action("print", A::Print, &["@"], "shows a value with its type"),
    action("printa", A::Printa, &["@", "..."], "shows aggregations"),
    action("printf", A::Printf, &["@", "..."], "formatted output"),
    f("progenyof", Sub(S::Progenyof), "int", &["pid_t"], "is the current process that one or a descendant?"),
    f("quantize", Aggregating, "void", &["@s", "?int64_t"], "distribution by powers of two"),
    destructive("raise", Effect::Raise, &["int"], "sends a signal to the current process"),
    f("rand", Sub(S::Rand), "int", &[], "a pseudo-random number"),
    f(
        "rindex",
        Sub(S::Rindex),
        "int",
        &["@str", "@str", "?int"],
        "last position of a string in a string, or -1",
    ),
    f("rw_iswriter", Sub(S::RwIswriter), "int", &["void *"], "does a writer hold or want the kernel lock?"),
    f("rw_read_held", Sub(S::RwReadHeld), "int", &["void *"], "does a reader hold the kernel lock?"),
    f("rw_write_held", Sub(S::RwWriteHeld), "int", &["void *"], "does a writer hold the kernel lock?"),
    action("setopt", A::Setopt, &["@str", "?@str"], "sets an option at run time"),
    action("speculate", A::Speculate, &["int"], "makes the rest of the clause speculative"),
    f("speculation", Sub(S::Speculation), "int", &[], "a new speculation"),
    action("stack", A::Stack, &["?uint32_t"], "the kernel stack"),
    f("stddev", Aggregating, "void", &["@s"], "standard deviation of the values"),
    destructive("stop", Effect::Stop, &[], "stops the current process"),
    f("strchr", Sub(S::Strchr), "string", &["@str", "char"], "rest of a string from a character on, or NULL"),
    f("strip", Sub(S::Strip), "string", &["@str"], "a string without blanks at its ends"),
    f("strjoin", Sub(S::Strjoin), "string", &["@str", "@str"], "two strings in one"),
    f("strlen", Sub(S::Strlen), "size_t", &["@str"], "length of a string"),
    f(
        "strrchr",
        Sub(S::Strrchr),
        "string",
        &["@str", "char"],
        "rest of a string from the last of a character on, or NULL",
    ),
    f("strstr", Sub(S::Strstr), "string", &["@str", "@str"], "rest of a string from a string on, or NULL"),
    f("strtok", Sub(S::Strtok), "string", &["@str", "@str"], "the next word of a string"),
    f("strtoll", Sub(S::Strtoll), "int64_t", &["@str", "?int"], "the number in a string"),
    f("substr", Sub(S::Substr), "string", &["@str", "int", "?int"], "part of a string"),
    f("sum", Aggregating, "void", &["@s"], "total of the values"),
    action("sym", A::Symbol(K::Sym), &["uintptr_t"], "a kernel address as a symbol"),
    action("system", A::System, &["@str", "..."], "runs a command"),
    f("tolower", Sub(S::Tolower), "string", &["@str"], "a string in lower case"),
    f("toupper", Sub(S::Toupper), "string", &["@str"], "a string in upper case"),
    action("trace", A::Trace, &["@"], "shows a value"),
    action("tracemem", A::Tracemem, &["@", "size_t", "?size_t"], "shows memory"),
    action("trunc", A::Trunc, &["@agg", "?int64_t"], "drops elements of an aggregation"),
    action("uaddr", A::Symbol(K::Uaddr), &["uintptr_t"], "a user address as a symbol and offset"),
    action("ufunc", A::Symbol(K::Ufunc), &["uintptr_t"], "a user address as a function's name"),
    action("umod", A::Symbol(K::Umod), &["uintptr_t"], "a user address as a module's name"),
    action("ustack", A::Ustack, &["?uint32_t", "?uint32_t"], "the user stack"),
    action("usym", A::Symbol(K::Usym), &["uintptr_t"], "a user address as a symbol"),
];

/// Looks a function up by name.
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|f| f.name == name)
}

/// The D name of a subroutine.
pub fn subroutine_name(subroutine: Subroutine) -> &'static str {
    let named = |f: &&Function| f.kind == FunctionKind::Subroutine(subroutine);
    FUNCTIONS.iter().find(named).map_or("[]", |f| f.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_sorted_and_documented() {
        assert!(FUNCTIONS.windows(2).all(|w| w[0].name < w[1].name
            || w[0].name == "d_path"
            || w[1].name == "json"
            || w[1].name == "jstack"));
        assert!(FUNCTIONS.iter().all(|f| !f.doc.is_empty()));
    }
}
