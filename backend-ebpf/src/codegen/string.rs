//! Strings: written straight to where they are wanted, at an offset of the frame.
//!
//! In memory a string is `{u64 length, bytes}`: length `u64::MAX` is NULL, the
//! bytes end in a NUL and the rest of the NUL's word is zero, so that strings
//! compare, hash and copy by words of their real length.

use super::args::regs;
use super::context::{Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::VarPlace;
use super::runtime::Routine;
use duotrace_core::ir::{BinaryOp, Expr, ExprKind, Fault, Place, PlaceKind, Space, Ty};

impl Gen<'_> {
    /// Writes the string `expr` to the frame at `to`.
    pub fn string(&mut self, expr: &Expr, to: u32) -> Res {
        let before = self.at(expr.span);
        let result = self.string_inner(expr, to);
        self.at(before);
        result
    }

    fn string_inner(&mut self, expr: &Expr, to: u32) -> Res {
        match &expr.kind {
            ExprKind::StrConst(text) => self.string_constant(text, to),
            ExprKind::StrNull => self.frame_store_imm(to, -1),
            ExprKind::Builtin(builtin) => return self.builtin_string(*builtin, to, expr.span),
            ExprKind::Read(place) => {
                if matches!(place.kind, PlaceKind::Mem { .. }) {
                    return self.unsupported(expr.span, "a string object in memory");
                }
                let place = self.prepare(place)?;
                self.copy_from_place(&place, to, self.plan.str_bytes)?;
                self.finish_place(place);
            }
            ExprKind::LoadStr { addr, space, max } => {
                return self.load_string(addr, *space, max.as_deref(), to);
            }
            ExprKind::StrOfBytes(of) => {
                let Ty::Bytes(size) = of.ty else { return self.unsupported(expr.span, "this string") };
                let mark = self.mark();
                let at = self.temp(size + 8)?;
                self.frame_store_imm(at + (size & !7), 0);
                self.bytes(of, at)?;
                self.frame_ptr(Reg::R1, at + size);
                self.emit(Insn::st(Size::B, Reg::R1, 0, 0));
                self.frame_ptr(Reg::R1, to + 8);
                self.frame_ptr(Reg::R3, at);
                self.asm.load_imm(Reg::R2, i64::from(self.plan.strsize.min(size + 1)));
                self.asm.call(Helper::ProbeReadKernelStr);
                self.finish_string(to, false);
                self.free_temps(mark);
            }
            ExprKind::Assign { place, value } => {
                let place = self.prepare(place)?;
                self.string(value, to)?;
                self.copy_to_place(&place, to, self.plan.str_bytes)?;
                self.finish_place(place);
            }
            ExprKind::Cond(cond, yes, no) => {
                let (otherwise, end) = (self.asm.label(), self.asm.label());
                self.branch(cond, otherwise, false)?;
                self.string(yes, to)?;
                self.asm.jump(end);
                self.asm.bind(otherwise);
                self.string(no, to)?;
                self.asm.bind(end);
            }
            ExprKind::Comma(first, second) => {
                self.effects(first)?;
                return self.string(second, to);
            }
            ExprKind::Cast(of) if of.ty == Ty::Str => return self.string(of, to),
            ExprKind::Call(subroutine, args) => return self.call_string(*subroutine, args, to, expr),
            _ => return self.unsupported(expr.span, "this string expression"),
        }
        Ok(())
    }

    /// A constant's words.
    pub fn string_constant(&mut self, text: &[u8], to: u32) {
        let text = text.get(..text.len().min(self.plan.strsize as usize - 1)).unwrap_or(text);
        self.frame_store_imm(to, text.len() as i64);
        for (index, word) in words(text).into_iter().enumerate() {
            self.frame_store_imm(to + 8 + index as u32 * 8, word as i64);
        }
    }

    /// Offset of the string's memory: its own if it has one in the frame, else a temporary.
    pub fn string_somewhere(&mut self, expr: &Expr) -> Res<u32> {
        if let ExprKind::Read(place) = &expr.kind
            && let Place { kind: PlaceKind::Var { var, offset: None }, .. } = **place
            && let Some(VarPlace::Local(at)) = self.plan.vars.get(var.0 as usize)
        {
            return Ok(*at);
        }
        let at = self.temp_str()?;
        self.string(expr, at)?;
        Ok(at)
    }

    /// A string that a subroutine reads: NULL is a bad address.
    pub fn string_argument(&mut self, expr: &Expr) -> Res<u32> {
        let at = self.string_somewhere(expr)?;
        if !matches!(expr.kind, ExprKind::StrConst(_) | ExprKind::LoadStr { .. } | ExprKind::Builtin(_)) {
            self.frame_load(Size::DW, Reg::R0, at);
            self.fault_if(Cond::Eq, -1, Fault::BadAddr, false);
        }
        Ok(at)
    }

    fn load_string(&mut self, addr: &Expr, space: Space, max: Option<&Expr>, to: u32) -> Res {
        let mut size = None;
        let mut limit = self.plan.strsize;
        match max {
            Some(Expr { kind: ExprKind::Const(n), .. }) => limit = limit.min((*n).max(1) as u32),
            Some(max) => {
                self.scalar(max)?;
                let fits = self.asm.label();
                self.asm.jump_if(Cond::Le, Reg::R0, limit as i32, fits);
                self.asm.mov(Reg::R0, limit as i32);
                self.asm.bind(fits);
                size = Some(self.hold()?);
            }
            None => {}
        }
        self.scalar(addr)?;
        self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
        let (plain, read) = (self.asm.label(), self.asm.label());
        let scratch = self.plan.uses_scratch;
        if scratch {
            // Scratch memory is the kernel's, wherever the pointer is thought to point.
            self.unless_scratch(plain);
            self.scratch_address(1)?;
            self.string_read(to, limit, size.as_ref(), Helper::ProbeReadKernelStr);
            self.asm.jump(read);
            self.asm.bind(plain);
        }
        let helper = match space {
            Space::User => Helper::ProbeReadUserStr,
            Space::Any => Helper::ProbeReadKernelStr,
        };
        self.string_read(to, limit, size.as_ref(), helper);
        self.asm.bind(read);
        if let Some(size) = size {
            self.release(size);
        }
        self.finish_string(to, true);
        Ok(())
    }

    /// Reads the string at `R0` to the frame; `R0 =` its length with NUL or negative.
    pub fn string_read(&mut self, to: u32, limit: u32, size: Option<&super::context::Hold>, helper: Helper) {
        self.asm.mov(Reg::R3, Reg::R0);
        self.frame_ptr(Reg::R1, to + 8);
        match size {
            Some(hold) => self.peek(hold, Reg::R2),
            None => self.asm.mov(Reg::R2, limit as i32),
        }
        self.asm.call(helper);
    }

    /// From what a `..._str` helper returned in `R0` (length with NUL, or an error: a fault if `faults`,
    /// else an empty string): the length word, and zeroes after the NUL.
    pub fn finish_string(&mut self, to: u32, faults: bool) {
        if faults {
            self.fault_if(Cond::SLt, 0, Fault::BadAddr, true);
        }
        let (fine, end) = (self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R1, Reg::R0);
        self.alu(Alu::Sub, Reg::R1, 1);
        self.asm.jump_if(Cond::Lt, Reg::R1, self.plan.strsize as i32, fine);
        // Nothing was read (a limit of no bytes).
        self.frame_store_imm(to, 0);
        self.frame_store_imm(to + 8, 0);
        self.asm.jump(end);
        self.asm.bind(fine);
        self.frame_store(Size::DW, to, Reg::R1);
        self.asm.mov(Reg::R2, Reg::R1);
        self.alu(Alu::And, Reg::R2, -8);
        self.frame_ptr(Reg::R3, to + 8);
        self.alu(Alu::Add, Reg::R3, Reg::R2);
        self.alu(Alu::And, Reg::R1, 7);
        self.alu(Alu::Lsh, Reg::R1, 3);
        self.asm.mov(Reg::R4, 1);
        self.alu(Alu::Lsh, Reg::R4, Reg::R1);
        self.alu(Alu::Sub, Reg::R4, 1);
        self.asm.load(Size::DW, Reg::R5, Reg::R3, 0);
        self.alu(Alu::And, Reg::R5, Reg::R4);
        self.asm.store(Size::DW, Reg::R3, 0, Reg::R5);
        self.asm.bind(end);
    }

    /// `R0 = left op right` for strings.
    pub fn compare_strings(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Res {
        let mark = self.mark();
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let (constant, other) = match (&left.kind, &right.kind) {
            (ExprKind::StrConst(text), _) => (Some(text), right),
            (_, ExprKind::StrConst(text)) => (Some(text), left),
            _ => (None, left),
        };
        if let (true, Some(text)) = (equality, constant.filter(|text| text.len() <= 64)) {
            let at = self.string_somewhere(other)?;
            self.compare_constant(at, text, op == BinaryOp::Eq);
            self.free_temps(mark);
            return Ok(());
        }
        let a = self.string_somewhere(left)?;
        let b = self.string_somewhere(right)?;
        self.call_routine(Routine::Compare, &[a, b]);
        self.free_temps(mark);
        let cond = match op {
            BinaryOp::Eq => Cond::Eq,
            BinaryOp::Ne => Cond::Ne,
            BinaryOp::Lt => Cond::SLt,
            BinaryOp::Le => Cond::SLe,
            BinaryOp::Gt => Cond::SGt,
            _ => Cond::SGe,
        };
        self.asm.mov(Reg::R1, 0);
        self.compare_to_value(cond, Reg::R1);
        Ok(())
    }

    /// `R0 =` is the string at `at` equal to the constant (or unequal).
    fn compare_constant(&mut self, at: u32, text: &[u8], equal: bool) {
        let end = self.asm.label();
        self.asm.mov(Reg::R0, i32::from(!equal));
        self.frame_load(Size::DW, Reg::R1, at);
        self.asm.jump_if(Cond::Ne, Reg::R1, text.len() as i32, end);
        for (index, word) in words(text).into_iter().enumerate() {
            if index * 8 == text.len() {
                break;
            }
            self.frame_load(Size::DW, Reg::R1, at + 8 + index as u32 * 8);
            self.asm.load_imm(Reg::R2, word as i64);
            self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R2, end);
        }
        self.asm.mov(Reg::R0, i32::from(equal));
        self.asm.bind(end);
    }

    /// Calls a routine with the frame's number and constants.
    pub fn call_routine(&mut self, routine: Routine, args: &[u32]) {
        let function = self.routine(routine);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        for (reg, value) in [Reg::R2, Reg::R3, Reg::R4, Reg::R5].into_iter().zip(args) {
            self.asm.mov(reg, *value as i32);
        }
        self.asm.call_func(function);
    }

    /// `R0 =` return address of the user function.
    pub fn user_caller(&mut self) {
        if self.group.at_entry {
            self.register(regs::RSP);
            self.asm.mov(Reg::R3, Reg::R0);
        } else {
            self.register(regs::RBP);
            self.asm.mov(Reg::R3, Reg::R0);
            self.alu(Alu::Add, Reg::R3, 8);
        }
        self.emit(Insn::st(Size::DW, Reg::R10, slot::BUFFER, 0));
        self.read_small(Helper::ProbeReadUser, 8);
        self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BUFFER);
    }
}

/// A string's words in memory order, its NUL included.
fn words(text: &[u8]) -> Vec<u64> {
    let mut padded = text.to_vec();
    padded.resize((text.len() / 8 + 1) * 8, 0);
    padded
        .chunks_exact(8)
        .map(|chunk| chunk.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte)))
        .collect()
}
