//! `rawtp:CATEGORY::NAME` and `sdt:CATEGORY::NAME`: the kernel's tracepoints, with the arguments that the kernel's code
//! gives them, typed where the kernel's BTF tells their types.
//!
//! Both names are of Oracle's DTrace; here they are the same.

use super::{How, Search};
use crate::btf::{Btf, Kind};
use crate::kernel::tracefs::Tracefs;
use duotrace_core::probe::{ProbeArg, ProbeDesc, glob_match};

/// Types of a tracepoint's arguments; `None` when they are not known.
fn arguments(name: &str) -> Option<Vec<ProbeArg>> {
    let btf = Btf::vmlinux()?;
    let pointer = btf.get(btf.find(&[Kind::Typedef], &format!("btf_trace_{name}"))?.word)?;
    let prototype = btf.get(pointer.word)?;
    // The first is the tracepoint's own data.
    let types = prototype.parameters().into_iter().skip(1).enumerate();
    Some(types.map(|(n, ty)| ProbeArg { ty: btf.c_name(ty), native: None, from: n as u32 }).collect())
}

pub fn find(search: &mut Search<'_>) {
    let desc = search.desc;
    let listing = desc == &ProbeDesc::default();
    // Only when it is named: nobody means these by a description without provider.
    let wanted = |search: &Search<'_>, provider| {
        search.is_provider(provider)
            && (!desc.provider.is_empty() || listing)
            && glob_match(&desc.function, "")
    };
    let providers: Vec<&str> = ["rawtp", "sdt"].into_iter().filter(|name| wanted(search, name)).collect();
    if providers.is_empty() {
        return;
    }
    let all = match Tracefs::open().and_then(|tracefs| tracefs.tracepoints()) {
        Ok(all) => all,
        Err(error) => {
            search.notes.push(format!("the kernel's tracepoints cannot be listed (tracefs): {error}"));
            return;
        }
    };
    for provider in providers {
        for (category, name) in &all {
            if glob_match(&desc.module, category) && glob_match(&desc.name, name) {
                let how = How::RawTracepoint { name: name.clone() };
                // Types only where a script can ask for them: a listing of thousands does without.
                let args = if listing { None } else { arguments(name) };
                search.add([provider, category, "", name], args, how);
            }
        }
    }
}
