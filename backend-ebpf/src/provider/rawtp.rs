//! `rawtp:CATEGORY::NAME`: the kernel's raw tracepoints with their untyped arguments.

use super::{How, Search};
use duotrace_core::probe::glob_match;
use std::path::Path;

const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Tracepoints as `category:name`, in order; the system calls' own have no raw form.
fn tracepoints() -> Option<Vec<(String, String)>> {
    let text = TRACEFS
        .iter()
        .find_map(|root| std::fs::read_to_string(Path::new(root).join("available_events")).ok())?;
    let mut found: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .filter(|(category, _)| *category != "syscalls")
        .map(|(category, name)| (category.to_owned(), name.to_owned()))
        .collect();
    found.sort_unstable();
    Some(found)
}

pub fn find(search: &mut Search<'_>) {
    let desc = search.desc;
    // Only when it is named: nobody means these by a description without provider.
    let listing = desc == &Default::default();
    if !search.is_provider("rawtp")
        || (desc.provider.is_empty() && !listing)
        || !glob_match(&desc.function, "")
    {
        return;
    }
    let Some(all) = tracepoints() else {
        search.notes.push("tracefs is not mounted at /sys/kernel/tracing".to_owned());
        return;
    };
    for (category, name) in all {
        if glob_match(&desc.module, &category) && glob_match(&desc.name, &name) {
            let how = How::RawTracepoint { name: name.clone() };
            search.add(["rawtp", &category, "", &name], None, how);
        }
    }
}
