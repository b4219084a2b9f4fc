//! Built-in variables.

use super::asm::MapId;
use super::context::{ArgMode, Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, Layout, control};
use super::runtime::Routine;
use super::{ArgSource, Hook, Input, ProbeIdentity};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{Builtin, Ty};
use duotrace_core::probe::{Probe, ProbeId};
use std::collections::BTreeSet;

/// Room for probes that appear while the program runs.
const LATER_PROBES: u32 = 1024;

/// `PRARGSZ` of illumos: so much of the arguments is shown.
const PSARGS: i32 = 79;

/// How many entries `NAMES` needs.
pub(super) fn name_entries(input: &Input<'_>) -> u32 {
    probes(input).len() as u32 + LATER_PROBES
}

/// Every probe that some clause enables.
fn probes(input: &Input<'_>) -> BTreeSet<u32> {
    input
        .program
        .clauses
        .iter()
        .flat_map(|clause| clause.probes.iter().flat_map(|enabling| enabling.probes.iter().map(|id| id.0)))
        .collect()
}

/// Initial contents of a map.
pub(super) fn initial(input: &Input<'_>, plan: &Layout, map: MapId) -> Vec<(Vec<u8>, Vec<u8>)> {
    match map {
        layout::NAMES => probes(input)
            .into_iter()
            .filter_map(|id| {
                let probe = (input.probe)(ProbeId(id))?;
                Some((id.to_ne_bytes().to_vec(), plan.names_value(&probe)))
            })
            .collect(),
        layout::SYSCALLS => {
            let mut entries = Vec::new();
            for (index, group) in input.groups.iter().enumerate() {
                let ProbeIdentity::BySyscall(table) = &group.identity else { continue };
                for (number, probe) in table.iter().enumerate().take(1024).filter(|(_, probe)| **probe != 0) {
                    let key = (index * 1024 + number) as u32;
                    entries.push((key.to_ne_bytes().to_vec(), probe.to_ne_bytes().to_vec()));
                }
            }
            entries
        }
        _ => Vec::new(),
    }
}

impl Layout {
    /// A probe's entry in `NAMES`: its four names as strings.
    pub fn names_value(&self, probe: &Probe) -> Vec<u8> {
        let mut value = Vec::new();
        for name in [&probe.provider, &probe.module, &probe.function, &probe.name] {
            let start = value.len();
            let length = name.len().min(self.strsize as usize - 1);
            value.extend((length as u64).to_ne_bytes());
            value.extend(name.as_bytes().iter().take(length));
            value.resize(start + self.str_bytes as usize, 0);
        }
        value
    }
}

