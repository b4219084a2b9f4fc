//! A program's entry: who may fire, which probe it is, a frame, then the clauses in order.

use super::asm::{Arg, FuncId, Linkage};
use super::context::{ArgMode, Gen, Res, slot};
use super::fault::{EXITED, FAULTED};
use super::insn::{Alu, Atomic, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, FRAMES_PER_CPU, VarPlace, control, drops, frame};
use super::{Hook, Kept, PidFilter, ProbeIdentity, SiteGroup, args::regs};
use duotrace_core::diagnostic::Diag;
use duotrace_core::ir::walk::{has_expr, walk, walk_clause};
use duotrace_core::ir::{Builtin, Clause, ClauseId, Effect, Expr, ExprKind, PlaceKind, Stmt, Subroutine, Ty};

/// What a clause function needs and does, found by looking at it once.
struct Traits {
    frame: bool,
    exits: bool,
}

/// The entry's stack: the frame's address, where an inlined clause has nothing.
const FRAME_PTR: i16 = -72;

/// `MAX_URETPROBE_DEPTH` (kernel/events/uprobes.c): traced calls of a thread whose returns are traced as well.
const MOST_CALLS: i32 = 64;

/// A clause of a firing.
type Firing = (Place, ClauseId, Traits);

/// What a program does for one group.
struct Part<'a> {
    group: &'a SiteGroup,
    clauses: Vec<Firing>,
    condition: Option<FuncId>,
}

/// Where a clause's code is.
enum Place {
    /// In a function of its own.
    Function(FuncId),
    /// In the entry: a program's only clause needs no call, and finds its frame already looked up.
    Entry,
}

impl<'a> Gen<'a> {
    /// Emits the whole program; gives what could not be lowered.
    pub fn program(&mut self) -> Vec<Diag> {
        let mut diags = Vec::new();
        let entry = self.asm.entry();
        let error_functions = self.error_clauses(&mut diags);
        let own = self.part(self.group, &mut diags);
        let also = self.group.also.as_deref().map(|group| self.part(group, &mut diags));
        self.asm.enter(entry);
        let done = match self.group.service {
            Some(service) => {
                self.service(service);
                Ok(())
            }
            None => self.entry(&own, also.as_ref(), &error_functions),
        };
        if let Err(diag) = done {
            diags.push(*diag);
        }
        self.emit_routines();
        diags
    }

