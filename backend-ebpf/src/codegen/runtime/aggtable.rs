//! The table of keyed aggregations: one for each CPU and bank, written by its CPU alone
//! (and by whatever interrupts it there), read by the consumer when no one writes any more.
//!
//! Layout: `u64` bytes taken, 56 bytes unused, chain heads (`u32` offsets, 0 is none), then
//! entries: `u32` next, `u32` unused, `u64` tag (hash << 32 | aggregation << 16 | key words), the key, the value.
//! A table of zeroes is an empty table. There are no locks and no deletions; two firings that
//! insert the same key at once leave two entries, which the consumer adds up.

use super::super::asm::Label;
use super::super::context::Gen;
use super::super::insn::{Alu, Atomic, Cond, Insn, Reg, Size};
use super::super::layout::{drops, frame};

/// Offset of the chain heads.
pub(in super::super) const HEADS: u32 = 64;
/// Bytes of an entry before its key.
pub(in super::super) const ENTRY: u32 = 16;
/// Longest chain that is followed.
const CHAIN: i32 = 32;
/// Attempts to publish an entry.
const PUBLISH: i32 = 8;
/// Odd 64-bit multiplier of the hash (the fractional part of the golden ratio).
const MULTIPLIER: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

/// Stack slots.
const TAG: i16 = -16;
const VALUE: i16 = -24;
const HEAD: i16 = -40;
const COUNT: i16 = -48;

/// Words of a key that are compared in line.
const INLINE_WORDS: i32 = 8;

