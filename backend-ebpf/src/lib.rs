//! The eBPF backend: a typed program becomes BPF, attached to Linux's probes.
//!
//! `session` -> `codegen/` (IR to instructions) , `provider/` (one file each),
//! `kernel/` (syscalls, features, loading), `symbols` (ELF, notes, processes).
//!
//! **Invariant:** nothing here knows D syntax or how anything is printed.
#![cfg(target_os = "linux")]

pub mod btf;
pub mod codegen;
pub mod kernel;
pub mod process;
pub mod provider;
pub mod session;
pub mod symbols;

pub use session::{Ebpf, EbpfConfig};
