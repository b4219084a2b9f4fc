//! USDT: the probes that programs bring along, found in the files that running processes have mapped.

use super::{How, Keep, RIP, Search, UserSite};
use crate::codegen::ArgSource;
use crate::process::usdt_scan::{Pids, Scan, UsdtFile, UsdtMatch, matches_any_pid};
use crate::symbols::elf::FileId;
use crate::symbols::recipe::{LookWhen, RecipeArg, Recipes};
use crate::symbols::usdt::UsdtSite;
use crate::symbols::usdt_args::{ArgOperand, Operand};
use duotrace_core::probe::{ProbeArg, ProbeDesc, glob_match, is_glob};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A USDT probe of a file, whichever process runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub file: FileId,
    /// Of the note, without a pid.
    pub provider: String,
    pub module: String,
    pub function: String,
    pub name: String,
    pub sites: Vec<UserSite>,
}

impl Point {
    /// What the threads that it looks at are known by.
    pub fn number(&self) -> u64 {
        number(self.file)
    }
}

/// A file as one number; 0 is none.
pub fn number(file: FileId) -> u64 {
    (file.ino ^ file.dev.rotate_left(40)) | 1 << 63
}

/// A file and its probes that a description means in every process.
#[derive(Clone, Debug)]
pub struct Everywhere {
    pub point: Arc<Point>,
    /// `args[]`.
    pub args: Vec<ProbeArg>,
}

pub fn find(search: &mut Search<'_>) {
    let desc = search.desc;
    let provider = desc.provider.as_str();
    let listing = desc == &ProbeDesc::default();
    // A description without provider that other providers satisfy means them: `BEGIN` must not look at every process.
    if provider.is_empty() && !listing && (search.any() || !search.notes.is_empty()) {
        return;
    }
    if super::pid::process(provider).is_some() || super::names().any(|name| name == provider) {
        return;
    }
    let scan = match is_glob(provider) {
        true => {
            let registry = &mut *search.registry;
            let scan = match &registry.scan {
                Some(scan) => Arc::clone(scan),
                None => Arc::new(registry.scanner.all()),
            };
            registry.scan = Some(Arc::clone(&scan));
            scan
        }
        false => {
            let mut scan = Scan::default();
            let pids = candidates(provider);
            if pids.is_empty() {
                search.notes.extend(no_provider(provider));
                return;
            }
            for pid in pids {
                search.registry.scanner.add(pid, &mut scan);
            }
            Arc::new(scan)
        }
    };
    let matches = matching(&scan, desc);
    // By process first: numbers then come in the order that `-l` shows.
    for found in &matches {
        search.open_ended |= found.pids == Pids::All;
        let (point, args) = point(found);
        for pid in &found.mapped_by {
            let name = format!("{}{pid}", found.provider);
            let how = How::Usdt { pid: pid.cast_unsigned(), point: Arc::clone(&point) };
            search.add([&name, &point.module, &point.function, &point.name], Some(args.clone()), how);
        }
    }
    // An enabling such as `postgresql*:::` waits for processes to come; a listing does not.
    search.open_ended |= !listing && !provider.is_empty() && is_glob(provider) && provider.ends_with('*');
    if !search.any() && !provider.is_empty() {
        let unknown = unknown_builds(&scan, desc);
        // What is meant runs already: waiting for another would be silence in place of an answer.
        search.open_ended &= unknown.is_empty();
        search.notes.extend(unknown);
        search.notes.push(searched(&scan, desc));
    }
}

/// Processes that a plain provider name can mean: `demo12` is `demo1` of 2 or `demo` of 12.
pub fn candidates(provider: &str) -> Vec<i32> {
    let digits = provider.bytes().rev().take_while(u8::is_ascii_digit).count();
    let start = provider.len() - digits;
    (start.max(1)..provider.len())
        .filter_map(|at| provider.get(at..))
        .filter(|tail| !tail.starts_with('0'))
        .filter_map(|tail| tail.parse().ok())
        .filter(|pid| Path::new(&format!("/proc/{pid}")).exists())
        .collect()
}

