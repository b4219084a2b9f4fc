//! The table of options.

use super::Opt;
use std::ops::RangeInclusive;

/// One option.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub kind: Kind,
    /// Default of a number; for rates nanoseconds.
    pub default: u64,
    /// May `#pragma D option` set it?
    pub pragma: bool,
    /// One line for the documentation.
    pub doc: &'static str,
}

/// What values an option takes.
#[derive(Debug, Clone)]
pub enum Kind {
    Flag,
    /// Bytes, with k, m, g, t.
    Size(RangeInclusive<u64>),
    /// A plain number.
    Number(RangeInclusive<u64>),
    /// A frequency or an interval.
    Rate,
    /// Hundredths, with or without the sign.
    Percent,
    /// A processor's number, or all.
    Cpu,
    /// One of some words.
    Word(&'static [&'static str]),
    /// Any word or none.
    OptionalWord,
    /// Name/data/class stability.
    Attributes,
    Text,
    /// A version of the language, `1.13` or `1.13.2`.
    Version,
    /// May be given several times.
    List,
}

use Kind::{Attributes, Cpu, Flag, List, Number, OptionalWord, Percent, Rate, Size, Text, Version, Word};

const G: u64 = 1 << 30;
const TERA: u64 = 1 << 50;
/// Frames that a kernel of the usual settings walks (kernel.perf_event_max_stack).
const FRAMES: u64 = 127;
const SECOND: u64 = 1_000_000_000;