impl Gen<'_> {
    /// Finds or makes the entry of the key in the frame: `R0 =` offset of its value, 0 when there is no room.
    pub(super) fn emit_agg_find(&mut self) {
        let plan = self.plan;
        let most = (plan.key_bytes / 8) as i32;
        let data = HEADS + plan.buckets * 4;
        // Every entry lies so that a key of any length read there stays within the table.
        let last_entry = plan.table_bytes.saturating_sub(ENTRY + plan.key_bytes) as i32;
        let (out, insert, full) = (self.asm.label(), self.asm.label(), self.asm.label());

        // R6 key words, R7 key, R8 table, R9 entry.
        self.asm.mov(Reg::R6, Reg::R2);
        self.asm.jump_if(Cond::Gt, Reg::R6, most, out);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, out);
        self.asm.jump_if(Cond::Eq, Reg::R4, 0, out);
        self.asm.store(Size::DW, Reg::R10, VALUE, Reg::R3);
        self.asm.mov(Reg::R7, Reg::R1);
        self.asm.store(Size::DW, Reg::R7, frame::RESULT as i16, Reg::R6);
        self.alu(Alu::Add, Reg::R7, plan.key_at as i32);
        self.asm.mov(Reg::R8, Reg::R4);

        // Hash: multiply, fold the upper half down, word by word.
        let (hash, hashed) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::DW, Reg::R0, Reg::R10, VALUE);
        self.asm.load_imm(Reg::R5, MULTIPLIER);
        self.asm.mov(Reg::R1, Reg::R7);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(hash);
        self.asm.load(Size::DW, Reg::R3, Reg::R1, 0);
        self.alu(Alu::Xor, Reg::R0, Reg::R3);
        self.alu(Alu::Mul, Reg::R0, Reg::R5);
        self.asm.mov(Reg::R3, Reg::R0);
        self.alu(Alu::Rsh, Reg::R3, 32);
        self.alu(Alu::Xor, Reg::R0, Reg::R3);
        if most > 1 {
            self.alu(Alu::Add, Reg::R1, 8);
            self.alu(Alu::Add, Reg::R2, 1);
            self.asm.jump_if(Cond::Ge, Reg::R2, Reg::R6, hashed);
            self.asm.jump_if(Cond::Lt, Reg::R2, most, hash);
        }
        self.asm.bind(hashed);
        self.key_words();

        // The chain's head from the low bits; the tag from the high ones, the aggregation and the length.
        self.asm.mov(Reg::R1, Reg::R0);
        self.alu(Alu::And, Reg::R1, (plan.buckets - 1) as i32);
        self.alu(Alu::Lsh, Reg::R1, 2);
        self.alu(Alu::Add, Reg::R1, Reg::R8);
        self.asm.store(Size::DW, Reg::R10, HEAD, Reg::R1);
        self.asm.load(Size::W, Reg::R9, Reg::R1, HEADS as i16);
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.alu(Alu::Lsh, Reg::R0, 32);
        self.asm.load(Size::W, Reg::R2, Reg::R10, VALUE);
        self.alu(Alu::Lsh, Reg::R2, 16);
        self.alu(Alu::Or, Reg::R0, Reg::R2);
        self.alu(Alu::Or, Reg::R0, Reg::R6);
        self.asm.store(Size::DW, Reg::R10, TAG, Reg::R0);

        // Walk the chain; R0 is the tag, R5 the steps.
        let (walk, next, found) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(walk);
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, insert);
        self.asm.jump_if(Cond::Gt, Reg::R9, last_entry, full);
        self.asm.mov(Reg::R1, Reg::R8);
        self.alu(Alu::Add, Reg::R1, Reg::R9);
        self.asm.load(Size::DW, Reg::R2, Reg::R1, 8);
        self.asm.jump_if(Cond::Ne, Reg::R2, Reg::R0, next);
        // The first words in line, the rest of a long key by a function: the verifier counts the ways
        // through a loop within a loop.
        for word in 0..most.min(INLINE_WORDS) {
            if word > 0 {
                self.asm.jump_if(Cond::Eq, Reg::R6, word, found);
            }
            self.asm.load(Size::DW, Reg::R2, Reg::R1, ENTRY as i16 + word as i16 * 8);
            self.asm.load(Size::DW, Reg::R3, Reg::R7, word as i16 * 8);
            self.asm.jump_if(Cond::Ne, Reg::R2, Reg::R3, next);
        }
        if most > INLINE_WORDS {
            self.asm.jump_if(Cond::Eq, Reg::R6, INLINE_WORDS, found);
            let equal = self.routine(super::Routine::KeyEqual);
            self.asm.store(Size::DW, Reg::R10, COUNT, Reg::R5);
            self.asm.mov(Reg::R1, Reg::R7);
            self.alu(Alu::Sub, Reg::R1, plan.key_at as i32);
            self.asm.mov(Reg::R2, Reg::R8);
            self.asm.mov(Reg::R3, Reg::R9);
            self.asm.call_func(equal);
            self.asm.load(Size::DW, Reg::R5, Reg::R10, COUNT);
            self.asm.mov(Reg::R1, Reg::R0);
            self.asm.load(Size::DW, Reg::R0, Reg::R10, TAG);
            self.asm.jump_if(Cond::Eq, Reg::R1, 0, next);
        }
        self.asm.bind(found);
        self.value_offset();
        self.asm.bind(next);
        self.asm.mov(Reg::R1, Reg::R8);
        self.alu(Alu::Add, Reg::R1, Reg::R9);
        self.asm.load(Size::W, Reg::R9, Reg::R1, 0);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, CHAIN, walk);
        self.asm.jump(full);

        // Take room for a new entry.
        self.asm.bind(insert);
        self.key_words();
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Lsh, Reg::R1, 3);
        self.alu(Alu::Add, Reg::R1, ENTRY as i32);
        self.asm.load(Size::W, Reg::R2, Reg::R10, VALUE + 4);
        self.alu(Alu::Add, Reg::R1, Reg::R2);
        self.asm.mov(Reg::R2, Reg::R1);
        self.emit(Insn::atomic(Atomic::FetchAdd, Size::DW, Reg::R8, 0, Reg::R1));
        self.alu(Alu::Add, Reg::R1, data as i32);
        self.alu(Alu::Add, Reg::R2, Reg::R1);
        self.asm.jump_if(Cond::Gt, Reg::R2, plan.table_bytes as i32, full);
        self.asm.jump_if(Cond::Gt, Reg::R1, last_entry, full);
        self.asm.mov(Reg::R9, Reg::R1);

        // Fill it.
        let (copy, copied) = (self.asm.label(), self.asm.label());
        self.alu(Alu::Add, Reg::R1, Reg::R8);
        self.asm.load(Size::DW, Reg::R2, Reg::R10, TAG);
        self.asm.store(Size::DW, Reg::R1, 8, Reg::R2);
        self.asm.mov(Reg::R3, Reg::R7);
        self.asm.mov(Reg::R4, 0);
        self.asm.bind(copy);
        self.asm.jump_if(Cond::Ge, Reg::R4, Reg::R6, copied);
        self.asm.load(Size::DW, Reg::R2, Reg::R3, 0);
        self.asm.store(Size::DW, Reg::R1, ENTRY as i16, Reg::R2);
        self.alu(Alu::Add, Reg::R1, 8);
        self.alu(Alu::Add, Reg::R3, 8);
        self.alu(Alu::Add, Reg::R4, 1);
        self.asm.jump_if(Cond::Lt, Reg::R4, most, copy);
        self.asm.bind(copied);
        self.key_words();

        // Publish it as its chain's head.
        let (publish, done) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::DW, Reg::R3, Reg::R10, HEAD);
        self.asm.mov(Reg::R1, Reg::R8);
        self.alu(Alu::Add, Reg::R1, Reg::R9);
        self.asm.mov(Reg::R5, 0);
        self.asm.load(Size::W, Reg::R0, Reg::R3, HEADS as i16);
        self.asm.bind(publish);
        self.asm.store(Size::W, Reg::R1, 0, Reg::R0);
        self.asm.mov(Reg::R4, Reg::R0);
        self.asm.mov(Reg::R2, Reg::R9);
        self.emit(Insn::atomic(Atomic::Cmpxchg, Size::W, Reg::R3, HEADS as i16, Reg::R2));
        self.asm.jump_if32(Cond::Eq, Reg::R0, Reg::R4, done);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, PUBLISH, publish);
        self.asm.jump(full);
        self.asm.bind(done);
        self.value_offset();

        self.asm.bind(full);
        let routine = self.routine(super::Routine::Drop);
        self.asm.load(Size::W, Reg::R1, Reg::R10, VALUE);
        self.alu(Alu::Add, Reg::R1, drops::AGGREGATIONS as i32);
        self.asm.call_func(routine);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// Compares the `R6` words of the key at `R7` with those of the entry at `R1`; to `differ` unless equal.
    fn compare_words(&mut self, most: i32, differ: Label) {
        let (compare, equal) = (self.asm.label(), self.asm.label());
        self.asm.mov(Reg::R3, Reg::R7);
        self.asm.mov(Reg::R4, 0);
        self.asm.bind(compare);
        self.asm.jump_if(Cond::Ge, Reg::R4, Reg::R6, equal);
        self.asm.load(Size::DW, Reg::R0, Reg::R1, ENTRY as i16);
        self.asm.load(Size::DW, Reg::R2, Reg::R3, 0);
        self.asm.jump_if(Cond::Ne, Reg::R0, Reg::R2, differ);
        self.alu(Alu::Add, Reg::R1, 8);
        self.alu(Alu::Add, Reg::R3, 8);
        self.alu(Alu::Add, Reg::R4, 1);
        self.asm.jump_if(Cond::Lt, Reg::R4, most, compare);
        self.asm.bind(equal);
    }

    /// Is the key in the frame that of an entry?
    pub(super) fn emit_key_equal(&mut self) {
        let out = self.asm.label();
        let last_entry = self.plan.table_bytes.saturating_sub(ENTRY + self.plan.key_bytes) as i32;
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, out);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, out);
        self.asm.mov(Reg::R7, Reg::R1);
        self.alu(Alu::Add, Reg::R7, self.plan.key_at as i32);
        self.key_words();
        self.asm.jump_if(Cond::Gt, Reg::R3, last_entry, out);
        self.asm.mov(Reg::R1, Reg::R2);
        self.alu(Alu::Add, Reg::R1, Reg::R3);
        self.compare_words((self.plan.key_bytes / 8) as i32, out);
        self.asm.ret(1);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// `R6 =` words of the key, from memory. A loop over the key tells the verifier how long the key is on
    /// each way out; forgetting that keeps it from following each length on its own.
    fn key_words(&mut self) {
        let at = frame::RESULT - self.plan.key_at as i32;
        self.asm.load(Size::DW, Reg::R6, Reg::R7, at as i16);
    }

    /// `return entry + header + key`.
    fn value_offset(&mut self) {
        self.asm.mov(Reg::R0, Reg::R6);
        self.alu(Alu::Lsh, Reg::R0, 3);
        self.alu(Alu::Add, Reg::R0, Reg::R9);
        self.alu(Alu::Add, Reg::R0, ENTRY as i32);
        self.asm.exit();
    }
}
