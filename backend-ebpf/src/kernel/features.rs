//! What the running kernel can do: asked once each, when first needed, by trying it.
//!
//! Trying beats version numbers: distributions backport, and configurations and
//! security modules forbid what the version would allow. Nothing is tried that nobody asks for.

use super::link::{self, KernelSite, Site};
use super::{Error, Kind, LoadError, Map, MapKind, MapSpec, Prog, ProgSpec};
use crate::btf::{Btf, Kind as BtfKind};
use crate::codegen::asm::{Arg, Assembler, Linkage, MapId};
use crate::codegen::insn::{Alu, Helper, Insn, Reg};
use std::path::Path;
use std::sync::OnceLock;

/// The answer to "can this kernel ...?": `Err` says why not.
pub type Answer = Result<(), String>;

/// A capability of the kernel that a program or an attachment may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Many uprobes in one link (kernel 6.6).
    UprobeMulti,
    /// Entry and return in one program, with a cookie for each call (kernel 6.13).
    UprobeSession,
    /// `bpf_get_attach_cookie` (kernel 5.15).
    Cookie,
    /// `bpf_get_func_ip` in uprobe programs (kernel 6.6).
    FuncIp,
    /// Values in threads, from uprobe programs (kernel 5.13).
    TaskStorage,
    /// Ring buffer maps (kernel 5.8).
    Ringbuf,
    /// `bpf_loop` (kernel 5.17).
    Loop,
    /// Signed division, sign-extending moves and loads, 32-bit jumps (BPF ISA v4, kernel 6.6).
    IsaV4,
    /// Calling kernel functions from uprobe programs.
    Kfuncs,
    /// Programs at kernel functions' entries and returns.
    Fentry,
    /// Many kernel functions in one link (kernel 5.18, CONFIG_FPROBE).
    KprobeMulti,
    /// Kernel functions through perf events.
    Kprobe,
}

impl Feature {
    /// All of them, for a report.
    pub const ALL: [Feature; 12] = [
        Feature::UprobeMulti,
        Feature::UprobeSession,
        Feature::Cookie,
        Feature::FuncIp,
        Feature::TaskStorage,
        Feature::Ringbuf,
        Feature::Loop,
        Feature::IsaV4,
        Feature::Kfuncs,
        Feature::Fentry,
        Feature::KprobeMulti,
        Feature::Kprobe,
    ];

    /// The name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Feature::UprobeMulti => "uprobe_multi links",
            Feature::UprobeSession => "uprobe sessions",
            Feature::Cookie => "attach cookies",
            Feature::FuncIp => "bpf_get_func_ip in uprobes",
            Feature::TaskStorage => "task storage",
            Feature::Ringbuf => "ring buffers",
            Feature::Loop => "bpf_loop",
            Feature::IsaV4 => "BPF ISA v4",
            Feature::Kfuncs => "kfuncs in uprobes",
            Feature::Fentry => "fentry",
            Feature::KprobeMulti => "kprobe_multi links",
            Feature::Kprobe => "kprobes",
        }
    }

    fn probe(self) -> Answer {
        match self {
            Feature::UprobeMulti => multi(Kind::UprobeMulti),
            Feature::UprobeSession => multi(Kind::UprobeSession),
            Feature::Cookie => helper(Helper::GetAttachCookie),
            Feature::FuncIp => helper(Helper::GetFuncIp),
            Feature::TaskStorage => task_storage(),
            Feature::Ringbuf => {
                Map::create(MapSpec::ringbuf("probe", 4096)).map(|_| ()).map_err(|error| error.to_string())
            }
            Feature::Loop => bpf_loop(),
            Feature::IsaV4 => {
                let mut asm = Assembler::new("probe");
                asm.mov(Reg::R0, 6);
                asm.emit(Insn::alu64(Alu::SDiv, Reg::R0, 3));
                asm.exit();
                loads(asm, Kind::RawTracepoint, &[])
            }
            Feature::Kfuncs => kfuncs(),
            Feature::Fentry => fentry(),
            Feature::KprobeMulti => kprobes(Kind::KprobeMulti),
            Feature::Kprobe => kprobes(Kind::Kprobe),
        }
    }
}

/// The answers so far.
#[derive(Debug, Default)]
pub struct Features {
    answers: [OnceLock<Answer>; Feature::ALL.len()],
}

impl Features {
    /// Nothing asked yet.
    pub fn new() -> Features {
        Features::default()
    }

    /// Can the kernel do it? Tries on the first call. `Err` says why not.
    pub fn supports(&self, feature: Feature) -> Result<(), &str> {
        match self.answers.get(feature as usize) {
            Some(answer) => answer.get_or_init(|| feature.probe()).as_ref().copied().map_err(String::as_str),
            None => Err("unknown feature"),
        }
    }

    /// `supports` as a plain yes or no.
    pub fn has(&self, feature: Feature) -> bool {
        self.supports(feature).is_ok()
    }

