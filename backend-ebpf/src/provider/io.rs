//! `io`: requests to block devices.

use super::composite::{Composite, word};
use crate::btf::Btf;

/// The probes, at the kernel's own accounting of requests.
pub fn probes(_btf: &Btf) -> Vec<Composite> {
    let request = |name, tracepoint| {
        Composite::new(name, tracepoint)
            .translated("bufinfo_t *", "struct request *", word(0))
            .also("devinfo_t *", "struct request *")
            .also("fileinfo_t *", "struct request *")
    };
    vec![request("start", "block_io_start"), request("done", "block_io_done")]
}
