//! The gate: a process that has just mapped its libraries waits, for milliseconds, until their probes are attached.
//!
//! Probes in files that nobody mapped before can only be attached once the file is known, and the process that brought
//! it runs on meanwhile. The dynamic linker tells debuggers of every change by calling an empty function,
//! `_dl_debug_state` (its name is `r_brk` in <link.h>): after the libraries are mapped and before any of their code
//! runs, at the start and at each dlopen(3). A sleepable BPF program on that function tells us and turns in circles until
//! we have looked, so that the first firing counts too. It stops nothing that a parent could notice, and lets go by
//! itself when we are slow or dead.

use super::system;
use crate::codegen::asm::{Arg, Assembler, Linkage, MapId};
use crate::codegen::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use crate::codegen::namespace::{Namespace, current};
use crate::kernel::leave::leave;
use crate::kernel::link::{self, Link, Site};
use crate::kernel::map::MappedArray;
use crate::kernel::ringbuf::RingBuffer;
use crate::kernel::{Features, LoadError, Map, MapKind, MapSpec, Prog, ProgSpec};
use crate::process::namespace::own;
use crate::symbols::elf::{Elf, FileId};
use duotrace_core::backend::BackendError;
use std::collections::{BTreeSet, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// How long a process waits while we are at it.
const PATIENCE: u64 = 1_000_000_000;
/// How long it waits while we do something else, perhaps wait for that very process ourselves.
const IMPATIENCE: u64 = 25_000_000;

/// Maps, as the program numbers them.
const KNOCKS: MapId = MapId(0);
const WORDS: MapId = MapId(1);

/// Byte offsets of the words that both sides see.
mod word {
    /// Whatever was mapped before this time has been dealt with.
    pub(super) const DONE: usize = 0;
    /// Nanoseconds that a process may wait.
    pub(super) const LIMIT: usize = 8;
    /// Our own process.
    pub(super) const OURS: usize = 16;
    pub(super) const BYTES: u32 = 24;
}

/// Bytes of `struct r_debug` before `r_state`.
const R_STATE: u64 = 24;
/// Offset of `rip` in `struct pt_regs`.
const RIP: i16 = 128;
/// Offset of `rsp`.
const RSP: i16 = 152;
/// Added to the pid in the record of a process that waited in vain.
const LATE: i32 = 1 << 30;
/// Looks at the clock at most.
const SPINS: i32 = 1 << 23;

/// Dynamic linkers of most systems; others are found as processes map them.
const LINKERS: [&str; 3] =
    ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1", "/lib/ld-linux-aarch64.so.1"];

/// The gate at dynamic linkers.
#[derive(Debug)]
pub struct Gate {
    // Links go first.
    links: Vec<Link>,
    prog: Prog,
    words: MappedArray,
    knocks: RingBuffer,
    guarded: HashSet<FileId>,
    late: BTreeSet<i32>,
    only: Option<u32>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        leave(std::mem::take(&mut self.links));
    }
}

