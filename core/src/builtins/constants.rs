//! Named constants that D scripts expect to find.

/// Name and value; all are ints.
pub const CONSTANTS: &[(&str, i64)] = &[
    // Faults: illumos' <sys/dtrace.h>.
    ("DTRACEFLT_UNKNOWN", 0),
    ("DTRACEFLT_BADADDR", 1),
    ("DTRACEFLT_BADALIGN", 2),
    ("DTRACEFLT_ILLOP", 3),
    ("DTRACEFLT_DIVZERO", 4),
    ("DTRACEFLT_NOSCRATCH", 5),
    ("DTRACEFLT_KPRIV", 6),
    ("DTRACEFLT_UPRIV", 7),
    ("DTRACEFLT_TUPOFLOW", 8),
    ("DTRACEFLT_BADSTACK", 9),
    // Registers for uregs[]: words of x86-64 Linux' struct pt_regs.
    ("R_R15", 0),
    ("R_R14", 1),
    ("R_R13", 2),
    ("R_R12", 3),
    ("R_RBP", 4),
    ("R_RBX", 5),
    ("R_R11", 6),
    ("R_R10", 7),
    ("R_R9", 8),
    ("R_R8", 9),
    ("R_RAX", 10),
    ("R_RCX", 11),
    ("R_RDX", 12),
    ("R_RSI", 13),
    ("R_RDI", 14),
    ("R_RIP", 16),
    ("R_CS", 17),
    ("R_RFL", 18),
    ("R_RSP", 19),
    ("R_SS", 20),
    ("R_PC", 16),
    ("R_SP", 19),
    ("R_FP", 4),
    ("R_R0", 10),
    ("R_R1", 12),
    // Address families of Linux.
    ("AF_UNIX", 1),
    ("AF_INET", 2),
    ("AF_INET6", 10),
    // Where io:::'s b_flags say what is done.
    ("B_WRITE", 1),
    ("B_READ", 0x800),
    ("CPU_ON_INTR", 0),
];

/// Looks a constant up.
pub fn find(name: &str) -> Option<i64> {
    CONSTANTS.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
}
