//! Runs D programs without a kernel: the interpreter of `core::ir` over events
//! that were recorded or written by hand.
//!
//! No privileges, no BPF, no libdtrace. The interpreter ([`interp`]) is the
//! second executor of the language: it and the eBPF code generator must agree
//! on every detail, which a property test checks.

pub mod event;
pub mod export;
pub mod file;
mod hash;
pub mod interp;
pub mod record;
pub mod session;
pub mod synthetic;

pub use event::Event;
pub use session::{LIBRARY, Replay};