    /// The kind of program to attach kprobes with.
    pub fn kprobe_kind(&self) -> Kind {
        if self.has(Feature::KprobeMulti) { Kind::KprobeMulti } else { Kind::Kprobe }
    }

    /// The kind of program to attach uprobes with.
    pub fn uprobe_kind(&self) -> Kind {
        if self.has(Feature::UprobeMulti) { Kind::UprobeMulti } else { Kind::Uprobe }
    }
}

fn load(asm: Assembler, kind: Kind, maps: &[&Map]) -> Result<Prog, String> {
    let program = asm.finish().map_err(|error| error.to_string())?;
    let insns = program
        .with_maps(|MapId(id)| maps.get(id as usize).map(|map| map.raw_fd()))
        .map_err(|map| format!("no map {}", map.0))?;
    let spec =
        ProgSpec { kind, name: "probe", insns: &insns, functions: &program.functions, sleepable: false };
    Prog::load(&spec).map_err(|error| match error {
        LoadError::Refused(refusal) => refusal.reason,
        LoadError::Kernel(error) => error.to_string(),
    })
}

fn loads(asm: Assembler, kind: Kind, maps: &[&Map]) -> Answer {
    load(asm, kind, maps).map(|_| ())
}

/// Attaching to a path that is no file fails with `EBADF` where the link type is known, with `EINVAL` where it is not
/// (the check that libbpf uses too).
fn multi(kind: Kind) -> Answer {
    let mut asm = Assembler::new("probe");
    asm.ret(0);
    let prog = load(asm, kind, &[])?;
    match link::attach_uprobes(&prog, Path::new("/"), &[Site::new(0, 0)], false, None) {
        Err(Error { errno: libc::EBADF, .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// A uprobe program that calls a helper with its context only.
fn helper(helper: Helper) -> Answer {
    let mut asm = Assembler::new("probe");
    asm.call(helper);
    asm.ret(0);
    loads(asm, Kind::Uprobe, &[])
}

fn task_storage() -> Answer {
    let map = Map::create(MapSpec::task_storage("probe", 8)).map_err(|error| error.to_string())?;
    let mut asm = Assembler::new("probe");
    asm.call(Helper::GetCurrentTaskBtf);
    asm.mov(Reg::R2, Reg::R0);
    asm.load_map(Reg::R1, MapId(0));
    asm.mov(Reg::R3, 0);
    asm.mov(Reg::R4, 1);
    asm.call(Helper::TaskStorageGet);
    asm.ret(0);
    loads(asm, Kind::Uprobe, &[&map])
}

fn bpf_loop() -> Answer {
    let mut asm = Assembler::new("probe");
    let body = asm.declare("body", Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
    asm.mov(Reg::R1, 3);
    asm.load_func(Reg::R2, body);
    asm.mov(Reg::R3, 0);
    asm.mov(Reg::R4, 0);
    asm.call(Helper::Loop);
    asm.ret(0);
    asm.enter(body);
    asm.ret(0);
    loads(asm, Kind::Uprobe, &[])
}

/// BTF id of a kernel function.
fn function(name: &str) -> Option<u32> {
    Some(Btf::vmlinux()?.find(&[BtfKind::Function], name)?.id)
}

fn kfuncs() -> Answer {
    // The pair that generated code wants first; both without arguments.
    let names = ["bpf_preempt_disable", "bpf_preempt_enable"];
    let [Some(disable), Some(enable)] = names.map(function) else {
        return Err("the kernel has no bpf_preempt_disable (needs 6.10)".to_string());
    };
    let mut asm = Assembler::new("probe");
    asm.emit(Insn::call_kfunc(disable as i32));
    asm.emit(Insn::call_kfunc(enable as i32));
    asm.ret(0);
    loads(asm, Kind::Uprobe, &[])
}

/// A function made for such tests in every kernel with BPF (net/bpf/test_run.c).
const TEST_FUNCTION: &str = "bpf_fentry_test1";

fn kprobes(kind: Kind) -> Answer {
    let mut asm = Assembler::new("probe");
    asm.ret(0);
    let prog = load(asm, kind, &[])?;
    let site = KernelSite { function: TEST_FUNCTION.to_string(), cookie: 0 };
    link::attach_kprobes(&prog, &[site], false).map(|_| ()).map_err(|error| error.to_string())
}

fn fentry() -> Answer {
    let Some(id) = function(TEST_FUNCTION) else {
        return Err(format!("the kernel's BTF has no {TEST_FUNCTION}"));
    };
    let mut asm = Assembler::new("probe");
    asm.ret(0);
    let prog = load(asm, Kind::Fentry(id), &[])?;
    link::attach_btf(&prog, 0).map(|_| ()).map_err(|error| error.to_string())
}

/// The kind of map to keep a thread's variables in: storage in the thread, or a table by thread id.
pub fn thread_map_kind(features: &Features) -> MapKind {
    if features.has(Feature::TaskStorage) { MapKind::TaskStorage } else { MapKind::Hash }
}

/// Major and minor number of the running kernel.
pub fn release() -> Option<(u32, u32)> {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