impl Gate {
    /// Puts a gate at the usual dynamic linkers, for every process or for one. An error when the kernel cannot:
    /// 6.0 and later can.
    pub fn new(features: &Features, only: Option<u32>) -> Result<Gate, BackendError> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(BackendError::new("no gate for this machine"));
        }
        let knocks = Map::create(MapSpec::ringbuf("knocks", 1 << 14)).map_err(system)?;
        let words =
            Map::create(MapSpec::array(MapKind::MmapArray, "gate", word::BYTES, 1)).map_err(system)?;
        let code = program(own()).finish().map_err(|error| BackendError::new(format!("gate: {error:?}")))?;
        let fd_of = |id: MapId| match id {
            KNOCKS => Some(knocks.raw_fd()),
            WORDS => Some(words.raw_fd()),
            MapId(_) => None,
        };
        let insns =
            code.with_maps(fd_of).map_err(|id| BackendError::new(format!("gate: no map {}", id.0)))?;
        let spec = ProgSpec {
            kind: features.uprobe_kind(),
            name: "gate",
            insns: &insns,
            functions: &code.functions,
            sleepable: true,
        };
        let prog = Prog::load(&spec).map_err(|error| match error {
            LoadError::Kernel(error) => system(error),
            LoadError::Refused(refusal) => BackendError::new(refusal.reason),
        })?;
        let words = words.mmap().map_err(system)?;
        words.store(word::OURS, u64::from(std::process::id()));
        let knocks = RingBuffer::new(&knocks).map_err(system)?;
        let mut gate = Gate {
            links: Vec::new(),
            prog,
            words,
            knocks,
            guarded: HashSet::new(),
            late: BTreeSet::new(),
            only,
        };
        for path in LINKERS {
            gate.guard(Path::new(path));
        }
        Ok(gate)
    }

    /// Puts a gate at a file if it is a dynamic linker that has none.
    pub fn guard(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("ld") {
            return;
        }
        let Ok(elf) = Elf::open(path) else { return };
        let Some(id) = elf.id() else { return };
        if !self.guarded.insert(id) {
            return;
        }
        let Some((site, delta)) = place(&elf) else { return };
        if let Ok(links) = link::attach_uprobes(&self.prog, path, &[Site::new(site, delta)], false, self.only)
        {
            self.links.extend(links);
        }
    }

    /// Readable when somebody waits.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.knocks.as_fd()
    }

    /// Whoever comes while we are waiting or looking waits longer.
    pub fn attend(&self, attending: bool) {
        self.words.store(word::LIMIT, if attending { PATIENCE } else { IMPATIENCE });
    }

    /// Has somebody come since the last [`Gate::hear`]?
    pub fn is_knocked_at(&self) -> bool {
        self.knocks.pending() > 0
    }

    /// Takes note of those who wait: to be called before looking. The time to hand to [`Gate::open`].
    pub fn hear(&mut self) -> u64 {
        let late = &mut self.late;
        self.knocks.drain(|record| {
            let pid = record.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes);
            if pid >= LATE {
                late.insert(pid - LATE);
            }
        });
        super::sys::monotonic()
    }

    /// Lets go on whoever came before a time.
    pub fn open(&self, until: u64) {
        self.words.store(word::DONE, until);
    }

    /// Who went on before the probes were attached, as far as was heard up to now.
    pub fn late(&mut self) -> BTreeSet<i32> {
        std::mem::take(&mut self.late)
    }
}

/// File offset of `_dl_debug_state`, and how far `r_state` lies from it in memory.
fn place(elf: &Elf) -> Option<(u64, u64)> {
    let function = elf.symbol_vaddr("_dl_debug_state")?;
    let state = elf.symbol_vaddr("_r_debug").or_else(|| elf.symbol_vaddr("_dl_debug_addr"))?;
    // musl's `_dl_debug_addr` is a pointer to the structure: its state cannot be found by distance. Wait each time.
    let state = if elf.symbol_vaddr("_r_debug").is_some() { state.wrapping_add(R_STATE) } else { 0 };
    let delta = if state == 0 { 0 } else { state.wrapping_sub(function) };
    Some((elf.vaddr_to_offset(function)?, delta))
}

