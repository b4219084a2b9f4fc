//! The table of keyed aggregations: one for each CPU and bank, written by its CPU alone
//! (and by whatever interrupts it there), read by the consumer when no one writes any more.
//!
//! Layout: `u64` bytes taken, 56 bytes unused, `u32` slots, then entries: `u64` tag (hash << 32 |
//! aggregation << 16 | key words), the key, the value. A slot is 0 or an entry: its offset in units of 8 in
//! the lower bits ([`slot_bits`]), bits of its hash in the others, so that hardly ever an entry is looked at which is
//! another key's: with a million keys each look is a miss in the cache, and these are what an update costs. The slot of a
//! key is the first that suits on the way its hash gives, by steps of 1, 2, 3 ... and around.
//! A table of zeroes is an empty table. There are no locks and no deletions; two firings that
//! insert the same key at once leave two entries, which the consumer adds up.

use super::super::asm::Label;
use super::super::context::Gen;
use super::super::insn::{Alu, Atomic, Cond, Insn, Reg, Size};
use super::super::layout::{drops, frame};

/// Offset of the slots.
pub(in super::super) const SLOTS: u32 = 64;
/// Bytes of an entry before its key.
pub(in super::super) const ENTRY: u32 = 8;
/// Slots that are looked at before the table counts as full: where half of a million slots are taken, one key of a
/// hundred million needs more. (Each is a way for the verifier to follow, at every start.)
const PROBES: i32 = 24;
/// Attempts to publish an entry.
const PUBLISH: i32 = 8;
/// Odd 64-bit multiplier of the hash (the fractional part of the golden ratio).
const MULTIPLIER: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

/// Stack slots.
const TAG: i16 = -16;
const VALUE: i16 = -24;

/// Words of the longest key that is compared in line, and of a longer one those that are compared without a loop.
const INLINE_WORDS: i32 = 2;
const UNROLLED: i32 = 8;

/// Slots of a table of so many bytes: a fifth of it, in whole cache lines. The smallest entry has 24 bytes.
pub(in super::super) fn slots(table_bytes: u32) -> u32 {
    (table_bytes / 20) & !15
}

/// How many bits of a slot are an entry's offset, in units of 8 bytes.
fn slot_bits(table_bytes: u32) -> i32 {
    (u32::BITS - (table_bytes / 8).leading_zeros()).cast_signed()
}