    /// Emits the functions that a group of the program needs.
    fn part(&mut self, group: &'a SiteGroup, diags: &mut Vec<Diag>) -> Part<'a> {
        let own = std::mem::replace(&mut self.group, group);
        let clauses = self.clauses(diags);
        let condition = group.condition.as_ref().map(|recipe| self.condition(recipe)).transpose();
        self.group = own;
        let condition = condition.unwrap_or_else(|diag| {
            diags.push(*diag);
            None
        });
        Part { group, clauses, condition }
    }

    /// Emits the functions of the group's clauses.
    fn clauses(&mut self, diags: &mut Vec<Diag>) -> Vec<Firing> {
        let program = self.input.program;
        let mut functions = Vec::new();
        for id in &self.group.clauses {
            let Some(clause) = program.clauses.get(id.0 as usize) else { continue };
            let traits = self.traits(clause);
            if self.group.clauses.len() == 1 {
                functions.push((Place::Entry, *id, traits));
                continue;
            }
            let function = self.declare_clause(&format!("clause_{}", id.0));
            self.asm.enter(function);
            if let Err(diag) = self.clause(*id, clause, ArgMode::Probe, traits.frame) {
                diags.push(*diag);
            }
            functions.push((Place::Function(function), *id, traits));
        }
        functions
    }

    /// A clause's function: context, frame number, probe, upper half of the cookie.
    pub fn declare_clause(&mut self, name: &str) -> FuncId {
        // What the verifier knows of a typed context it only knows within one program.
        let typed = self.group.hook.is_typed();
        let linkage = if self.input.target.global_ctx && !typed { Linkage::Global } else { Linkage::Static };
        self.asm.declare(name, linkage, &[Arg::Ctx, Arg::Scalar, Arg::Scalar, Arg::Scalar])
    }

    fn entry(&mut self, own: &Part<'a>, also: Option<&Part<'a>>, errors: &[(FuncId, ClauseId)]) -> Res {
        let out = self.asm.label();
        self.asm.set_span(0);
        self.asm.mov(Reg::R6, Reg::R1);
        if self.group.hook != Hook::TestRun {
            self.unless_armed(out);
        }
        if self.group.session {
            let back = self.asm.label();
            self.at_entry(back, out)?;
            if let Some(also) = also {
                self.fire(also, errors, out)?;
            }
            self.asm.jump(out);
            self.asm.bind(back);
        } else if let Some(also) = also {
            let next = self.asm.label();
            self.fire(also, errors, next)?;
            self.asm.bind(next);
            // It may have been the last one.
            self.unless_armed(out);
        }
        self.fire(own, errors, out)?;
        self.asm.bind(out);
        self.asm.ret(0);
        Ok(())
    }

    /// The probe of a group fires, unless something speaks against it: then it goes to `out`.
    fn fire(&mut self, part: &Part<'a>, errors: &[(FuncId, ClauseId)], out: super::asm::Label) -> Res {
        let own = std::mem::replace(&mut self.group, part.group);
        let done = self.fire_group(&part.clauses, errors, part.condition, out);
        self.group = own;
        done
    }

    fn fire_group(
        &mut self,
        clauses: &[Firing],
        errors: &[(FuncId, ClauseId)],
        condition: Option<FuncId>,
        out: super::asm::Label,
    ) -> Res {
        if let Some(cpu) = self.input.limits.cpu {
            self.asm.call(Helper::GetSmpProcessorId);
            self.asm.jump_if(Cond::Ne, Reg::R0, cpu as i32, out);
        }
        // A link of many uprobes looks itself whose process it is.
        let filtered = self.group.hook == Hook::Uprobe && self.input.target.links_filter;
        if let PidFilter::Pid(pid) = self.group.filter
            && !filtered
        {
            self.pid();
            self.asm.jump_if(Cond::Ne, Reg::R0, pid as i32, out);
        }
        let group = self.group;
        group.guard.iter().for_each(|test| self.test(test, out));
        self.identify(out);
        if let (Some(Kept { stores: true, .. }), Some(function)) = (group.keep, condition) {
            self.keep(function, out);
        } else if let Some(function) = condition {
            self.check_condition(function, out);
        }
        let framed = clauses.iter().any(|(_, _, traits)| traits.frame);
        if framed {
            self.acquire(out);
            self.zero_locals();
        } else {
            self.asm.mov(Reg::R9, 0);
        }
        let release = self.asm.label();
        for (place, id, traits) in clauses {
            match place {
                Place::Function(function) => {
                    self.asm.mov(Reg::R1, Reg::R6);
                    self.asm.mov(Reg::R2, Reg::R9);
                    self.asm.mov(Reg::R3, Reg::R7);
                    self.asm.mov(Reg::R4, Reg::R8);
                    self.asm.call_func(*function);
                }
                Place::Entry => {
                    let Some(clause) = self.input.program.clauses.get(id.0 as usize) else { continue };
                    self.inline_clause(*id, clause, traits)?;
                }
            }
            if traits.exits {
                self.asm.jump_if(Cond::Eq, Reg::R0, EXITED, release);
            }
            if traits.frame {
                let fine = self.asm.label();
                self.asm.jump_if(Cond::Ne, Reg::R0, FAULTED, fine);
                self.call_fault(*id, errors, release);
                self.asm.bind(fine);
            }
        }
        self.asm.bind(release);
        if framed {
            self.asm.load(Size::DW, Reg::R1, Reg::R10, FRAME_PTR);
            self.emit(Insn::st(Size::DW, Reg::R1, frame::BUSY as i16, 0));
        }
        Ok(())
    }

    /// A session goes to `back` at a return. At the entry it counts the return that will not be traced.
    fn at_entry(&mut self, back: super::asm::Label, out: super::asm::Label) -> Res {
        let Some(offsets) = self.input.target.offsets.returns else {
            return self.unsupported(self.f.span, "a session");
        };
        self.emit(Insn::call_kfunc(offsets.is_return as i32));
        self.alu(Alu::And, Reg::R0, 0xff);
        self.asm.jump_if(Cond::Ne, Reg::R0, 0, back);
        self.asm.call(Helper::GetCurrentTaskBtf);
        self.load_far(Size::DW, offsets.utask);
        self.load_far(Size::W, offsets.depth);
        let traced = if self.group.also.is_some() { self.asm.label() } else { out };
        self.asm.jump_if(Cond::Lt, Reg::R0, MOST_CALLS, traced);
        self.count_drop(drops::RETURNS);
        if self.group.also.is_some() {
            self.asm.bind(traced);
        }
        Ok(())
    }

    /// The clause in place of a call: `R0 =` its answer, and where that may be a fault `R7` and `R9` as before it.
    fn inline_clause(&mut self, id: ClauseId, clause: &Clause, traits: &Traits) -> Res {
        let end = self.asm.label();
        self.start_function(id, ArgMode::Probe, clause.span);
        self.f.inlined = Some(end);
        self.keep_arguments([Reg::R9, Reg::R7, Reg::R8]);
        if traits.frame {
            self.asm.load(Size::DW, Reg::R7, Reg::R10, FRAME_PTR);
        }
        self.clause_body(id, clause, traits.frame)?;
        self.f.inlined = None;
        self.asm.set_span(0);
        self.asm.bind(end);
        if traits.frame {
            self.asm.load(Size::DW, Reg::R7, Reg::R10, slot::PROBE);
            self.asm.load(Size::DW, Reg::R9, Reg::R10, slot::FRAME);
        }
        Ok(())
    }

    /// Goes to `out` where no probe is to fire.
    pub fn unless_armed(&mut self, out: super::asm::Label) {
        // Both words at once: armed and not exiting.
        self.asm.load_map_value(Reg::R1, layout::CONTROL, control::ARMED as i32);
        self.asm.load(Size::DW, Reg::R1, Reg::R1, 0);
        self.asm.jump_if(Cond::Ne, Reg::R1, 1, out);
    }

    /// `R7 =` probe, `R8 =` upper half of the cookie.
    fn identify(&mut self, out: super::asm::Label) {
        self.asm.mov(Reg::R8, 0);
        match &self.group.identity {
            ProbeIdentity::Const(id) => self.asm.load_imm(Reg::R7, i64::from(id.0)),
            ProbeIdentity::CookieHigh => {
                self.asm.mov(Reg::R1, Reg::R6);
                self.asm.call(Helper::GetAttachCookie);
                self.asm.mov(Reg::R7, Reg::R0);
                self.alu(Alu::Rsh, Reg::R7, 32);
            }
            ProbeIdentity::Cookie => {
                self.asm.mov(Reg::R1, Reg::R6);
                self.asm.call(Helper::GetAttachCookie);
                self.asm.mov(Reg::R8, Reg::R0);
                self.alu(Alu::Rsh, Reg::R8, 32);
                self.emit(Insn::mov32(Reg::R7, Reg::R0));
            }
            ProbeIdentity::BySyscall(_) => {
                if self.group.hook == Hook::SysExit {
                    self.register(regs::ORIG_RAX);
                } else {
                    self.asm.load(Size::DW, Reg::R0, Reg::R6, 8);
                }
                self.asm.jump_if(Cond::Ge, Reg::R0, 1024, out);
                self.alu(Alu::Add, Reg::R0, (self.index * 1024) as i32);
                self.array_lookup(layout::SYSCALLS);
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, out);
                self.asm.load(Size::W, Reg::R7, Reg::R0, 0);
                self.asm.jump_if(Cond::Eq, Reg::R7, 0, out);
            }
        }
    }

