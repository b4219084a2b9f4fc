//! D programs through a system's own libdtrace: illumos, FreeBSD, macOS, and Oracle's on Linux.
//!
//! libdtrace compiles D by itself, so this backend takes the *text* of the programs
//! ([`Config::programs`]) and leaves the typed program to the library; what the
//! probes deliver is turned into the records, values and aggregations of
//! `duotrace-core`, whose consumer performs and prints them. So a script's output
//! does not depend on the backend.
//!
//! ```text
//! duotrace ── fork ──▶ worker: libdtrace (dlopen)        worker/, sys, abi/
//!    │                   │ records, totals, names
//!    │  ◀── pipe ────────┘                               wire
//!    └ Session: records ▶ layouts ▶ events ▶ consumer    session, layout, aggregates
//! ```
//!
//! - **The library lives in a child process.** It has live assertions, can hang,
//!   and needs seconds of CPU to close; in a child, an abort is one error message
//!   and stopping is immediate ([`process`], [`leftovers`]).
//! - **It is opened at run time**, never linked: this crate builds, and its tests
//!   run, where there is no libdtrace.
//! - **Four ABIs.** What differs between the libraries is in [`abi`]: which
//!   functions exist, how their structures are laid out, what numbers mean.
//! - **Records describe themselves.** A record's layout (actions, sizes, offsets)
//!   comes with the first record of a clause; from it [`layout`] makes the clause
//!   of a typed program which the consumer then performs ([`Event::Program`]).
//!   Aggregations arrive as totals, at the record that looks at them
//!   ([`Event::Totals`]). The library itself performs `clear()` and `trunc()` on
//!   its own copy, at the same place in the order.
//!   What only the library can print (`print()`, which needs its type
//!   information) comes as text.
//! - **Nothing that the worker sends is trusted**: every decoder here is
//!   bounds-checked and tested with random bytes.
//!
//! [`Event::Program`]: duotrace_core::backend::Event::Program
//! [`Event::Totals`]: duotrace_core::backend::Event::Totals
#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod abi;
mod aggregates;
mod backend;
mod decode;
mod finding;
#[cfg(test)]
mod fuzz;
mod globs;
mod layout;
mod leftovers;
#[allow(unsafe_code)]
mod process;
mod session;
mod symbols;
#[allow(unsafe_code)]
mod sys;
mod wire;
#[allow(unsafe_code)]
mod worker;

pub use backend::{Config, Description, Dtrace, Target};
pub use session::DtraceSession;