/// Why a provider's plain name means nothing.
fn no_provider(provider: &str) -> Option<String> {
    let digits = provider.bytes().rev().take_while(u8::is_ascii_digit).count();
    if let Some(pid) = provider.get(provider.len() - digits..).filter(|tail| !tail.is_empty()) {
        return Some(format!("there is no process {pid}"));
    }
    let near = super::names().find(|name| {
        name.len().abs_diff(provider.len()) <= 1
            && name.bytes().zip(provider.bytes()).filter(|(a, b)| a != b).count() <= 1
    });
    near.map(|name| format!("did you mean {name}?"))
}

/// What was searched in vain.
fn searched(scan: &Scan, desc: &ProbeDesc) -> String {
    let mut text = format!(
        "searched {} with USDT probes, mapped by {}",
        counted(scan.files.len(), "file"),
        counted(scan.processes.len(), "process"),
    );
    let mut near: Vec<String> = scan
        .files
        .values()
        .flat_map(|file| file.sites.iter())
        .filter(|site| {
            duotrace_core::probe::glob_match(&desc.provider, &format!("{}1", site.provider))
                || desc.provider.starts_with(&site.provider)
        })
        .map(|site| format!("{}*:::{}", site.provider, site.name))
        .collect();
    near.sort();
    near.dedup();
    if !near.is_empty() {
        let more = near.len().saturating_sub(8);
        near.truncate(8);
        text += &format!("; there are {}", near.join(", "));
        if more > 0 {
            text += &format!(" and {more} more");
        }
    }
    text
}

/// What keeps virtual probes that the description means from being there.
fn unknown_builds(scan: &Scan, desc: &ProbeDesc) -> Vec<String> {
    let meant = |provider: &String| {
        let name = provider.as_str();
        glob_match(&desc.provider, &format!("{name}1"))
            || desc.provider.strip_prefix(name).is_some_and(|pid| pid.bytes().all(|c| c.is_ascii_digit()))
    };
    let concerned = scan.problems.values().filter(|problem| problem.providers.iter().any(meant));
    concerned.map(|problem| problem.text.clone()).collect()
}

fn counted(n: usize, noun: &str) -> String {
    let plural = if noun.ends_with('s') { "es" } else { "s" };
    format!("{n} {noun}{}", if n == 1 { "" } else { plural })
}

/// What satisfies a description; a rate that is none satisfies nothing.
pub fn matching(scan: &Scan, desc: &ProbeDesc) -> Vec<UsdtMatch> {
    let mut out = scan.matching(&desc.provider, &desc.module, &desc.function, &desc.name);
    out.retain(|found| {
        let recipes = found.sites.first().and_then(|at| found.file.sites.get(*at)?.recipes.as_ref());
        let look = recipes.and_then(|recipes| recipes.look);
        look.is_none_or(|look| look.when != LookWhen::Profile || super::profile::rate(&found.name).is_some())
    });
    out
}

/// The probe of a file in our terms, and the types of its arguments.
pub fn point(found: &UsdtMatch) -> (Arc<Point>, Vec<ProbeArg>) {
    let file: &UsdtFile = &found.file;
    let path = Arc::new(file.path.clone());
    let mut types = Vec::new();
    let mut sites = Vec::new();
    for site in found.sites.iter().filter_map(|index| file.sites.get(*index)) {
        if let Some(recipes) = &site.recipes {
            types = virtual_types(recipes);
            sites.push(virtual_site(&path, site, recipes));
            continue;
        }
        let operands = site.operands(&file.elf);
        if types.is_empty() {
            types =
                operands.iter().enumerate().map(|(n, operand)| arg_type(n, operand.as_ref().ok())).collect();
        }
        let args = operands.iter().map(|operand| source(site, operand.as_ref().ok())).collect();
        sites.push(UserSite {
            path: Arc::clone(&path),
            offset: site.offset,
            semaphore: site.semaphore.map_or(0, |semaphore| semaphore.offset),
            within: 0,
            args: Arc::new(args),
            at_entry: false,
            condition: None,
            returns_of: None,
            keep: None,
            look: None,
        });
    }
    let point = Point {
        file: file.id,
        provider: found.provider.clone(),
        module: file.module.clone(),
        function: found.function.clone(),
        name: found.name.clone(),
        sites,
    };
    (Arc::new(point), types)
}

/// The types of a virtual probe's arguments.
pub(super) fn virtual_types(recipes: &Recipes) -> Vec<ProbeArg> {
    let arg = |(n, arg): (usize, &RecipeArg)| ProbeArg { ty: arg.ty.clone(), native: None, from: n as u32 };
    recipes.args.iter().enumerate().map(arg).collect()
}