    /// `R9 =` number of a frame that is ours now; its address in the stack.
    fn acquire(&mut self, out: super::asm::Label) {
        let got = self.asm.label();
        self.asm.call(Helper::GetSmpProcessorId);
        self.asm.mov(Reg::R9, Reg::R0);
        self.alu(Alu::Mul, Reg::R9, FRAMES_PER_CPU as i32);
        for attempt in 0..FRAMES_PER_CPU {
            if attempt > 0 {
                self.alu(Alu::Add, Reg::R9, 1);
            }
            self.asm.mov(Reg::R0, Reg::R9);
            self.array_lookup(layout::FRAMES);
            self.asm.jump_if(Cond::Eq, Reg::R0, 0, out);
            self.asm.mov(Reg::R1, 1);
            self.emit(Insn::atomic(Atomic::Xchg, Size::DW, Reg::R0, frame::BUSY as i16, Reg::R1));
            self.asm.jump_if(Cond::Eq, Reg::R1, 0, got);
        }
        self.count_drop(drops::NESTED);
        self.asm.jump(out);
        self.asm.bind(got);
        self.asm.store(Size::DW, Reg::R10, FRAME_PTR, Reg::R0);
    }

    /// Clause-local variables that some clause of the group uses begin as zeroes; `strtok` has no string.
    fn zero_locals(&mut self) {
        let mut used = std::collections::BTreeSet::new();
        let mut tokens = false;
        // ERROR clauses run within the firing.
        let errors = self.input.errors.iter().flat_map(|errors| &errors.clauses);
        for id in self.group.clauses.iter().chain(errors) {
            let Some(clause) = self.input.program.clauses.get(id.0 as usize) else { continue };
            let mut look = |expr: &Expr| match &expr.kind {
                ExprKind::Read(place)
                | ExprKind::AddressOf(place)
                | ExprKind::Assign { place, .. }
                | ExprKind::Update { place, .. } => {
                    if let PlaceKind::Var { var, .. } = &place.kind {
                        used.insert(var.0);
                    }
                }
                ExprKind::Call(Subroutine::Strtok, _) => tokens = true,
                _ => {}
            };
            walk_clause(clause, &mut look);
        }
        used.retain(|id| matches!(self.plan.vars.get(*id as usize), Some(VarPlace::Local(_))));
        if used.is_empty() && !tokens && !self.plan.uses_scratch {
            return;
        }
        // `frame_store` wants the frame in `R7`, which holds the probe here.
        self.asm.store(Size::DW, Reg::R10, FRAME_PTR - 8, Reg::R7);
        self.asm.load(Size::DW, Reg::R7, Reg::R10, FRAME_PTR);
        if tokens {
            self.frame_store_imm(self.plan.strtok_at, -1);
        }
        if self.plan.uses_scratch {
            self.frame_store_imm(frame::SCRATCH_TOP as u32, 0);
        }
        for id in used {
            let Some(VarPlace::Local(at)) = self.plan.vars.get(id as usize).cloned() else { continue };
            let ty = self.input.program.variables.get(id as usize).map_or(Ty::I64, |var| var.ty);
            match ty {
                // An unassigned string is empty.
                Ty::Str => {
                    self.frame_store_imm(at, 0);
                    self.frame_store_imm(at + 8, 0);
                }
                ty => self.zero(at, self.plan.value_bytes(ty)),
            }
        }
        self.asm.load(Size::DW, Reg::R7, Reg::R10, FRAME_PTR - 8);
    }