/// The program; its cookie is the distance of `r_state` from the probed instruction, or 0.
fn program(whose: Option<Namespace>) -> Assembler {
    const STATE: i16 = -8;
    /// What the loop needs: the stack pointer, and when it began.
    const STACK: i16 = -16;
    const BEGAN: i16 = -24;
    const KNOCK: i16 = -32;
    let mut asm = Assembler::new("gate");
    let spin = asm.declare("gate_spin", Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
    let (out, consistent) = (asm.label(), asm.label());
    asm.mov(Reg::R6, Reg::R1);
    current(&mut asm, whose, STATE);
    asm.mov(Reg::R7, Reg::R0);
    asm.emit(Insn::alu64(Alu::Rsh, Reg::R7, 32));
    asm.load_map_value(Reg::R1, WORDS, word::OURS as i32);
    asm.load(Size::DW, Reg::R1, Reg::R1, 0);
    asm.jump_if(Cond::Eq, Reg::R1, Reg::R7, out);
    // Only when libraries have been mapped (RT_CONSISTENT, 0), not when some are about to be.
    asm.mov(Reg::R1, Reg::R6);
    asm.call(Helper::GetAttachCookie);
    asm.jump_if(Cond::Eq, Reg::R0, 0, consistent);
    asm.load(Size::DW, Reg::R3, Reg::R6, RIP);
    asm.emit(Insn::alu64(Alu::Add, Reg::R3, Reg::R0));
    asm.emit(Insn::st(Size::DW, Reg::R10, STATE, 0));
    asm.mov(Reg::R1, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, Reg::R1, i32::from(STATE)));
    asm.mov(Reg::R2, 4);
    asm.call(Helper::ProbeReadUser);
    asm.load(Size::W, Reg::R1, Reg::R10, STATE);
    asm.jump_if(Cond::Ne, Reg::R1, 0, out);
    asm.bind(consistent);
    asm.call(Helper::KtimeGetNs);
    asm.store(Size::DW, Reg::R10, BEGAN, Reg::R0);
    asm.store(Size::DW, Reg::R10, KNOCK, Reg::R7);
    asm.load(Size::DW, Reg::R1, Reg::R6, RSP);
    asm.store(Size::DW, Reg::R10, STACK, Reg::R1);
    asm.load_map(Reg::R1, KNOCKS);
    asm.mov(Reg::R2, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, Reg::R2, i32::from(KNOCK)));
    asm.mov(Reg::R3, 8);
    asm.mov(Reg::R4, 0);
    asm.call(Helper::RingbufOutput);
    asm.mov(Reg::R1, SPINS);
    asm.load_func(Reg::R2, spin);
    asm.mov(Reg::R3, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, Reg::R3, i32::from(BEGAN)));
    asm.mov(Reg::R4, 0);
    asm.call(Helper::Loop);
    asm.bind(out);
    asm.ret(0);
    // `(index, when it began) -> 1: enough`.
    asm.enter(spin);
    let (go_on, enough) = (asm.label(), asm.label());
    asm.load(Size::DW, Reg::R6, Reg::R2, 0);
    // Reading our own memory as another's gives the processor away if somebody wants it (cond_resched() in
    // __get_user_pages(), mm/gup.c): that may be the one we wait for.
    asm.load(Size::DW, Reg::R7, Reg::R2, 8);
    asm.call(Helper::GetCurrentTaskBtf);
    asm.mov(Reg::R4, Reg::R0);
    asm.mov(Reg::R3, Reg::R7);
    asm.mov(Reg::R1, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, Reg::R1, -8));
    asm.mov(Reg::R2, 8);
    asm.mov(Reg::R5, 0);
    asm.call(Helper::CopyFromUserTask);
    asm.load_map_value(Reg::R7, WORDS, 0);
    asm.load(Size::DW, Reg::R1, Reg::R7, word::DONE as i16);
    asm.jump_if(Cond::Ge, Reg::R1, Reg::R6, enough);
    asm.call(Helper::KtimeGetNs);
    asm.emit(Insn::alu64(Alu::Sub, Reg::R0, Reg::R6));
    asm.load_map_value(Reg::R7, WORDS, word::LIMIT as i32);
    asm.load(Size::DW, Reg::R1, Reg::R7, 0);
    asm.jump_if(Cond::Lt, Reg::R0, Reg::R1, go_on);
    // Nobody came: the next shall not wait for them either, until somebody attends again.
    asm.emit(Insn::st(Size::DW, Reg::R7, 0, 0));
    current(&mut asm, whose, STATE);
    asm.emit(Insn::alu64(Alu::Rsh, Reg::R0, 32));
    asm.emit(Insn::alu64(Alu::Add, Reg::R0, LATE));
    asm.store(Size::DW, Reg::R10, -8, Reg::R0);
    asm.load_map(Reg::R1, KNOCKS);
    asm.mov(Reg::R2, Reg::R10);
    asm.emit(Insn::alu64(Alu::Add, Reg::R2, -8));
    asm.mov(Reg::R3, 8);
    asm.mov(Reg::R4, 0);
    asm.call(Helper::RingbufOutput);
    asm.bind(enough);
    asm.ret(1);
    asm.bind(go_on);
    asm.ret(0);
    asm
}
