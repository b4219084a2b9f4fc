//! Aggregations: the key into the frame, the value's words found, atomically brought up to date.
//!
//! All memory starts as zeroes, and zero is every function's neutral value: minima and
//! maxima are stored so that the larger unsigned number wins ([`min_encode`], [`max_encode`]).
//! A value that may be zero after data came has a word before it that says so.

use super::context::{Gen, Hold, Res, slot};
use super::insn::{Alu, Atomic, Cond, Helper, Insn, Reg, Size};
use super::layout;
use super::runtime::Routine;
use duotrace_core::aggregate::{AggFunc, Llquantize, Lquantize};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{AggId, Expr, ExprKind, Ty};

/// A minimum's stored form and back: the smallest signed number is the largest.
pub fn min_encode(value: u64) -> u64 {
    value ^ i64::MAX as u64
}

/// A maximum's stored form and back.
pub fn max_encode(value: u64) -> u64 {
    value ^ i64::MIN as u64
}

/// Is a value's first word a count, never zero once data came?
pub(super) fn counts_itself(func: &AggFunc) -> bool {
    matches!(func, AggFunc::Count | AggFunc::Avg | AggFunc::Stddev)
}

/// Buckets of `quantize`, and the one of zero.
const QUANTIZE_ZERO: i32 = 63;

/// Attempts of a minimum or maximum: only a firing that interrupts this one can get in between.
const ATTEMPTS: u32 = 8;

