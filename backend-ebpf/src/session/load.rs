//! An image becomes maps and loaded programs.

use super::plan::Attach;
use super::system;
use crate::btf::{self, Btf};
use crate::codegen::layout;
use crate::codegen::{Hook, Image, KernelOffsets, Limits, MapDef, ReturnOffsets, SiteGroup, Target};
use crate::kernel::{Feature, Features, Kind, LoadError as ProgError, Map, Prog, ProgSpec, cpus, features};
use crate::process::namespace;
use duotrace_core::backend::{BackendError, LoadError};
use duotrace_core::diagnostic::{Diag, Span, Tag};
use duotrace_core::ir::{Program, Ty, Variable};
use duotrace_core::options::{Options, opt};
use duotrace_core::probe::ProbeDesc;
use std::collections::BTreeMap;

/// Maps by the number that programs know them by.
pub type Maps = BTreeMap<u32, Map>;

/// The kernel that this runs on, as far as a script needs to know it.
pub fn target(program: &Program, groups: &[SiteGroup], features: &Features) -> Result<Target, BackendError> {
    let ncpu = cpus::possible().map_err(system)?.len() as u32;
    // A few milliseconds, so only for scripts that gain from it.
    let parts = || groups.iter().flat_map(|group| group.also.as_deref().into_iter().chain([group]));
    let mut offsets = match KernelOffsets::wanted(program)
        || parts().any(|group| group.task.is_some() || group.looks_at.is_some())
    {
        true => Btf::vmlinux().map(KernelOffsets::from_btf).unwrap_or_default(),
        false => KernelOffsets::default(),
    };
    if groups.iter().any(|group| group.session) {
        offsets.returns = Btf::vmlinux().and_then(ReturnOffsets::from_btf);
    }
    Ok(Target {
        ncpu,
        global_ctx: features::release().is_some_and(|release| release >= (6, 8)),
        isa_v4: features.has(Feature::IsaV4),
        // Before, they looked at the thread rather than the process (46ba0e49b642 "bpf: fix multi-uprobe PID filtering
        // logic"); asked for only where a uprobe wants it.
        links_filter: features::release().is_some_and(|release| release >= (6, 10))
            && groups.iter().any(|group| group.hook == Hook::Uprobe)
            && features.has(Feature::UprobeMulti),
        guards_syscalls: features::release().is_some_and(|release| release >= (6, 13)),
        namespace: namespace::own(),
        watches_switches: offsets.pid.is_some() && features.has(Feature::TaskStorage),
        offsets,
    })
}

/// Bytes of the ring of a script that makes no records: faults go through it.
const FAULTS_ONLY: u32 = 256 << 10;

/// Does any clause make records?
fn makes_records(program: &Program) -> bool {
    program.clauses.iter().any(|clause| !clause.record.actions.is_empty())
}

/// Do only BEGIN, END, ERROR and timers fire? Then there are never many records at once.
fn is_leisurely(program: &Program) -> bool {
    program.clauses.iter().flat_map(|clause| &clause.probes).all(|enabling| {
        matches!(enabling.desc.provider.as_str(), "dtrace" | "profile") || is_bare(&enabling.desc)
    })
}

/// `BEGIN`, `tick-1s` and their kin without a provider.
fn is_bare(desc: &ProbeDesc) -> bool {
    let timer = desc.name.starts_with("tick-") || desc.name.starts_with("profile-");
    desc.id.is_none()
        && desc.provider.is_empty()
        && (timer || matches!(desc.name.as_str(), "BEGIN" | "END" | "ERROR"))
}

/// Sizes from the options.
pub fn limits(program: &Program, options: &Options) -> Limits {
    let bytes = |option| u32::try_from(options.number(option)).unwrap_or(u32::MAX);
    Limits {
        // The kernel makes a ring of at most 2 GB; more than a quarter of that nobody has to spare.
        bufsize: match options.is_set(opt::BUFSIZE) {
            true => bytes(opt::BUFSIZE).clamp(64 << 10, 512 << 20),
            // Every page of it counts as ours.
            false if !makes_records(program) => FAULTS_ONLY,
            false if is_leisurely(program) => 1 << 20,
            // All processors share it.
            false => bytes(opt::BUFSIZE)
                .saturating_mul(cpus::possible().map_or(1, |cpus| cpus.len().min(8)) as u32),
        },
        aggsize: bytes(opt::AGGSIZE),
        dynvarsize: bytes(opt::DYNVARSIZE),
        scratchsize: bytes(opt::SCRATCHSIZE),
        nspec: bytes(opt::NSPEC),
        cpu: u32::try_from(options.number(opt::CPU)).ok(),
    }
}

/// Bytes of a record beside its data: the ring's header, ours, and what aligns them.
const RECORD_OVERHEAD: u64 = 52;

