//! `lockstat`: waits for the kernel's locks.
//!
//! Linux tells of a lock only when somebody has to wait for it (the tracepoints `contention_begin` and
//! `contention_end`, 5.19). From these come the probes of waits, with how long they took as `arg1`; those of every
//! acquisition and release, waited for or not, are refused, for nothing tells of them.

use super::Search;
use super::composite::{self, Composite, is, one_of, word};
use crate::btf::Btf;
use crate::codegen::{ArgSource, Wait};

/// Flags of `contention_begin` (include/trace/events/lock.h).
const SPIN: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const REAL_TIME: i32 = 8;
const PER_CPU: i32 = 16;
const MUTEX: i32 = 32;

/// Probes that illumos or Oracle have, and that cannot be had.
const REFUSED: [&str; 11] = [
    "adaptive-acquire",
    "adaptive-acquire-error",
    "adaptive-release",
    "rw-acquire",
    "rw-release",
    "rw-upgrade",
    "rw-downgrade",
    "spin-acquire",
    "spin-release",
    "thread-spin",
    "thread-acquire",
];

/// The probes. A mutex first spins as long as its owner runs; it has blocked if it did not get by with that.
fn probes(_btf: &Btf) -> Vec<Composite> {
    let wait = |name, flags: &[i32]| {
        Composite::new(name, "contention_end")
            .after_wait()
            // The lock was got, and not given up for a signal.
            .when(is(word(1), 0))
            .when(one_of(Some(ArgSource::Wait(Wait::Flags)), flags))
            .arg("uintptr_t", word(0))
            .arg("uint64_t", Some(ArgSource::Wait(Wait::Time)))
    };
    // As illumos has it: 0 for a reader, 1 for a writer.
    let writer = || {
        let flags = Box::new(ArgSource::Wait(Wait::Flags));
        Some(ArgSource::Bits { from: flags, shift: 2, mask: 1 })
    };
    vec![
        wait("adaptive-block", &[MUTEX, REAL_TIME]),
        wait("adaptive-spin", &[MUTEX | SPIN]),
        wait("rw-block", &[READ, WRITE, READ | PER_CPU, WRITE | PER_CPU]).arg("int", writer()),
        wait("rw-spin", &[READ | SPIN, WRITE | SPIN]).arg("int", writer()),
        wait("spin-spin", &[SPIN]),
    ]
}

pub fn find(search: &mut Search<'_>) {
    composite::find(search, "lockstat", probes);
    if search.desc.provider == "lockstat" && REFUSED.contains(&search.desc.name.as_str()) {
        search.notes = vec![format!(
            "lockstat:::{}: Linux tells of locks only where somebody waits for them: there are adaptive-spin, \
             adaptive-block, spin-spin, rw-spin and rw-block",
            search.desc.name
        )];
    }
}