impl Gen<'_> {
    /// Finds or makes the entry of the key in the frame: `R0 =` offset of its value, 0 when there is no room.
    pub(super) fn emit_agg_find(&mut self) {
        let plan = self.plan;
        let most = (plan.key_bytes / 8) as i32;
        let data = SLOTS + plan.table_slots * 4;
        let bits = slot_bits(plan.table_bytes);
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

        // The way begins with the lower half; the tag from the high ones, the aggregation and the length.
        self.emit(Insn::mov32(Reg::R4, Reg::R0));
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.alu(Alu::Lsh, Reg::R0, 32);
        self.asm.load(Size::W, Reg::R2, Reg::R10, VALUE);
        self.alu(Alu::Lsh, Reg::R2, 16);
        self.alu(Alu::Or, Reg::R0, Reg::R2);
        self.alu(Alu::Or, Reg::R0, Reg::R6);
        self.asm.store(Size::DW, Reg::R10, TAG, Reg::R0);

        // Look at the slots; R0 is the tag, R4 the place on the way, R6 the steps. The place is kept in memory: what the
        // verifier knows of one place and another it would follow apart.
        let (look, next, found) = (self.asm.label(), self.asm.label(), self.asm.label());
        let place = (frame::SET - plan.key_at as i32) as i16;
        self.asm.store(Size::W, Reg::R7, place, Reg::R4);
        self.asm.mov(Reg::R6, 0);
        self.asm.bind(look);
        self.slot_address(Reg::R1, Reg::R4);
        self.asm.load(Size::W, Reg::R9, Reg::R1, SLOTS as i16);
        self.asm.jump_if(Cond::Eq, Reg::R9, 0, insert);
        self.asm.mov(Reg::R1, Reg::R0);
        self.alu(Alu::Rsh, Reg::R1, 32);
        self.alu(Alu::Xor, Reg::R1, Reg::R9);
        self.alu(Alu::Rsh, Reg::R1, bits);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, next);
        self.alu(Alu::And, Reg::R9, (1 << bits) - 1);
        self.alu(Alu::Lsh, Reg::R9, 3);
        self.asm.jump_if(Cond::Gt, Reg::R9, last_entry, full);
        self.asm.mov(Reg::R1, Reg::R8);
        self.alu(Alu::Add, Reg::R1, Reg::R9);
        self.asm.load(Size::DW, Reg::R2, Reg::R1, 0);
        self.asm.jump_if(Cond::Ne, Reg::R2, Reg::R0, next);
        // A short key in line, a long one by a function: the verifier counts the ways through all of them.
        if most <= INLINE_WORDS {
            self.compare_word(Reg::R7, 0, next);
            for word in 1..most {
                self.asm.load(Size::DW, Reg::R5, Reg::R7, (frame::RESULT - plan.key_at as i32) as i16);
                self.asm.jump_if(Cond::Eq, Reg::R5, word, found);
                self.compare_word(Reg::R7, word, next);
            }
        } else {
            let equal = self.routine(super::Routine::KeyEqual);
            self.asm.mov(Reg::R1, Reg::R7);
            self.alu(Alu::Sub, Reg::R1, plan.key_at as i32);
            self.asm.mov(Reg::R2, Reg::R8);
            self.asm.mov(Reg::R3, Reg::R9);
            self.asm.call_func(equal);
            self.asm.mov(Reg::R1, Reg::R0);
            self.asm.load(Size::DW, Reg::R0, Reg::R10, TAG);
            self.asm.jump_if(Cond::Eq, Reg::R1, 0, next);
        }
        self.asm.bind(found);
        self.key_words();
        self.value_offset();
        self.asm.bind(next);
        self.alu(Alu::Add, Reg::R6, 1);
        self.asm.mov(Reg::R1, Reg::R6);
        self.alu(Alu::Mul, Reg::R1, self.slot_distance());
        self.asm.load(Size::W, Reg::R4, Reg::R7, place);
        self.alu(Alu::Add, Reg::R4, Reg::R1);
        self.asm.store(Size::W, Reg::R7, place, Reg::R4);
        self.asm.load(Size::W, Reg::R4, Reg::R7, place);
        self.asm.jump_if(Cond::Lt, Reg::R6, PROBES, look);
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
        self.asm.store(Size::DW, Reg::R1, 0, Reg::R2);
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

        // Publish it in the slot, or where what interrupted this firing took that in one beyond. That may not be on the
        // key's way: the next firing makes another entry then. (The way goes by the steps taken, and the verifier would
        // follow each number of them on its own.)
        let (publish, done) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::W, Reg::R4, Reg::R7, place);
        self.asm.load(Size::W, Reg::R2, Reg::R10, TAG + 4);
        self.alu(Alu::Rsh, Reg::R2, bits);
        self.alu(Alu::Lsh, Reg::R2, bits);
        self.asm.mov(Reg::R3, Reg::R9);
        self.alu(Alu::Rsh, Reg::R3, 3);
        self.alu(Alu::Or, Reg::R2, Reg::R3);
        self.asm.mov(Reg::R3, 0);
        self.asm.bind(publish);
        self.slot_address(Reg::R1, Reg::R4);
        self.asm.mov(Reg::R0, 0);
        self.emit(Insn::atomic(Atomic::Cmpxchg, Size::W, Reg::R1, SLOTS as i16, Reg::R2));
        self.asm.jump_if32(Cond::Eq, Reg::R0, 0, done);
        self.emit(Insn::alu32(Alu::Add, Reg::R4, self.slot_distance()));
        self.alu(Alu::Add, Reg::R3, 1);
        self.asm.jump_if(Cond::Lt, Reg::R3, PUBLISH, publish);
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

    /// `to =` address of the slot at a place on the way, less [`SLOTS`]. Places are 32-bit fractions of all slots, which
    /// turn around at the end without a branch.
    fn slot_address(&mut self, to: Reg, place: Reg) {
        self.asm.mov(to, place);
        self.alu(Alu::Mul, to, self.plan.table_slots as i32);
        self.alu(Alu::Rsh, to, 32);
        self.alu(Alu::Lsh, to, 2);
        self.alu(Alu::Add, to, Reg::R8);
    }

    /// How far a slot is from the next.
    fn slot_distance(&self) -> i32 {
        ((1 << 32) / u64::from(self.plan.table_slots) + 1) as i32
    }

    /// To `differ` unless a word of the key at `key` and of the entry at `R1` are the same.
    fn compare_word(&mut self, key: Reg, word: i32, differ: Label) {
        let at = word as i16 * 8;
        self.asm.load(Size::DW, Reg::R2, Reg::R1, ENTRY as i16 + at);
        self.asm.load(Size::DW, Reg::R3, key, at);
        self.asm.jump_if(Cond::Ne, Reg::R2, Reg::R3, differ);
    }

    /// Is the key in the frame that of an entry? The first words without a loop.
    pub(super) fn emit_key_equal(&mut self) {
        let (out, equal, compare) = (self.asm.label(), self.asm.label(), self.asm.label());
        let last_entry = self.plan.table_bytes.saturating_sub(ENTRY + self.plan.key_bytes) as i32;
        let most = (self.plan.key_bytes / 8) as i32;
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, out);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, out);
        self.asm.jump_if(Cond::Gt, Reg::R3, last_entry, out);
        self.asm.mov(Reg::R7, Reg::R1);
        self.alu(Alu::Add, Reg::R7, self.plan.key_at as i32);
        self.key_words();
        self.asm.mov(Reg::R1, Reg::R2);
        self.alu(Alu::Add, Reg::R1, Reg::R3);
        for word in 0..most.min(UNROLLED) {
            if word > 0 {
                self.asm.jump_if(Cond::Eq, Reg::R6, word, equal);
            }
            self.compare_word(Reg::R7, word, out);
        }
        if most > UNROLLED {
            self.asm.mov(Reg::R4, UNROLLED);
            self.alu(Alu::Add, Reg::R1, UNROLLED * 8);
            self.alu(Alu::Add, Reg::R7, UNROLLED * 8);
            self.asm.bind(compare);
            self.asm.jump_if(Cond::Ge, Reg::R4, Reg::R6, equal);
            self.compare_word(Reg::R7, 0, out);
            self.alu(Alu::Add, Reg::R1, 8);
            self.alu(Alu::Add, Reg::R7, 8);
            self.alu(Alu::Add, Reg::R4, 1);
            self.asm.jump_if(Cond::Lt, Reg::R4, most, compare);
        }
        self.asm.bind(equal);
        self.asm.ret(1);
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// `R6 =` words of the key, from memory. A loop over the key tells the verifier how long the key is on
    /// each way out; forgetting that keeps it from following each length on its own.
    fn key_words(&mut self) {
        self.asm.load(Size::DW, Reg::R6, Reg::R7, (frame::RESULT - self.plan.key_at as i32) as i16);
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