/// A site of a virtual probe.
pub(super) fn virtual_site(path: &Arc<PathBuf>, site: &UsdtSite, recipes: &Recipes) -> UserSite {
    UserSite {
        path: Arc::clone(path),
        offset: site.offset,
        semaphore: 0,
        within: 0,
        args: Arc::new(recipes.args.iter().map(|arg| ArgSource::Recipe(Arc::clone(&arg.value))).collect()),
        at_entry: recipes.at_entry,
        condition: recipes.when.clone(),
        returns_of: recipes.at_return.then_some(site.entry),
        keep: recipes.keep.as_ref().map(|value| Keep {
            offset: site.entry,
            function: site.named.clone().unwrap_or_default(),
            value: Arc::clone(value),
        }),
        look: recipes.look.map(|look| look.when),
    }
}

fn arg_type(n: usize, operand: Option<&ArgOperand>) -> ProbeArg {
    let (size, signed) = operand.map_or((8, false), |operand| (operand.size, operand.signed));
    let ty = format!("{}int{}_t", if signed { "" } else { "u" }, u32::from(size) * 8);
    ProbeArg { ty, native: None, from: n as u32 }
}

/// A constant as wide as its operand says: a compiler writes `4@$-1` for an unsigned int as well.
fn narrow(value: i64, bytes: u8, signed: bool) -> i64 {
    let shift = 64 - u32::from(bytes.clamp(1, 8)) * 8;
    match signed {
        true => (value << shift) >> shift,
        false => (value.cast_unsigned() << shift >> shift).cast_signed(),
    }
}

/// Where the program finds an argument of a site; what cannot be read is absent.
fn source(site: &UsdtSite, operand: Option<&ArgOperand>) -> ArgSource {
    let Some(operand) = operand else { return ArgSource::Absent };
    let (bytes, signed) = (operand.size, operand.signed);
    // Relative to the site, whose address is in the program counter when the probe fires.
    let from_here = |vaddr: i64| vaddr.wrapping_sub(site.vaddr.cast_signed());
    match operand.place {
        Operand::Register(reg) => ArgSource::Reg {
            offset: reg.pt_regs + u16::from(reg.shift / 8),
            bytes: bytes.min(reg.width),
            signed,
        },
        Operand::Memory { base, index, disp, relative } => {
            let (base, index) = (base.map(|reg| reg.pt_regs), index.map(|(reg, scale)| (reg.pt_regs, scale)));
            match (relative, base, index) {
                (false, base, index) => ArgSource::UserMem {
                    base,
                    index: index.map(|(reg, _)| reg),
                    scale: index.map_or(1, |(_, scale)| scale),
                    disp,
                    bytes,
                    signed,
                },
                (true, None, index) | (true, Some(_), index @ Some(_)) if base.is_none() => {
                    ArgSource::UserMem {
                        base: Some(RIP),
                        index: index.map(|(reg, _)| reg),
                        scale: index.map_or(1, |(_, scale)| scale),
                        disp: from_here(disp),
                        bytes,
                        signed,
                    }
                }
                (true, Some(base), None) => ArgSource::UserMem {
                    base: Some(RIP),
                    index: Some(base),
                    scale: 1,
                    disp: from_here(disp),
                    bytes,
                    signed,
                },
                // Three parts and a bias: no compiler writes that.
                (true, _, _) => ArgSource::Absent,
            }
        }
        Operand::Constant { value, relative: false } => ArgSource::Const(narrow(value, bytes, signed)),
        Operand::Constant { value, relative: true } => ArgSource::PcRelative(from_here(value)),
    }
}

/// The probes of a description that are meant in every process, of files in a scan.
pub fn everywhere(scan: &Scan, desc: &ProbeDesc) -> Vec<Everywhere> {
    matching(scan, desc)
        .iter()
        .filter(|found| found.pids == Pids::All)
        .map(|found| {
            let (point, args) = point(found);
            Everywhere { point, args }
        })
        .collect()
}

/// Is a probe of this note meant in every process by the description?
pub fn is_everywhere(desc: &ProbeDesc, provider: &str) -> bool {
    desc.id.is_none() && matches_any_pid(&desc.provider, provider)
}
