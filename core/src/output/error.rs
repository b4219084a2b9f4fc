//! dtrace's words for faults and drops, without the `dtrace: ` that the command
//! line puts before every message.

use super::Settings;

/// What went wrong in a clause: the ERROR probe's `arg4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// An address that cannot be read.
    BadAddress,
    /// An address that is not aligned.
    BadAlignment,
    /// An operation that the machine cannot do.
    IllegalOperation,
    /// Division by zero.
    DivideByZero,
    /// No scratch space left.
    NoScratch,
    /// No privilege for a kernel access.
    KernelPrivilege,
    /// No privilege for a user access.
    UserPrivilege,
    /// Too many keys in a tuple.
    TupleOverflow,
    /// A stack that cannot be walked.
    BadStack,
    /// A size out of range.
    BadSize,
    /// An index out of bounds.
    BadIndex,
    /// The consumer could not perform an action.
    Library,
    /// A number that none of these has.
    Unknown,
}

/// The faults with their numbers (`DTRACEFLT_*`) and messages.
const FAULTS: &[(Fault, u32, &str)] = &[
    (Fault::BadAddress, 1, "invalid address"),
    (Fault::BadAlignment, 2, "invalid alignment"),
    (Fault::IllegalOperation, 3, "illegal operation"),
    (Fault::DivideByZero, 4, "divide-by-zero"),
    (Fault::NoScratch, 5, "out of scratch space"),
    (Fault::KernelPrivilege, 6, "invalid kernel access"),
    (Fault::UserPrivilege, 7, "invalid user access"),
    (Fault::TupleOverflow, 8, "tuple stack overflow"),
    (Fault::BadStack, 9, "bad stack"),
    (Fault::BadSize, 10, "invalid size"),
    (Fault::BadIndex, 11, "index out of bounds"),
    (Fault::Library, 1000, "library-level fault"),
];

impl Fault {
    /// The fault of a number, as the ERROR probe's `arg4` has it.
    pub fn from_number(number: u32) -> Fault {
        FAULTS.iter().find(|row| row.1 == number).map_or(Fault::Unknown, |row| row.0)
    }

    /// Its number; 0 for an unknown one.
    pub fn number(self) -> u32 {
        FAULTS.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    /// What dtrace calls it.
    pub fn message(self) -> &'static str {
        FAULTS.iter().find(|row| row.0 == self).map_or("unknown fault", |row| row.2)
    }
}

/// A fault, with all that its message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultReport<'a> {
    /// Number of the enabling (clause and probe), from 1.
    pub enabling: u32,
    /// The probe's number.
    pub probe: u32,
    /// The probe's name, four parts with colons.
    pub probe_name: &'a str,
    /// What happened.
    pub fault: Fault,
    /// The address, size or index at fault, where the fault has one.
    pub value: u64,
    /// 0 is the predicate, else the number of the action, from 1.
    pub action: u32,
    /// Where in the action's code; `None` if that is not known.
    pub offset: Option<u64>,
}

/// The message of a fault:
/// `error on enabled probe ID 2 (ID 1: dtrace:::BEGIN): invalid address (0x0) in action #1 at DIF offset 16`.
pub fn fault(report: &FaultReport<'_>) -> String {
    let FaultReport { enabling, probe, probe_name, fault, value, action, offset } = report;
    let detail = match fault {
        Fault::BadAddress if *value == u64::MAX => String::new(),
        Fault::BadAddress | Fault::BadAlignment | Fault::BadStack | Fault::BadSize => {
            format!(" ({value:#x})")
        }
        Fault::BadIndex => format!(" ({})", *value as i64),
        _ => String::new(),
    };
    let place = if *action == 0 { "predicate".to_string() } else { format!("action #{action}") };
    let offset = offset.map(|offset| format!(" at DIF offset {offset}")).unwrap_or_default();
    format!(
        "error on enabled probe ID {enabling} (ID {probe}: {probe_name}): {}{detail} in {place}{offset}",
        fault.message()
    )
}

