//! The heart of duotrace: the D language, types, the typed program,
//! aggregations, output, and the backend trait.
//!
//! Ground floor last; a room imports only from the floors below it:
//!
//! ```text
//! consumer            drives a session: events in, text out; drops, exit
//! sema/  backend      names, types, lowering | the seam
//! builtins/  ir       tables of variables, subroutines, actions | the typed program
//! syntax/ types/ output/   text -> tree | C types and layout | printf, printa, histograms
//! aggregate/ record probe options diagnostic   what the field is made of
//! ```
//!
//! **Invariant:** nothing in this crate makes an operating system call, prints,
//! or knows BPF or libdtrace.

pub mod aggregate;
pub mod backend;
pub mod builtins;
pub mod consumer;
pub mod diagnostic;
pub mod ir;
pub mod options;
pub mod output;
pub mod probe;
pub mod record;
pub mod sema;
pub mod syntax;
pub mod types;