    /// Emits a clause function's body.
    pub fn clause(&mut self, id: ClauseId, clause: &Clause, args: ArgMode, framed: bool) -> Res {
        self.start_function(id, args, clause.span);
        self.asm.mov(Reg::R6, Reg::R1);
        self.keep_arguments([Reg::R2, Reg::R3, Reg::R4]);
        if framed {
            self.asm.mov(Reg::R0, Reg::R2);
            self.array_lookup(layout::FRAMES);
            self.asm.jump_if(Cond::Eq, Reg::R0, 0, self.f.leave);
            self.asm.mov(Reg::R7, Reg::R0);
        }
        self.clause_body(id, clause, framed)
    }

    /// Frame number, probe and upper half of the cookie go to where the clause looks for them.
    fn keep_arguments(&mut self, from: [Reg; 3]) {
        for (slot, reg) in [slot::FRAME, slot::PROBE, slot::COOKIE].into_iter().zip(from) {
            self.asm.store(Size::DW, Reg::R10, slot, reg);
        }
    }

    /// Predicate and actions: `R6` is the context, `R7` the frame if there is one.
    fn clause_body(&mut self, id: ClauseId, clause: &Clause, framed: bool) -> Res {
        let leave = self.f.leave;
        self.f.frame = framed;
        self.f.keeps_thread = self.asks_for_thread(clause) > 1;
        if self.f.keeps_thread {
            self.emit(Insn::st(Size::DW, Reg::R10, slot::THREAD, 0));
        }
        self.f.keeps_numbers = self.asks_for_numbers(clause) > 1;
        if self.f.keeps_numbers {
            self.emit(Insn::st(Size::DW, Reg::R10, slot::NUMBERS, 0));
        }
        if framed && layout::allocates(clause) {
            // Each clause has all of it. What one has left there stays for those of the same firing that take none:
            // scripts keep `self->r = (struct x *)copyin(...)` for the next clause.
            self.frame_store_imm(frame::SCRATCH_TOP as u32, 0);
        }
        let (early, late) = self.wants_clock(clause);
        if early {
            self.read_clock();
        }
        if let Some(predicate) = &clause.predicate {
            let body = self.asm.label();
            let before = self.at(predicate.span);
            self.branch(predicate, body, true)?;
            self.at(before);
            self.answer(0);
            self.asm.bind(body);
        }
        if late {
            self.read_clock();
        }
        if has_aggregate(&clause.body) {
            self.read_bank(leave);
        }
        self.start_record(clause);
        self.body(&clause.body, clause)?;
        self.submit_record(id, clause);
        let result = if exits(&clause.body) { self.exit_result(&clause.body) } else { 0 };
        self.answer(result);
        // The verifier refuses code that nothing reaches.
        if (framed && self.f.inlined.is_none()) || has_aggregate(&clause.body) {
            self.asm.bind(leave);
            self.answer(0);
        }
        self.flush_faults();
        Ok(())
    }