/// The message of an action that the consumer could not perform, `reason` saying why.
pub fn library_fault(enabling: u32, probe: u32, probe_name: &str, reason: &str) -> String {
    format!("error on enabled probe ID {enabling} (ID {probe}: {probe_name}): {reason}")
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropKind {
    /// Records, for want of space in the principal buffer.
    Principal,
    /// Elements of aggregations.
    Aggregation,
    /// Dynamic variables.
    Dynamic,
    /// Dynamic variables, while freed ones wait to be rinsed.
    DynamicRinse,
    /// Dynamic variables, while freed ones are still dirty.
    DynamicDirty,
    /// Speculative records.
    Speculative,
    /// Speculations, for every buffer is being committed or discarded.
    SpeculationBusy,
    /// Speculations, for want of a buffer.
    SpeculationUnavailable,
    /// Strings of user stacks.
    StackStringOverflow,
    /// Errors in ERROR clauses.
    DoubleError,
    /// Firings inside other firings of the same CPU, deeper than there is room for (eBPF only).
    Nested,
}

impl DropKind {
    /// Every kind with its tag, its name in the singular, and what follows the name.
    pub const ALL: &'static [(DropKind, &'static str, &'static str, &'static str)] = &[
        (DropKind::Principal, "DTRACEDROP_PRINCIPAL", "drop", ""),
        (DropKind::Aggregation, "DTRACEDROP_AGGREGATION", "aggregation drop", ""),
        (DropKind::Dynamic, "DTRACEDROP_DYNAMIC", "dynamic variable drop", ""),
        (
            DropKind::DynamicRinse,
            "DTRACEDROP_DYNRINSE",
            "dynamic variable drop",
            " with non-empty rinsing list",
        ),
        (
            DropKind::DynamicDirty,
            "DTRACEDROP_DYNDIRTY",
            "dynamic variable drop",
            " with non-empty dirty list",
        ),
        (DropKind::Speculative, "DTRACEDROP_SPEC", "speculative drop", ""),
        (
            DropKind::SpeculationBusy,
            "DTRACEDROP_SPECBUSY",
            "failed speculation",
            " (available buffer(s) still busy)",
        ),
        (
            DropKind::SpeculationUnavailable,
            "DTRACEDROP_SPECUNAVAIL",
            "failed speculation",
            " (no speculative buffer available)",
        ),
        (
            DropKind::StackStringOverflow,
            "DTRACEDROP_STKSTROVERFLOW",
            "jstack()/ustack() string table overflow",
            "",
        ),
        (DropKind::DoubleError, "DTRACEDROP_DBLERROR", "error", " in ERROR probe enabling"),
        (DropKind::Nested, "DTRACEDROP_NESTED", "nested probe drop", ""),
    ];
}

/// The message of a drop: `3 drops on CPU 0`, `1 dynamic variable drop`. `cpu` counts for the kinds that are
/// kept by CPU (principal buffers and aggregations).
pub fn drop(settings: &Settings, kind: DropKind, count: u64, cpu: Option<u32>) -> String {
    let Some((_, tag, name, rest)) = DropKind::ALL.iter().find(|row| row.0 == kind) else {
        return String::new();
    };
    let tag = if settings.drop_tags { format!("[{tag}] ") } else { String::new() };
    let plural = if count > 1 { "s" } else { "" };
    let place = match (kind, cpu) {
        (DropKind::Principal | DropKind::Aggregation, Some(cpu)) => format!(" on CPU {cpu}"),
        _ => String::new(),
    };
    format!("{tag}{count} {name}{plural}{rest}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fault: Fault, value: u64) -> FaultReport<'static> {
        FaultReport {
            enabling: 2,
            probe: 1,
            probe_name: "dtrace:::BEGIN",
            fault,
            value,
            action: 1,
            offset: Some(16),
        }
    }

    #[test]
    fn faults_say_what_and_where() {
        assert_eq!(
            fault(&report(Fault::BadAddress, 0)),
            "error on enabled probe ID 2 (ID 1: dtrace:::BEGIN): invalid address (0x0) in action #1 at DIF offset 16"
        );
        let predicate = FaultReport { action: 0, offset: None, ..report(Fault::DivideByZero, 7) };
        assert!(fault(&predicate).ends_with(": divide-by-zero in predicate"));
        assert!(fault(&report(Fault::BadAddress, u64::MAX)).contains("invalid address in action"));
        assert!(fault(&report(Fault::BadIndex, u64::MAX)).contains("index out of bounds (-1) in"));
    }

    #[test]
    fn fault_numbers_go_both_ways() {
        for &(fault, number, message) in FAULTS {
            assert_eq!(
                (Fault::from_number(number), fault.number(), fault.message()),
                (fault, number, message)
            );
        }
        assert_eq!(Fault::from_number(77), Fault::Unknown);
    }

    #[test]
    fn drops_count_and_may_carry_tags() {
        let plain = Settings::default();
        let tags = Settings { drop_tags: true, ..Settings::default() };
        assert_eq!(drop(&plain, DropKind::Principal, 3, Some(0)), "3 drops on CPU 0");
        assert_eq!(drop(&plain, DropKind::Aggregation, 12, Some(1)), "12 aggregation drops on CPU 1");
        assert_eq!(drop(&plain, DropKind::Dynamic, 5, None), "5 dynamic variable drops");
        assert_eq!(
            drop(&plain, DropKind::DynamicDirty, 1, None),
            "1 dynamic variable drop with non-empty dirty list"
        );
        assert_eq!(
            drop(&plain, DropKind::SpeculationUnavailable, 3, None),
            "3 failed speculations (no speculative buffer available)"
        );
        assert_eq!(drop(&tags, DropKind::Principal, 1, Some(7)), "[DTRACEDROP_PRINCIPAL] 1 drop on CPU 7");
        assert_eq!(
            drop(&tags, DropKind::DoubleError, 1, None),
            "[DTRACEDROP_DBLERROR] 1 error in ERROR probe enabling"
        );
    }
}
