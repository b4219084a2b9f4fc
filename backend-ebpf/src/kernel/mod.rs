//! The floor of the eBPF backend: single kernel objects and nothing above them.
//!
//! Maps, programs, links, perf events and rings, each owned by a value that closes it when
//! dropped. Nothing here knows a clause or an aggregation. No ELF objects are
//! opened and vmlinux BTF is read only when asked (`features`): a start costs a handful of system calls.
//!
//! `sys` and `bpf` hold the `unsafe` of system calls, `region` that of shared memory.

pub mod bpf;
pub mod btf_blob;
pub mod cpus;
pub mod error;
pub mod features;
pub mod leave;
pub mod link;
pub mod map;
pub mod perf_event;
pub mod perf_mmap;
pub mod privilege;
pub mod prog;
pub mod rcu;
pub mod region;
pub mod ringbuf;
pub mod stats;
mod sys;
pub mod test_run;
#[cfg(test)]
pub(crate) mod tests;
pub mod tracefs;

pub use error::Error;
pub use features::{Feature, Features};
pub use map::{Map, MapKind, MapSpec};
pub use prog::{Kind, LoadError, Prog, ProgSpec, Refusal};