    /// An `exit()` that stands in a branch may not have been reached: the flag then says so itself.
    fn exit_result(&mut self, body: &[Stmt]) -> i32 {
        if body.iter().any(|stmt| matches!(stmt, Stmt::Effect { effect: Effect::ExitFlag, .. })) {
            return EXITED;
        }
        self.asm.load_map_value(Reg::R1, layout::CONTROL, control::EXITING as i32);
        self.asm.load(Size::W, Reg::R1, Reg::R1, 0);
        let not = self.asm.label();
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, not);
        self.answer(EXITED);
        self.asm.bind(not);
        0
    }

    fn read_clock(&mut self) {
        self.asm.call(Helper::KtimeGetNs);
        self.asm.store(Size::DW, Reg::R10, slot::TIMESTAMP, Reg::R0);
    }

    /// Does the predicate read the clock; does only the rest?
    fn wants_clock(&self, clause: &Clause) -> (bool, bool) {
        let clock =
            |expr: &Expr| matches!(expr.kind, ExprKind::Builtin(Builtin::Timestamp | Builtin::Vtimestamp));
        let mut early = false;
        clause.predicate.iter().for_each(|expr| walk(expr, &mut |expr| early |= clock(expr)));
        (early, !early && (has_expr(clause, clock) || !clause.record.actions.is_empty()))
    }

    /// `slot::BANK = bank * ncpu + cpu`, once per clause, so that a clause stays in one bank.
    fn read_bank(&mut self, leave: super::asm::Label) {
        self.asm.call(Helper::GetSmpProcessorId);
        self.asm.jump_if(Cond::Ge, Reg::R0, self.plan.ncpu as i32, leave);
        self.asm.load_map_value(Reg::R1, layout::CONTROL, control::BANK as i32);
        self.asm.load(Size::DW, Reg::R1, Reg::R1, 0);
        self.alu(Alu::And, Reg::R1, 1);
        self.alu(Alu::Mul, Reg::R1, self.plan.ncpu as i32);
        self.alu(Alu::Add, Reg::R0, Reg::R1);
        self.asm.store(Size::DW, Reg::R10, slot::BANK, Reg::R0);
    }

    /// How often a clause asks a helper who fires, as far as this can be seen: a record has the process, too.
    fn asks_for_numbers(&self, clause: &Clause) -> usize {
        let offsets = self.input.target.offsets;
        let loads = offsets.tgid.is_some() && offsets.pid.is_some() && self.input.target.namespace.is_none();
        if loads {
            return 0;
        }
        let mut count = usize::from(!clause.record.actions.is_empty());
        let mut look = |expr: &Expr| {
            count += usize::from(matches!(expr.kind, ExprKind::Builtin(Builtin::Pid | Builtin::Tid)));
        };
        walk_clause(clause, &mut look);
        count
    }

    /// How often a clause uses a thread-local variable that is no array.
    fn asks_for_thread(&self, clause: &Clause) -> usize {
        let mut count = 0;
        let mut look = |expr: &Expr| {
            let place = match &expr.kind {
                ExprKind::Read(place) | ExprKind::AddressOf(place) | ExprKind::Assign { place, .. } => place,
                // Read and written.
                ExprKind::Update { place, .. } => place,
                _ => return,
            };
            if let PlaceKind::Var { var, .. } = &place.kind {
                let at = self.plan.vars.get(var.0 as usize);
                count += usize::from(matches!(at, Some(VarPlace::Thread(_))));
            }
        };
        walk_clause(clause, &mut look);
        count
    }

    fn traits(&self, clause: &Clause) -> Traits {
        let mut frame = !clause.record.actions.is_empty();
        frame |= clause.predicate.as_ref().is_some_and(|expr| self.needs_frame(expr));
        frame |= self.body_needs_frame(&clause.body);
        Traits { frame, exits: exits(&clause.body) }
    }

    fn body_needs_frame(&self, body: &[Stmt]) -> bool {
        body.iter().any(|stmt| match stmt {
            Stmt::Expr(expr) => self.needs_frame(expr),
            Stmt::If { cond, then, otherwise } => {
                self.needs_frame(cond) || self.body_needs_frame(then) || self.body_needs_frame(otherwise)
            }
            Stmt::Aggregate { key, value, increment, .. } => {
                !key.is_empty() || value.iter().chain(increment).any(|expr| self.needs_frame(expr))
            }
            Stmt::Record { .. } => true,
            Stmt::Effect { effect, args, .. } => {
                *effect != Effect::ExitFlag || args.iter().any(|expr| self.needs_frame(expr))
            }
        })
    }

    /// Can the expression fault, or does it need memory?
    fn needs_frame(&self, expr: &Expr) -> bool {
        use duotrace_core::ir::BinaryOp;
        let mut found = false;
        let place = |kind: &PlaceKind| match kind {
            PlaceKind::Var { var, offset } => {
                offset.is_some() || matches!(self.plan.vars.get(var.0 as usize), Some(VarPlace::Local(_)))
            }
            _ => true,
        };
        walk(expr, &mut |expr| {
            found |= match &expr.kind {
                ExprKind::Const(_)
                | ExprKind::Arg(_)
                | ExprKind::BitField { .. }
                | ExprKind::Unary(..)
                | ExprKind::Logical(..)
                | ExprKind::Cond(..)
                | ExprKind::Cast(_)
                | ExprKind::Comma(..) => expr.ty == Ty::Str,
                ExprKind::Builtin(builtin) => {
                    expr.ty == Ty::Str || matches!(builtin, Builtin::Stackdepth | Builtin::Ustackdepth)
                }
                ExprKind::Binary(op, _, right) => {
                    matches!(op, BinaryOp::Div | BinaryOp::Mod)
                        && !matches!(right.kind, ExprKind::Const(n) if n != 0)
                }
                ExprKind::Read(at) | ExprKind::Assign { place: at, .. } => {
                    at.ty == Ty::Str || matches!(at.ty, Ty::Bytes(_)) || place(&at.kind)
                }
                ExprKind::Update { place: at, op, .. } => {
                    matches!(op, BinaryOp::Div | BinaryOp::Mod) || place(&at.kind)
                }
                _ => true,
            };
        });
        found
    }
}

/// Does any statement call `exit()`?
fn exits(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::If { then, otherwise, .. } => exits(then) || exits(otherwise),
        Stmt::Effect { effect, .. } => *effect == Effect::ExitFlag,
        _ => false,
    })
}

/// Does any statement aggregate?
fn has_aggregate(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::If { then, otherwise, .. } => has_aggregate(then) || has_aggregate(otherwise),
        Stmt::Aggregate { .. } => true,
        _ => false,
    })
}