impl Gen<'_> {
    /// `R0 =` a built-in variable that is a number.
    pub fn builtin(&mut self, builtin: Builtin, span: Span) -> Res {
        match builtin {
            Builtin::Pid => self.pid(),
            Builtin::Tid => match self.input.target.offsets.pid {
                Some(offset) if self.input.target.namespace.is_none() => self.task_field(Size::W, offset),
                _ => {
                    self.task_numbers();
                    self.emit(Insn::mov32(Reg::R0, Reg::R0));
                }
            },
            Builtin::Uid | Builtin::Gid if self.group.task.is_some() => {
                let offsets = self.input.target.offsets;
                let (Some(cred), Some(uid)) = (offsets.cred, offsets.uid) else {
                    return self.without_types(span, "uid of another thread");
                };
                self.task_field(Size::DW, cred);
                self.load_far(Size::W, uid + if builtin == Builtin::Gid { 4 } else { 0 });
            }
            Builtin::Euid | Builtin::Egid => {
                let offsets = self.input.target.offsets;
                let wanted = if builtin == Builtin::Euid { offsets.euid } else { offsets.egid };
                let (Some(cred), Some(wanted)) = (offsets.cred, wanted) else {
                    return self.without_types(span, "euid and egid");
                };
                self.task_field(Size::DW, cred);
                self.load_far(Size::W, wanted);
            }
            Builtin::Uid => {
                self.asm.call(Helper::GetCurrentUidGid);
                self.emit(Insn::mov32(Reg::R0, Reg::R0));
            }
            Builtin::Gid => {
                self.asm.call(Helper::GetCurrentUidGid);
                self.alu(Alu::Rsh, Reg::R0, 32);
            }
            Builtin::Cpu => self.asm.call(Helper::GetSmpProcessorId),
            Builtin::Timestamp => self.timestamp(),
            Builtin::Walltimestamp => {
                // Unlike `timestamp` it is read each time.
                self.asm.call(Helper::KtimeGetNs);
                self.asm.load_map_value(Reg::R1, layout::CONTROL, control::WALL as i32);
                self.asm.load(Size::DW, Reg::R1, Reg::R1, 0);
                self.alu(Alu::Add, Reg::R0, Reg::R1);
            }
            Builtin::Vtimestamp => {
                let offsets = self.input.target.offsets;
                let (Some(account), Some(pid)) = (offsets.sum_exec_runtime, offsets.pid) else {
                    return self.without_types(span, "vtimestamp");
                };
                self.vtimestamp(account, pid)?;
            }
            Builtin::Ppid => {
                let offsets = self.input.target.offsets;
                let (Some(parent), Some(tgid)) = (offsets.real_parent, offsets.tgid) else {
                    return self.without_types(span, "ppid");
                };
                match self.input.target.namespace {
                    None => {
                        self.task_field(Size::DW, parent);
                        self.load_far(Size::W, tgid);
                    }
                    Some(_) => {
                        self.task();
                        self.asm.mov(Reg::R3, Reg::R0);
                        self.alu(Alu::Add, Reg::R3, parent.cast_signed());
                        // Not as a pointer that the verifier knows: a routine takes numbers only.
                        self.read_small(Helper::ProbeReadKernel, 8);
                        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
                        self.numbers();
                        self.alu(Alu::Rsh, Reg::R0, 32);
                    }
                }
            }
            Builtin::Epid => self.epid(),
            Builtin::Id => self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::PROBE),
            Builtin::Errno => self.errno(),
            Builtin::Caller if matches!(self.group.hook, Hook::Function | Hook::Kprobe) => {
                self.kernel_caller()
            }
            Builtin::Caller => self.kernel_pc(),
            Builtin::Ucaller => self.user_caller(),
            Builtin::Ipl | Builtin::CpuChip => self.asm.mov(Reg::R0, 0),
            Builtin::Curthread => self.task_address(),
            Builtin::Stackdepth | Builtin::Ustackdepth => {
                let mark = self.mark();
                let at = self.temp(127 * 8)?;
                self.asm.mov(Reg::R1, Reg::R6);
                self.frame_ptr(Reg::R2, at);
                self.asm.mov(Reg::R3, 127 * 8);
                self.asm
                    .mov(Reg::R4, if builtin == Builtin::Ustackdepth { 1 << 8 } else { self.own_frames() });
                self.asm.call(Helper::GetStack);
                self.free_temps(mark);
                let fine = self.asm.label();
                self.asm.jump_if(Cond::SGe, Reg::R0, 0, fine);
                self.asm.mov(Reg::R0, 0);
                self.asm.bind(fine);
                self.alu(Alu::Rsh, Reg::R0, 3);
            }
            Builtin::Sid | Builtin::Pgid => {
                let Some(offsets) = self.input.target.offsets.process else {
                    return self.without_types(span, "a session or process group");
                };
                // <linux/pid_types.h>: PIDTYPE_PGID is 2, PIDTYPE_SID 3.
                let index = if builtin == Builtin::Pgid { 2 } else { 3 };
                self.chase(&[offsets.signal, offsets.pids + index * 8, offsets.number]);
                self.canonical(Ty::I32);
            }
            other => return self.unsupported(span, &format!("the variable {}", name(other))),
        }
        Ok(())
    }

    /// `R0 =` the word at the end of a chain of pointers that begins at the task; 0 where it breaks.
    pub fn chase(&mut self, offsets: &[u32]) {
        self.task_address();
        for offset in offsets {
            self.asm.mov(Reg::R3, Reg::R0);
            self.alu(Alu::Add, Reg::R3, *offset as i32);
            self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
            self.read_small(Helper::ProbeReadKernel, 8);
            self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
        }
    }

    /// The process' arguments as they are in its memory, blanks between them.
    fn process_arguments(&mut self, to: u32, span: Span) -> Res {
        let Some(offsets) = self.input.target.offsets.process else {
            return self.without_types(span, "pr_psargs");
        };
        self.chase(&[offsets.mm, offsets.arg_start]);
        let start = self.hold()?;
        self.chase(&[offsets.mm, offsets.arg_end]);
        self.peek(&start, Reg::R1);
        self.alu(Alu::Sub, Reg::R0, Reg::R1);
        let (fits, end, empty) = (self.asm.label(), self.asm.label(), self.asm.label());
        let most = PSARGS.min(self.plan.strsize as i32 - 1);
        self.asm.jump_if(Cond::Le, Reg::R0, most, fits);
        self.asm.mov(Reg::R0, most);
        self.asm.bind(fits);
        let length = self.hold()?;
        self.peek(&length, Reg::R2);
        self.frame_ptr(Reg::R1, to + 8);
        self.take(start, Reg::R3);
        self.asm.call(Helper::ProbeReadUser);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, empty);
        let routine = self.routine(Routine::Arguments);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        self.asm.mov(Reg::R2, to as i32);
        self.take(length, Reg::R3);
        self.asm.call_func(routine);
        self.asm.jump(end);
        self.asm.bind(empty);
        self.string_constant(b"", to);
        self.asm.bind(end);
        Ok(())
    }

    /// The name of the container: what it calls its host, if it has process numbers of its own; else `global`.
    fn zone_name(&mut self, to: u32, span: Span) -> Res {
        let Some(zone) = self.input.target.offsets.zone else {
            return self.without_types(span, "zonename");
        };
        let (global, end) = (self.asm.label(), self.asm.label());
        self.chase(&[zone.thread_pid, zone.level]);
        self.emit(Insn::mov32(Reg::R0, Reg::R0));
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, global);
        self.chase(&[zone.nsproxy, zone.uts_ns]);
        self.alu(Alu::Add, Reg::R0, zone.nodename as i32);
        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
        self.string_read(to, 64, None, Helper::ProbeReadKernelStr);
        self.finish_string(to, false);
        self.asm.jump(end);
        self.asm.bind(global);
        self.string_constant(b"global", to);
        self.asm.bind(end);
        Ok(())
    }

    /// The name of the `struct path` at the address in `R0`.
    pub fn path_name(&mut self, to: u32, span: Span) -> Res {
        if self.input.target.offsets.paths.is_none() {
            return self.without_types(span, "a path");
        }
        let mark = self.mark();
        let path = self.hold()?;
        let work = self.temp(super::runtime::PATH_WORK)?;
        let routine = self.routine(Routine::Path);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        self.asm.mov(Reg::R2, to as i32);
        self.take(path, Reg::R3);
        self.asm.mov(Reg::R4, work as i32);
        self.asm.call_func(routine);
        self.free_temps(mark);
        Ok(())
    }

    /// Writes a built-in string to the frame.
    pub fn builtin_string(&mut self, builtin: Builtin, to: u32, span: Span) -> Res {
        let part = match builtin {
            Builtin::Execname | Builtin::Threadname if self.group.task.is_some() => {
                let Some(comm) = self.input.target.offsets.comm else {
                    return self.without_types(span, "execname of another thread");
                };
                self.task_address();
                self.alu(Alu::Add, Reg::R0, comm as i32);
                self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
                self.string_read(to, 16, None, Helper::ProbeReadKernelStr);
                self.finish_string(to, false);
                return Ok(());
            }
            Builtin::Execname | Builtin::Threadname => {
                self.call_routine(Routine::Comm, &[to]);
                return Ok(());
            }
            Builtin::Psargs => return self.process_arguments(to, span),
            Builtin::Cwd | Builtin::Root => {
                let Some(offsets) = self.input.target.offsets.paths else {
                    return self.without_types(span, "a directory");
                };
                self.chase(&[offsets.fs]);
                let path = if builtin == Builtin::Cwd { offsets.pwd } else { offsets.root };
                self.alu(Alu::Add, Reg::R0, path as i32);
                return self.path_name(to, span);
            }
            Builtin::Zonename => return self.zone_name(to, span),
            Builtin::Probeprov => 0,
            Builtin::Probemod => 1,
            Builtin::Probefunc => 2,
            Builtin::Probename => 3,
            other => return self.unsupported(span, &format!("the variable {}", name(other))),
        };
        let pid = part == 0 && self.group.provider_pid && self.f.args == ArgMode::Probe;
        let mark = self.mark();
        let at = if pid { self.temp_str()? } else { to };
        let fixed = match (self.f.args, &self.group.identity) {
            (ArgMode::Fault, _) => self.input.errors.as_ref().map(|errors| errors.probe),
            (_, ProbeIdentity::Const(id)) => Some(*id),
            _ => None,
        };
        match fixed.and_then(|id| (self.input.probe)(id)) {
            Some(probe) => {
                let text = [&probe.provider, &probe.module, &probe.function, &probe.name];
                let text = text.get(part as usize).map_or("", |text| text.as_str());
                self.string_constant(text.as_bytes(), at);
            }
            None => self.probe_name(part, at),
        }
        if pid {
            let digits = self.temp_str()?;
            self.builtin(Builtin::Pid, span)?;
            self.number_to_string(digits, 10)?;
            self.call_routine(Routine::Join, &[to, at, digits]);
        }
        self.free_temps(mark);
        Ok(())
    }

    /// Looks a name up by the probe's number.
    fn probe_name(&mut self, part: u32, to: u32) {
        let (unknown, end) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::PROBE);
        self.array_lookup(layout::NAMES);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, unknown);
        self.asm.mov(Reg::R3, Reg::R0);
        self.alu(Alu::Add, Reg::R3, (part * self.plan.str_bytes) as i32);
        self.frame_ptr(Reg::R1, to);
        self.copy(self.plan.str_bytes);
        self.asm.jump(end);
        self.asm.bind(unknown);
        self.string_constant(b"", to);
        self.asm.bind(end);
    }

    /// `R0 =` this clause's one reading of the clock.
    pub fn timestamp(&mut self) {
        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::TIMESTAMP);
    }

    /// `R0 =` the process' number.
    pub fn pid(&mut self) {
        match self.input.target.offsets.tgid {
            Some(offset) if self.input.target.namespace.is_none() => self.task_field(Size::W, offset),
            _ => {
                self.task_numbers();
                self.alu(Alu::Rsh, Reg::R0, 32);
            }
        }
    }

    /// `R0 =` process number << 32 | thread number of the task whose probe this is.
    fn task_numbers(&mut self) {
        let known = self.asm.label();
        if self.f.keeps_numbers {
            self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::NUMBERS);
            self.asm.jump_if(Cond::Ne, Reg::R0, 0, known);
        }
        match self.group.task {
            Some(_) => {
                self.task_address();
                self.numbers();
            }
            None => self.current(),
        }
        if self.f.keeps_numbers {
            self.asm.store(Size::DW, Reg::R10, slot::NUMBERS, Reg::R0);
            self.asm.bind(known);
        }
    }

    /// `R0 =` a field of the current task: a load that the verifier knows to be fine, a tenth of a helper's price.
    fn task_field(&mut self, size: Size, offset: u32) {
        self.task();
        self.load_far(size, offset);
    }

    /// `R0 =` the address of the task whose probe this is, as a number.
    pub fn task_address(&mut self) {
        match self.group.task {
            Some(word) => self.source(&ArgSource::Ctx(word)),
            None => self.asm.call(Helper::GetCurrentTask),
        }
    }

    /// `R0 =` the task whose probe this is, as a pointer that the verifier trusts.
    pub fn task(&mut self) {
        match self.group.task {
            Some(word) => self.asm.load(Size::DW, Reg::R0, Reg::R6, (word * 8) as i16),
            None => self.asm.call(Helper::GetCurrentTaskBtf),
        }
    }

    /// `R0 = *(R0 + offset)` in a kernel structure.
    pub fn load_far(&mut self, size: Size, offset: u32) {
        match i16::try_from(offset) {
            Ok(near) => self.asm.load(size, Reg::R0, Reg::R0, near),
            Err(_) => {
                self.alu(Alu::Add, Reg::R0, offset as i32);
                self.asm.load(size, Reg::R0, Reg::R0, 0);
            }
        }
    }

    /// `R0 =` number of this clause and this probe.
    pub fn epid(&mut self) {
        let clause = self.f.clause;
        let base = self.plan.epids.get(clause.0 as usize).copied().unwrap_or(1);
        let ids: Vec<u32> = self
            .input
            .program
            .clauses
            .get(clause.0 as usize)
            .iter()
            .flat_map(|clause| {
                clause.probes.iter().flat_map(|enabling| enabling.probes.iter().map(|id| id.0))
            })
            .collect();
        let end = self.asm.label();
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::PROBE);
        // Runs of consecutive numbers: a pattern's matches usually are one.
        let mut from = 0;
        while let Some(&first) = ids.get(from) {
            let mut to = from + 1;
            while ids.get(to).is_some_and(|id| *id == first + (to - from) as u32) {
                to += 1;
            }
            let next = self.asm.label();
            self.asm.mov(Reg::R0, Reg::R1);
            self.alu(Alu::Sub, Reg::R0, first as i32);
            self.asm.jump_if(Cond::Ge, Reg::R0, (to - from) as i32, next);
            self.alu(Alu::Add, Reg::R0, (base as usize + from) as i32);
            self.asm.jump(end);
            self.asm.bind(next);
            from = to;
        }
        self.asm.mov(Reg::R0, base as i32);
        self.asm.bind(end);
    }

    /// `R0 = errno` of the system call that returns.
    fn errno(&mut self) {
        if !self.group.errno || self.group.hook != Hook::SysExit {
            self.asm.mov(Reg::R0, 0);
            return;
        }
        let (good, end) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::DW, Reg::R0, Reg::R6, 8);
        self.asm.jump_if(Cond::SGe, Reg::R0, 0, good);
        self.asm.jump_if(Cond::SLt, Reg::R0, -4095, good);
        self.emit(Insn::neg64(Reg::R0));
        self.asm.jump(end);
        self.asm.bind(good);
        self.asm.mov(Reg::R0, 0);
        self.asm.bind(end);
    }

    /// `R0 =` where the probed kernel function returns to: the first frame of the stack, or 0.
    fn kernel_caller(&mut self) {
        self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
        self.asm.mov(Reg::R1, Reg::R6);
        self.slot_ptr(Reg::R2, slot::BUFFER);
        self.asm.mov(Reg::R3, 8);
        self.asm.mov(Reg::R4, self.own_frames());
        self.asm.call(Helper::GetStack);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
    }

    /// `R0 =` the kernel address that a profile probe interrupted, else 0.
    fn kernel_pc(&mut self) {
        if self.group.hook == Hook::PerfEvent
            && let Some(index) = self.group.args.iter().position(|arg| *arg == ArgSource::KernelPc)
            && self.f.args == ArgMode::Probe
            && self.arg(index as u32).is_ok()
        {
            return;
        }
        self.asm.mov(Reg::R0, 0);
    }
}

/// The D name, for messages.
fn name(builtin: Builtin) -> String {
    match builtin {
        Builtin::Psargs => "curpsinfo->pr_psargs".to_string(),
        Builtin::CpuChip => "curcpu".to_string(),
        other => format!("{other:?}").to_lowercase(),
    }
}