impl Gen<'_> {
    /// `@agg[key] = func(value, increment)`.
    pub fn aggregate(
        &mut self,
        id: AggId,
        key: &[Expr],
        value: Option<&Expr>,
        increment: Option<&Expr>,
        span: Span,
    ) -> Res {
        let plan = self.plan;
        let Some(agg) = plan.aggs.get(id.0 as usize) else {
            return self.unsupported(span, "this aggregation");
        };
        let bytes = (agg.words + u32::from(agg.present)) * 8;
        let mark = self.mark();
        let words = if agg.slot.is_none() { Some(self.aggregation_key(agg, key)?) } else { None };
        let value = match value {
            Some(value) => {
                self.scalar(value)?;
                Some(self.hold()?)
            }
            None => None,
        };
        let increment = match increment {
            Some(increment) => {
                self.scalar(increment)?;
                Some(self.hold()?)
            }
            None => None,
        };
        let end = self.asm.label();
        match (agg.slot, words) {
            (Some(slot_at), _) => {
                self.asm.load(Size::DW, Reg::R2, Reg::R10, slot::BANK);
                self.alu(Alu::Mul, Reg::R2, plan.slot_stride as i32);
                self.asm.load_map_value(Reg::R1, layout::SLOTS, 0);
                self.alu(Alu::Add, Reg::R1, Reg::R2);
                if slot_at != 0 {
                    self.alu(Alu::Add, Reg::R1, slot_at as i32);
                }
            }
            (None, words) => {
                self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::BANK);
                self.array_lookup(layout::AGGS);
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, end);
                let table = self.hold()?;
                let routine = self.routine(Routine::AggFind);
                match words {
                    Some(KeyWords::Held(hold)) => self.take(hold, Reg::R2),
                    Some(KeyWords::Constant(n)) => self.asm.mov(Reg::R2, n as i32),
                    None => self.asm.mov(Reg::R2, 0),
                }
                self.asm.mov(Reg::R1, Reg::R7);
                self.asm.load_imm(Reg::R3, i64::from(bytes) << 32 | i64::from(id.0));
                self.peek(&table, Reg::R4);
                self.asm.call_func(routine);
                self.take(table, Reg::R1);
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, end);
                // Aligned and within the table, as the verifier wants it; both always hold.
                self.alu(Alu::And, Reg::R0, -8);
                self.asm.jump_if(Cond::Gt, Reg::R0, (plan.table_bytes - bytes) as i32, end);
                self.alu(Alu::Add, Reg::R1, Reg::R0);
            }
        }
        self.apply(&agg.func, agg.words, agg.present, value.as_ref(), increment.as_ref(), end);
        self.asm.bind(end);
        value.into_iter().chain(increment).for_each(|hold| self.release(hold));
        self.free_temps(mark);
        Ok(())
    }

    /// Writes the key buffer: parts of fixed size, then strings, each by its real length.
    fn aggregation_key(&mut self, agg: &layout::AggLayout, key: &[Expr]) -> Res<KeyWords> {
        let mut at = self.plan.key_at;
        let mut strings = Vec::new();
        for part in &agg.key {
            let Some(expr) = key.get(part.part as usize) else { continue };
            let Some(bytes) = part.bytes else {
                strings.push(expr);
                continue;
            };
            match part.ty {
                Ty::Stack(spec) => {
                    // Where no stack can be had nothing is written: what an earlier firing left must not make a key.
                    self.frame_store_imm(at + bytes - 8, 0);
                    self.call_trace(expr, spec, at)?;
                }
                Ty::Symbol(_) => self.symbol(expr, part.ty, at)?,
                Ty::Bytes(_) => {
                    self.frame_store_imm(at + bytes - 8, 0);
                    self.bytes(expr, at)?;
                }
                _ => {
                    self.scalar(expr)?;
                    self.frame_store(Size::DW, at, Reg::R0);
                }
            }
            at += bytes;
        }
        if strings.is_empty() {
            return Ok(KeyWords::Constant(agg.key_fixed / 8));
        }
        let mut words: Option<Hold> = None;
        for expr in strings {
            match words.take() {
                None => {
                    self.string(expr, at)?;
                    self.null_is_empty(expr, at);
                    self.frame_load(Size::DW, Reg::R0, at);
                    self.alu(Alu::Rsh, Reg::R0, 3);
                    self.alu(Alu::Add, Reg::R0, (agg.key_fixed / 8 + 2) as i32);
                    words = Some(self.hold()?);
                }
                Some(before) => words = Some(self.append_string(expr, before, agg)?),
            }
        }
        Ok(words.map_or(KeyWords::Constant(0), KeyWords::Held))
    }

    /// A NULL string in a key is the empty one: they print alike.
    fn null_is_empty(&mut self, expr: &Expr, at: u32) {
        if matches!(expr.kind, ExprKind::LoadStr { .. } | ExprKind::StrConst(_) | ExprKind::Builtin(_)) {
            return;
        }
        let fine = self.asm.label();
        self.frame_load(Size::DW, Reg::R0, at);
        self.asm.jump_if(Cond::Lt, Reg::R0, self.plan.strsize as i32, fine);
        self.frame_store_imm(at, 0);
        self.frame_store_imm(at + 8, 0);
        self.asm.bind(fine);
    }

    /// Puts one more string behind the words that the key has; gives the new number of words.
    fn append_string(&mut self, expr: &Expr, words: Hold, agg: &layout::AggLayout) -> Res<Hold> {
        let mark = self.mark();
        let from = self.temp_str()?;
        self.string(expr, from)?;
        self.null_is_empty(expr, from);
        let most = agg.key_fixed
            + (agg.key.iter().filter(|part| part.bytes.is_none()).count() as u32 - 1) * self.plan.str_bytes;
        let fits = self.asm.label();
        self.frame_load(Size::DW, Reg::R2, from);
        self.alu(Alu::Rsh, Reg::R2, 3);
        self.alu(Alu::Add, Reg::R2, 2);
        self.peek(&words, Reg::R0);
        self.asm.mov(Reg::R4, Reg::R0);
        self.alu(Alu::Add, Reg::R0, Reg::R2);
        self.put(&words);
        self.alu(Alu::Lsh, Reg::R2, 3);
        self.alu(Alu::Lsh, Reg::R4, 3);
        // Always so; for the verifier.
        self.asm.jump_if(Cond::Gt, Reg::R2, self.plan.str_bytes as i32, fits);
        self.asm.jump_if(Cond::Gt, Reg::R4, most as i32, fits);
        self.frame_ptr(Reg::R1, self.plan.key_at);
        self.alu(Alu::Add, Reg::R1, Reg::R4);
        self.frame_ptr(Reg::R3, from);
        self.asm.call(Helper::ProbeReadKernel);
        self.asm.bind(fits);
        self.free_temps(mark);
        Ok(words)
    }

    /// Updates the value at `R1`.
    #[allow(clippy::too_many_arguments)]
    fn apply(
        &mut self,
        func: &AggFunc,
        words: u32,
        present: bool,
        value: Option<&Hold>,
        increment: Option<&Hold>,
        end: super::asm::Label,
    ) {
        let first: i16 = if present { 8 } else { 0 };
        if present {
            self.emit(Insn::st(Size::DW, Reg::R1, 0, 1));
        }
        match value {
            Some(value) => self.peek(value, Reg::R0),
            None => self.asm.mov(Reg::R0, 1),
        }
        let add = |off: i16, reg: Reg| Insn::atomic(Atomic::Add, Size::DW, Reg::R1, off, reg);
        match func {
            AggFunc::Count => {
                self.asm.mov(Reg::R0, 1);
                self.emit(add(first, Reg::R0));
            }
            AggFunc::Sum => self.emit(add(first, Reg::R0)),
            AggFunc::Min | AggFunc::Max => {
                let flip = if *func == AggFunc::Min { i64::MAX } else { i64::MIN };
                self.asm.load_imm(Reg::R2, flip);
                self.alu(Alu::Xor, Reg::R2, Reg::R0);
                self.raise(first);
            }
            AggFunc::Avg => {
                self.asm.mov(Reg::R2, 1);
                self.emit(add(first, Reg::R2));
                self.emit(add(first + 8, Reg::R0));
            }
            AggFunc::Stddev => {
                self.asm.mov(Reg::R2, 1);
                self.emit(add(first, Reg::R2));
                self.emit(add(first + 8, Reg::R0));
                self.add_square(first + 16);
            }
            AggFunc::Quantize => {
                self.quantize_bucket();
                self.bump(first, words, increment, end);
            }
            AggFunc::Lquantize(params) => {
                self.linear_bucket(params);
                self.bump(first, words, increment, end);
            }
            AggFunc::Llquantize(params) => {
                self.log_linear_bucket(params);
                self.bump(first, words, increment, end);
            }
        }
    }

    /// `[R1 + off] = max([R1 + off], R2)`, unsigned and atomic.
    fn raise(&mut self, off: i16) {
        let done = self.asm.label();
        self.asm.load(Size::DW, Reg::R0, Reg::R1, off);
        for _ in 0..ATTEMPTS {
            self.asm.jump_if(Cond::Ge, Reg::R0, Reg::R2, done);
            self.asm.mov(Reg::R3, Reg::R0);
            self.emit(Insn::atomic(Atomic::Cmpxchg, Size::DW, Reg::R1, off, Reg::R2));
            self.asm.jump_if(Cond::Eq, Reg::R0, Reg::R3, done);
        }
        self.asm.bind(done);
    }

    /// Adds the square of `R0` to the 128 bits at `[R1 + off]`.
    fn add_square(&mut self, off: i16) {
        let positive = self.asm.label();
        self.asm.jump_if(Cond::SGe, Reg::R0, 0, positive);
        self.emit(Insn::neg64(Reg::R0));
        self.asm.bind(positive);
        // a is the lower half, b the upper one: a*a + 2ab*2^32 + b*b*2^64.
        self.emit(Insn::mov32(Reg::R2, Reg::R0));
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.asm.mov(Reg::R3, Reg::R2);
        self.alu(Alu::Mul, Reg::R3, Reg::R0);
        self.alu(Alu::Mul, Reg::R2, Reg::R2);
        self.alu(Alu::Mul, Reg::R0, Reg::R0);
        self.asm.mov(Reg::R4, Reg::R3);
        self.alu(Alu::Rsh, Reg::R4, 31);
        self.alu(Alu::Add, Reg::R0, Reg::R4);
        self.alu(Alu::Lsh, Reg::R3, 33);
        self.alu(Alu::Add, Reg::R2, Reg::R3);
        let no_carry = self.asm.label();
        self.asm.jump_if(Cond::Ge, Reg::R2, Reg::R3, no_carry);
        self.alu(Alu::Add, Reg::R0, 1);
        self.asm.bind(no_carry);
        self.asm.mov(Reg::R3, Reg::R2);
        self.emit(Insn::atomic(Atomic::FetchAdd, Size::DW, Reg::R1, off, Reg::R3));
        self.alu(Alu::Add, Reg::R3, Reg::R2);
        let no_carry = self.asm.label();
        self.asm.jump_if(Cond::Ge, Reg::R3, Reg::R2, no_carry);
        self.alu(Alu::Add, Reg::R0, 1);
        self.asm.bind(no_carry);
        self.emit(Insn::atomic(Atomic::Add, Size::DW, Reg::R1, off + 8, Reg::R0));
    }

    /// Adds the increment (or 1) to bucket `R0`.
    fn bump(&mut self, first: i16, words: u32, increment: Option<&Hold>, end: super::asm::Label) {
        match increment {
            Some(increment) => self.peek(increment, Reg::R2),
            None => self.asm.mov(Reg::R2, 1),
        }
        self.asm.jump_if(Cond::Ge, Reg::R0, words as i32, end);
        self.alu(Alu::Lsh, Reg::R0, 3);
        self.alu(Alu::Add, Reg::R1, Reg::R0);
        self.emit(Insn::atomic(Atomic::Add, Size::DW, Reg::R1, first, Reg::R2));
    }

    /// `R0 =` bucket of `R0`: powers of two on both sides of zero.
    fn quantize_bucket(&mut self) {
        let (negative, positive, log, end) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.jump_if(Cond::SGt, Reg::R0, 0, positive);
        self.asm.jump_if(Cond::SLt, Reg::R0, 0, negative);
        self.asm.mov(Reg::R0, QUANTIZE_ZERO);
        self.asm.jump(end);
        self.asm.bind(negative);
        self.emit(Insn::neg64(Reg::R0));
        self.asm.mov(Reg::R3, -1);
        self.asm.jump(log);
        self.asm.bind(positive);
        self.asm.mov(Reg::R3, 1);
        self.asm.bind(log);
        // R2 = 1 + floor(log2 R0)
        self.asm.mov(Reg::R2, 1);
        for shift in [32, 16, 8, 4, 2, 1] {
            let small = self.asm.label();
            self.asm.mov(Reg::R4, Reg::R0);
            self.alu(Alu::Rsh, Reg::R4, shift);
            self.asm.jump_if(Cond::Eq, Reg::R4, 0, small);
            self.alu(Alu::Add, Reg::R2, shift);
            self.asm.mov(Reg::R0, Reg::R4);
            self.asm.bind(small);
        }
        // The lowest number of all has no bucket of its own.
        let fine = self.asm.label();
        self.asm.jump_if(Cond::Le, Reg::R2, QUANTIZE_ZERO, fine);
        self.asm.mov(Reg::R2, QUANTIZE_ZERO);
        self.asm.bind(fine);
        self.alu(Alu::Mul, Reg::R2, Reg::R3);
        self.asm.mov(Reg::R0, Reg::R2);
        self.alu(Alu::Add, Reg::R0, QUANTIZE_ZERO);
        self.asm.bind(end);
    }

    /// `R0 =` bucket of `R0`: below, levels, above.
    fn linear_bucket(&mut self, params: &Lquantize) {
        let (base, step) = (i64::from(params.base), i64::from(params.step.max(1)));
        let levels = i64::from(params.levels);
        let (below, above, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.load_imm(Reg::R2, base);
        self.asm.jump_if(Cond::SLt, Reg::R0, Reg::R2, below);
        self.alu(Alu::Sub, Reg::R0, Reg::R2);
        self.asm.load_imm(Reg::R2, step);
        self.alu(Alu::Div, Reg::R0, Reg::R2);
        self.asm.load_imm(Reg::R2, levels);
        self.asm.jump_if(Cond::Ge, Reg::R0, Reg::R2, above);
        self.alu(Alu::Add, Reg::R0, 1);
        self.asm.jump(end);
        self.asm.bind(above);
        self.asm.mov(Reg::R0, Reg::R2);
        self.alu(Alu::Add, Reg::R0, 1);
        self.asm.jump(end);
        self.asm.bind(below);
        self.asm.mov(Reg::R0, 0);
        self.asm.bind(end);
    }

    /// `R0 =` bucket of `R0`: linear steps within each power of the factor.
    fn log_linear_bucket(&mut self, params: &Llquantize) {
        let end = self.asm.label();
        let bounds = params.bounds();
        let (factor, nsteps) = (i64::from(params.factor.max(2)), i64::from(params.nsteps.max(1)));
        let not_below = self.asm.label();
        self.asm.load_imm(Reg::R2, bounds.first().copied().unwrap_or(i64::MAX));
        self.asm.jump_if(Cond::SGe, Reg::R0, Reg::R2, not_below);
        self.asm.mov(Reg::R0, 0);
        self.asm.jump(end);
        self.asm.bind(not_below);
        for order in params.low..=params.high {
            let Some(start) = factor.checked_pow(u32::from(order)) else { break };
            let Some(next) = start.checked_mul(factor) else { break };
            let first = bounds.iter().position(|bound| *bound == start).unwrap_or(0) as i32 + 1;
            let above = self.asm.label();
            self.asm.load_imm(Reg::R2, next);
            self.asm.jump_if(Cond::SGe, Reg::R0, Reg::R2, above);
            self.asm.load_imm(Reg::R2, start);
            self.alu(Alu::Sub, Reg::R0, Reg::R2);
            self.asm.load_imm(Reg::R2, if next > nsteps { next / nsteps } else { 1 });
            self.alu(Alu::Div, Reg::R0, Reg::R2);
            self.alu(Alu::Add, Reg::R0, first);
            self.asm.jump(end);
            self.asm.bind(above);
        }
        self.asm.mov(Reg::R0, params.words() as i32 - 1);
        self.asm.bind(end);
    }
}

/// How many words a key has.
enum KeyWords {
    Constant(u32),
    Held(Hold),
}