/// Makes the table and a constant for each row.
macro_rules! options {
    ($($konst:ident $name:literal $kind:expr, $default:expr, $pragma:ident, $doc:literal;)*) => {
        /// Every option.
        pub const OPTIONS: &[Row] = &[$(
            Row { name: $name, kind: $kind, default: $default, pragma: options!(@ $pragma), doc: $doc }
        ),*];

        /// The options by name.
        pub mod opt {
            use super::Opt;
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Index { $($konst),* }
            $(#[doc = $doc] pub const $konst: Opt = Opt(Index::$konst as usize);)*
        }
    };
    (@ yes) => { true };
    (@ no) => { false };
}

options! {
    AGGHIST "agghist" Flag, 0, yes, "shows a bar beside each value of an aggregation";
    AGGPACK "aggpack" Flag, 0, yes, "shows a distribution in one line";
    AGGRATE "aggrate" Rate, SECOND, yes, "how often aggregations are read";
    AGGSIZE "aggsize" Size(1..=TERA), 4 << 20, yes, "bytes for aggregations per CPU";
    AGGSORTKEY "aggsortkey" Flag, 0, yes, "sorts aggregations by key";
    AGGSORTKEYPOS "aggsortkeypos" Number(0..=255), 0, yes, "which key part to sort by";
    AGGSORTPOS "aggsortpos" Number(0..=255), 0, yes, "which aggregation of a printa() to sort by";
    AGGSORTREV "aggsortrev" Flag, 0, yes, "sorts in descending order";
    AGGZOOM "aggzoom" Flag, 0, yes, "scales the bars of a distribution to its largest bucket";
    AMIN "amin" Attributes, 0, yes, "least stability of the names that a script may use";
    ARGREF "argref" Flag, 0, yes, "does not ask that all macro arguments are used";
    BUFPOLICY "bufpolicy" Word(&["switch", "fill", "ring"]), 0, yes, "what happens when the buffer is full";
    BUFRESIZE "bufresize" Word(&["auto", "manual"]), 0, yes, "may buffers be made smaller?";
    BUFSIZE "bufsize" Size(1..=TERA), 4 << 20, yes, "bytes of the principal buffer";
    CHILDSTATUS "childstatus" Flag, 0, no, "the exit status is that of the -c command";
    CLEANRATE "cleanrate" Rate, SECOND / 101, yes, "how often speculations are cleaned up";
    CORE "core" Flag, 0, no, "dumps core on an internal error";
    CPP "cpp" Flag, 0, no, "runs the C preprocessor (-C)";
    CPPARGS "cppargs" Text, 0, no, "arguments for the C preprocessor";
    CPPHDRS "cpphdrs" Flag, 0, no, "names included files (-H)";
    CPPPATH "cpppath" Text, 0, no, "path of the C preprocessor";
    CPU "cpu" Cpu, u64::MAX, yes, "traces one processor only";
    CPULIMIT "cpulimit" Percent, 0, yes, "the most that probes may take of a processor: the dearest are disabled beyond";
    CTYPES "ctypes" Text, 0, no, "where C types are written to";
    DEBUG "debug" Flag, 0, no, "debugging messages";
    DEFAULTARGS "defaultargs" Flag, 0, yes, "missing macro arguments are 0 or empty";
    DEFINE "define" List, 0, no, "a macro for the C preprocessor (-D)";
    DESTRUCTIVE "destructive" Flag, 0, yes, "permits destructive actions (-w)";
    DISASM "disasm" Number(0..=255), 0, no, "which listings -S shows";
    DROPTAGS "droptags" Flag, 0, yes, "drops are reported with their tag";
    DTYPES "dtypes" Text, 0, no, "where D types are written to";
    DYNVARSIZE "dynvarsize" Size(1..=TERA), 1 << 20, yes, "bytes for dynamic variables";
    EMPTY "empty" Flag, 0, yes, "permits an empty program";
    ENCODING "encoding" Word(&["ascii", "utf8"]), 0, yes, "characters of bars";
    ERRTAGS "errtags" Flag, 0, no, "error messages with their tag";
    EVALTIME "evaltime" Word(&["exec", "preinit", "postinit", "main"]), 0, yes, "when probes of a -c command are looked for";
    EXPLAIN "explain" Flag, 0, no, "says at the end what each probe cost";
    FLOWINDENT "flowindent" Flag, 0, yes, "indents by entry and return (-F)";
    GRABANON "grabanon" Flag, 0, yes, "claims anonymous state";
    INCDIR "incdir" List, 0, no, "a directory for the C preprocessor (-I)";
    IREGS "iregs" Number(1..=16), 0, no, "registers of the code generator";
    JSTACKFRAMES "jstackframes" Number(1..=FRAMES), 50, yes, "frames of jstack()";
    JSTACKSTRSIZE "jstackstrsize" Size(0..=65536), 512, yes, "bytes for names of jstack()";
    KDEFS "kdefs" Flag, 0, no, "kernel symbols must exist";
    KNODEFS "knodefs" Flag, 0, no, "kernel symbols need not exist";
    LATE "late" Word(&["dynamic", "static"]), 0, no, "references to dynamic translators";
    LAZYLOAD "lazyload" Flag, 0, no, "DOF is loaded lazily";
    LIBDIR "libdir" List, 0, no, "a directory of D libraries (-L)";
    LINKMODE "linkmode" Word(&["kernel", "primary", "dynamic", "static"]), 0, no, "how kernel symbols are bound";
    LINKTYPE "linktype" Word(&["elf", "dof"]), 0, no, "what -G writes";
    LOCKMEM "lockmem" OptionalWord, 0, no, "limit of locked memory";
    MAXFRAMES "maxframes" Number(1..=FRAMES), 127, yes, "most frames of a stack";
    MAXPROBES "maxprobes" Number(1..=10_000_000), 10_000, yes, "most places in programs or the kernel that a script is attached to";
    NOLIBS "nolibs" Flag, 0, no, "no D libraries";
    NORESOLVE "noresolve" Flag, 0, yes, "addresses are not shown as symbols";
    NSPEC "nspec" Number(1..=1024), 1, yes, "number of speculations";
    OFORMAT "oformat" Word(&["text", "json"]), 0, no, "form of the output";
    PGMAX "pgmax" Number(0..=u32::MAX as u64), 8, no, "how many processes are kept open";
    PREALLOCATE "preallocate" Size(0..=G), 0, no, "memory taken in advance";
    PRINTSIZE "printsize" Size(1..=16 << 10), 4096, yes, "most bytes that print() shows of what a pointer points to";
    PSPEC "pspec" Flag, 0, yes, "ambiguous names are probe descriptions";
    QUIET "quiet" Flag, 0, yes, "only what the script prints (-q)";
    QUIETRESIZE "quietresize" Flag, 0, yes, "buffers are made smaller silently";
    RAWBYTES "rawbytes" Flag, 0, yes, "trace() shows bytes, never text";
    RETSITES "retsites" Flag, 0, yes, "returns are traced at the returning instructions only";
    SCRATCHSIZE "scratchsize" Size(8..=1 << 20), 4096, yes, "bytes of scratch memory of one firing";
    SETENV "setenv" List, 0, no, "a variable in the environment of the -c command";
    SPECSIZE "specsize" Size(0..=TERA), 32 << 10, yes, "bytes of a speculation";
    STACKFRAMES "stackframes" Number(1..=FRAMES), 20, yes, "frames of stack()";
    STACKINDENT "stackindent" Number(0..=255), 14, yes, "blanks before a frame";
    STACKSYMBOLS "stacksymbols" Flag, 1, yes, "frames are shown as symbols";
    STATUSRATE "statusrate" Rate, SECOND, yes, "how often the state is looked at";
    STDC "stdc" Word(&["a", "c", "s", "t"]), 0, no, "standard of the C preprocessor (-X)";
    STRIP "strip" Flag, 0, no, "strips what -G writes";
    STRSIZE "strsize" Size(2..=65536), 256, yes, "bytes of a string";
    SWITCHRATE "switchrate" Rate, SECOND, yes, "how often the buffer is read";
    SYSLIBDIR "syslibdir" Text, 0, no, "directory of the system's D libraries";
    TEMPORAL "temporal" Flag, 0, yes, "output in order of time";
    TREE "tree" Number(0..=255), 0, no, "which trees are shown";
    TREGS "tregs" Number(1..=256), 8, no, "most parts of an associative array's key";
    UDEFS "udefs" Flag, 0, no, "user symbols must exist";
    UNDEF "undef" List, 0, no, "no such macro for the C preprocessor (-U)";
    UNODEFS "unodefs" Flag, 0, no, "user symbols need not exist";
    UNSETENV "unsetenv" List, 0, no, "no such variable in the environment of the -c command";
    USTACKFRAMES "ustackframes" Number(1..=FRAMES), 20, yes, "frames of ustack()";
    VERBOSE "verbose" Flag, 0, no, "shows the compiled program (-S)";
    VERSION "version" Version, 0, yes, "version of the language";
    ZDEFS "zdefs" Flag, 0, yes, "descriptions may match nothing (-Z)";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        assert!(OPTIONS.windows(2).all(|w| w[0].name < w[1].name), "in order of name");
        assert!(OPTIONS.iter().all(|row| !row.doc.is_empty()));
    }
}
