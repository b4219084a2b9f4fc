//! `plockstatNNN`: the locks of POSIX threads in a process, found in its C library as in a virtual provider.
//!
//! Unlike those it is looked for only when it is named: every process has a C library.

use super::virtual_probes::of_abi;
use super::{How, Search, UserSite, usdt};
use crate::process::maps::{self, Object};
use crate::process::pids;
use crate::symbols::elf::FileId;
use crate::symbols::usdt::UsdtSite;
use duotrace_core::probe::{ProbeDesc, glob_match, is_glob};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const SERIES: &str = include_str!("../../providers/plockstat.probes");
const NAME: &str = "plockstat";
/// Where glibc has the functions: since 2.34, and before.
const LIBRARIES: [&str; 2] = ["libc.so.6", "libpthread.so.0"];

/// The processes that a provider name means now; `None` when it is none of ours.
fn meant(provider: &str) -> Option<Vec<i32>> {
    if is_glob(provider) {
        // `*:::` and the like mean the kernel's and the programs' own probes.
        let ours = provider.starts_with("plock") && glob_match(provider, "plockstat1");
        return ours.then(|| {
            let all = pids().into_iter();
            all.filter(|pid| glob_match(provider, &format!("{NAME}{pid}"))).collect()
        });
    }
    let pid = provider.strip_prefix(NAME)?;
    pid.parse().ok().filter(|pid| *pid > 0).map(|pid| vec![pid])
}

pub fn find(search: &mut Search<'_>) {
    let desc = search.desc;
    let Some(pids) = meant(&desc.provider) else { return };
    let one = pids.len() == 1;
    let mut known: HashMap<FileId, Arc<Vec<UsdtSite>>> = HashMap::new();
    for pid in pids {
        let objects = match maps::objects(pid) {
            Ok(objects) => objects,
            Err(_) if !one => continue,
            Err(_) => {
                search.notes.push(format!("there is no process {pid}"));
                continue;
            }
        };
        let libraries: Vec<&Object> =
            objects.iter().filter(|object| LIBRARIES.contains(&object.name.as_str())).collect();
        if libraries.is_empty() && one {
            search.notes.push(format!("process {pid} has no {}", LIBRARIES[0]));
        }
        for object in libraries {
            let sites = match known.get(&object.id) {
                Some(sites) => Arc::clone(sites),
                None => {
                    let sites = object.open(pid).map_err(|error| error.to_string());
                    match sites.and_then(|elf| of_abi(SERIES, &elf)) {
                        Ok(sites) => Arc::clone(known.entry(object.id).or_insert(Arc::new(sites))),
                        Err(error) => {
                            search.notes.push(error);
                            continue;
                        }
                    }
                }
            };
            add(search, desc, pid, object, &sites);
        }
    }
}

/// The probes of a library in a process.
fn add(search: &mut Search<'_>, desc: &ProbeDesc, pid: i32, object: &Object, sites: &[UsdtSite]) {
    let path = Arc::new(object.open_path(pid));
    let provider = format!("{NAME}{pid}");
    let mut probes: BTreeMap<(&str, &str), (Vec<UserSite>, _)> = BTreeMap::new();
    for site in sites {
        let (Some(recipes), Some(function)) = (&site.recipes, &site.named) else { continue };
        if desc.matches(&provider, &object.name, function, &site.name) {
            let probe = probes.entry((function, &site.name)).or_default();
            probe.0.push(usdt::virtual_site(&path, site, recipes));
            probe.1 = usdt::virtual_types(recipes);
        }
    }
    for ((function, name), (sites, types)) in probes {
        let how = How::Pid { pid: pid.cast_unsigned(), sites };
        search.add([&provider, &object.name, function, name], Some(types), how);
    }
}
