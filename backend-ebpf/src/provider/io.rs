//! `io`: requests to block devices.

use super::composite::{Composite, word};
use crate::btf::Btf;

/// The probes, at the kernel's own accounting of requests.
pub fn probes(_btf: &Btf) -> Vec<Composite> {
    // Before 6.5 it did not account: there are the hand-over to the driver and the completion.
    let request = |name, tracepoint, before| {
        Composite::new(name, tracepoint)
            .or(before)
            .translated("bufinfo_t *", "struct request *", word(0))
            .also("devinfo_t *", "struct request *")
            .also("fileinfo_t *", "struct request *")
    };
    vec![
        request("start", "block_io_start", "block_rq_issue"),
        request("done", "block_io_done", "block_rq_complete"),
    ]
}
