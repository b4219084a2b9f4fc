//! `dtrace:::BEGIN`, `END` and `ERROR`: always there, with the first three numbers.

use super::{How, Registry, Search};

const PROBES: [(&str, How); 3] = [("BEGIN", How::Ourselves), ("END", How::Ourselves), ("ERROR", How::Fault)];

/// Gives the three their numbers.
pub fn register(registry: &mut Registry) {
    for (name, how) in PROBES {
        registry.add(["dtrace", "", "", name], None, how);
    }
}

pub fn find(search: &mut Search<'_>) {
    for (name, how) in PROBES {
        if search.desc.matches("dtrace", "", "", name) {
            search.add(["dtrace", "", "", name], None, how);
        }
    }
}
