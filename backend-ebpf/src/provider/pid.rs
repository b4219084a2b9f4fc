//! `pid123:module:function:entry`, `return` and offsets: any instruction of a process.

use super::{ARGUMENT_REGISTERS, How, RAX, RSP, Search, UserSite};
use crate::codegen::ArgSource;
use crate::process::maps::Object;
use crate::process::pid_provider::{self, PidError, PidPattern, PidProbe, PidSite};
use duotrace_core::diagnostic::Tag;
use duotrace_core::probe::ProbeDesc;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Most sites of one description.
const LIMIT: usize = 250_000;
/// Arguments that are offered at an entry.
const ARGUMENTS: i64 = 10;

/// The process of a provider name such as `pid123`.
pub fn process(provider: &str) -> Option<u32> {
    let digits = provider.strip_prefix("pid")?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// arg0, arg1, ... at a function's first instruction: registers, then the stack above the return address.
fn entry_args() -> Vec<ArgSource> {
    let register = |offset: &u16| ArgSource::Reg { offset: *offset, bytes: 8, signed: true };
    let stack = |n: i64| ArgSource::UserMem {
        base: Some(RSP),
        index: None,
        scale: 1,
        disp: 8 * (n - 5),
        bytes: 8,
        signed: true,
    };
    ARGUMENT_REGISTERS.iter().map(register).chain((6..ARGUMENTS).map(stack)).collect()
}

/// dtrace's name for what is wrong; a library that is not there matches nothing, which is no mistake of its own.
fn tag(error: &PidError) -> Option<Tag> {
    match error {
        PidError::Process { pid: 0, .. } => Some(Tag::D_PROC_BADPID),
        PidError::Process { .. } => Some(Tag::D_PROC_GRAB),
        PidError::Dash { .. } => Some(Tag::D_PROC_LIB),
        PidError::Function(_) => Some(Tag::D_PROC_FUNC),
        PidError::Go { .. } => Some(Tag::D_PROC_CREATEFAIL),
        PidError::Offset { .. } => Some(Tag::D_PROC_OFF),
        PidError::Name { .. } => Some(Tag::D_PROC_NAME),
        PidError::TooMany { .. } | PidError::Code(_) => Some(Tag::D_PROC_CREATEFAIL),
        PidError::Module { .. } | PidError::Elf(_) => None,
    }
}

pub fn find(search: &mut Search<'_>) {
    let desc = search.desc;
    let Some(pid) = process(&desc.provider) else { return };
    match pid_provider::sites(pid.cast_signed(), &pattern(desc)) {
        Ok(sites) => {
            for (names, how) in probes(pid, sites) {
                let [module, function, name] = &names;
                search.add([&desc.provider, module, function, name], None, how);
            }
        }
        Err(error) => {
            search.tag = tag(&error);
            search.notes.insert(0, error.to_string());
        }
    }
}

/// Can a library that the process opens later satisfy a description?
pub fn waits(desc: &ProbeDesc) -> bool {
    desc.id.is_none() && process(&desc.provider).is_some() && desc.module != "a.out" && desc.function != "-"
}

/// The probes of a description in the objects of its process that `wanted` picks: module, function and name of each.
pub fn probes_of(desc: &ProbeDesc, wanted: &dyn Fn(&Object) -> bool) -> Vec<([String; 3], How)> {
    let Some(pid) = process(&desc.provider) else { return Vec::new() };
    probes(pid, pid_provider::sites_of(pid.cast_signed(), &pattern(desc), wanted))
}

fn pattern(desc: &ProbeDesc) -> PidPattern<'_> {
    PidPattern { module: &desc.module, function: &desc.function, name: &desc.name, limit: LIMIT }
}

/// Sites by the probe that they are.
fn probes(pid: u32, sites: Vec<PidSite>) -> Vec<([String; 3], How)> {
    let entry = Arc::new(entry_args());
    let leave = Arc::new(vec![ArgSource::CookieHigh, ArgSource::Reg { offset: RAX, bytes: 8, signed: true }]);
    let none = Arc::new(Vec::new());
    let mut paths: BTreeMap<PathBuf, Arc<PathBuf>> = BTreeMap::new();
    let mut probes: BTreeMap<[String; 3], Vec<UserSite>> = BTreeMap::new();
    let mut order = Vec::new();
    for site in sites {
        let path = paths.entry(site.path.clone()).or_insert_with(|| Arc::new(site.path.clone()));
        let args = match site.probe {
            PidProbe::Entry => &entry,
            PidProbe::Return(_) => &leave,
            PidProbe::Offset => &none,
        };
        let user = UserSite {
            path: Arc::clone(path),
            offset: site.file_offset,
            semaphore: 0,
            within: u32::try_from(site.offset).unwrap_or(u32::MAX),
            args: Arc::clone(args),
            at_entry: site.probe == PidProbe::Entry,
            condition: None,
            returns_of: site.entry,
            keep: None,
            look: None,
        };
        let name = site.name();
        let key = [site.module, site.function, name];
        let sites = probes.entry(key.clone()).or_default();
        if sites.is_empty() {
            order.push(key);
        }
        // A function that two names of a symbol table share is one place.
        if !sites.contains(&user) {
            sites.push(user);
        }
    }
    let found = order.into_iter().filter_map(|key| {
        let sites = probes.remove(&key)?;
        Some((key, How::Pid { pid, sites }))
    });
    found.collect()
}