/// A record that does not fit into the buffer could never be delivered.
pub fn check_sizes(program: &Program, options: &Options) -> Result<(), BackendError> {
    let bufsize = options.number(opt::BUFSIZE);
    let largest = program.clauses.iter().map(|clause| u64::from(clause.record.size)).max().unwrap_or(0);
    if largest.next_multiple_of(8) + RECORD_OVERHEAD > bufsize {
        return Err(BackendError::new("Enabling exceeds size of buffer"));
    }
    // An associative array that cannot hold one element would lose them all.
    let dynvarsize = options.number(opt::DYNVARSIZE);
    let bytes = |ty: &Ty| match ty {
        Ty::Str => u64::from(program.strsize),
        Ty::Bytes(bytes) => u64::from(*bytes),
        _ => 8,
    };
    let element = |var: &Variable| Some(bytes(&var.ty) + var.key.as_ref()?.iter().map(bytes).sum::<u64>());
    if program.variables.iter().filter_map(element).any(|bytes| bytes > dynvarsize) {
        return Err(BackendError::new("Enabling exceeds size of buffer"));
    }
    Ok(())
}

/// Attaching takes the kernel its time for each place, and each of these pays when it is passed: many are rarely meant.
pub fn check_probes(attach: &[Attach], options: &Options) -> Result<(), BackendError> {
    let places = |attach: &Attach| match attach {
        Attach::Uprobes { files, .. } => files.values().map(Vec::len).sum(),
        Attach::Kprobes { sites, .. } => sites.len(),
        _ => 1,
    };
    let (count, most) = (attach.iter().map(places).sum::<usize>() as u64, options.number(opt::MAXPROBES));
    if count > most {
        return Err(BackendError::new(format!(
            "the script's probes are at {count} places, more than {most}: make its descriptions narrower, or allow \
             more (-x maxprobes={count})"
        )));
    }
    Ok(())
}

/// Creates the maps that are not there yet.
///
/// Programs that come later may need larger scratch frames than the first: they get frames of their own, and
/// the earlier programs keep theirs.
pub fn create_maps(defs: &[MapDef], maps: &mut Maps) -> Result<(), BackendError> {
    for def in defs {
        if let Some(map) = maps.get(&def.id.0)
            && (def.id != layout::FRAMES || map.spec().value_size >= def.spec.value_size)
        {
            continue;
        }
        let map = Map::create(def.spec.clone()).map_err(system)?;
        for (key, value) in &def.init {
            map.update(key, value).map_err(system)?;
        }
        maps.insert(def.id.0, map);
    }
    Ok(())
}

fn kind(group: &SiteGroup, attach: Option<&Attach>, features: &Features) -> Result<Kind, BackendError> {
    Ok(match group.hook {
        Hook::Kprobe => features.kprobe_kind(),
        Hook::Uprobe if group.session => Kind::UprobeSession,
        Hook::Uprobe => features.uprobe_kind(),
        Hook::PerfEvent => Kind::PerfEvent,
        Hook::TestRun | Hook::SysEnter | Hook::SysExit | Hook::RawTracepoint => Kind::RawTracepoint,
        Hook::BtfTracepoint | Hook::Function => match attach {
            Some(Attach::BtfTracepoint(name)) => Kind::TracepointBtf(tracepoint_id(name)?),
            Some(Attach::Function { id, at_return: false }) => Kind::Fentry(*id),
            Some(Attach::Function { id, at_return: true }) => Kind::Fexit(*id),
            _ => return Err(BackendError::new("internal error: a typed program without a type")),
        },
    })
}

/// The BTF id of a tracepoint's `btf_trace_NAME`.
pub(super) fn tracepoint_id(name: &str) -> Result<u32, BackendError> {
    let found = Btf::vmlinux().and_then(|btf| btf.find(&[btf::Kind::Typedef], &format!("btf_trace_{name}")));
    match found {
        Some(entry) => Ok(entry.id),
        None => Err(BackendError::new(format!("the kernel's BTF has no tracepoint {name}"))),
    }
}

/// Loads the image's programs of the groups from `from` on.
pub fn load_programs(
    image: &Image,
    groups: &[SiteGroup],
    attach: &[Attach],
    from: usize,
    maps: &Maps,
    features: &Features,
) -> Result<Vec<Prog>, LoadError> {
    let mut progs = Vec::new();
    for program in image.programs.iter().filter(|program| program.group >= from) {
        let Some(group) = groups.get(program.group) else { continue };
        let insns = program
            .code
            .with_maps(|id| maps.get(&id.0).map(Map::raw_fd))
            .map_err(|id| BackendError::new(format!("internal error: no map {}", id.0)))?;
        let spec = ProgSpec {
            kind: kind(group, attach.get(program.group), features)?,
            name: &program.name,
            insns: &insns,
            functions: &program.code.functions,
            sleepable: false,
        };
        match Prog::load(&spec) {
            Ok(prog) => progs.push(prog),
            Err(ProgError::Kernel(error)) => return Err(system(error).into()),
            Err(ProgError::Refused(refusal)) => {
                let span = refusal
                    .insn
                    .and_then(|insn| program.code.span_of(insn))
                    .filter(|tag| *tag != 0)
                    .and_then(|tag| image.spans.get(tag as usize))
                    .copied();
                let span = span.unwrap_or_else(Span::default);
                let diag = Diag::error(
                    Tag::D_EBPF_VERIFIER,
                    span,
                    "the kernel's verifier refused the program made of this",
                );
                return Err(LoadError::Script(vec![diag.note(refusal.reason)]));
            }
        }
    }
    Ok(progs)
}
