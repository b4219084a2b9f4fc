//! Waits for the kernel's locks: a program at their beginning notes it for those at their end.
//!
//! A wait is known by its lock and its thread. The kernel tells of a mutex several times, as it goes from spinning to
//! sleeping and back: it is one wait, which began with the first and has blocked if any of them did.

use super::asm::Label;
use super::context::{Gen, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{self, drops};
use super::{Service, Wait};
use crate::kernel::{MapKind, MapSpec};

/// Waits at a time.
const ENTRIES: u32 = 16384;
/// The key: the lock's address, the thread's.
const KEY_BYTES: u32 = 16;
/// Where it lies in the stack.
const KEY: i16 = slot::BUFFER;

/// The value: when it began, how long it took (0: not asked yet), the flags.
const BEGAN: i16 = 0;
const TOOK: i16 = 8;
const FLAGS: i16 = 16;
const VALUE_BYTES: u32 = 24;
/// Where a new one lies in the stack.
const VALUE: i16 = -88;

/// `LCB_F_SPIN` and `LCB_F_MUTEX` (include/trace/events/lock.h).
const SPIN: i32 = 1;
const MUTEX: i32 = 32;

/// The map of waits that are going on.
pub(super) fn map() -> MapSpec {
    MapSpec::hash(MapKind::Hash, "waits", KEY_BYTES, VALUE_BYTES, ENTRIES)
}

impl Gen<'_> {
    /// `R0 =` the entry of the wait for the lock in the context's first word, or null.
    fn find_wait(&mut self) {
        self.asm.load(Size::DW, Reg::R0, Reg::R6, 0);
        self.asm.store(Size::DW, Reg::R10, KEY, Reg::R0);
        self.asm.call(Helper::GetCurrentTask);
        self.asm.store(Size::DW, Reg::R10, KEY + 8, Reg::R0);
        self.asm.load_map(Reg::R1, layout::WAITS);
        self.slot_ptr(Reg::R2, KEY);
        self.asm.call(Helper::MapLookupElem);
    }

    /// `R0 =` what is known of the wait that ends here.
    pub fn wait(&mut self, what: Wait) {
        let end = self.asm.label();
        self.find_wait();
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, end);
        match what {
            Wait::Flags => self.asm.load(Size::DW, Reg::R0, Reg::R0, FLAGS),
            // Whoever asks first reads the clock for all.
            Wait::Time => {
                let known = self.asm.label();
                self.asm.load(Size::DW, Reg::R1, Reg::R0, TOOK);
                self.asm.jump_if(Cond::Ne, Reg::R1, 0, known);
                self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
                self.asm.call(Helper::KtimeGetNs);
                self.asm.mov(Reg::R1, Reg::R0);
                self.asm.load(Size::DW, Reg::R0, Reg::R10, slot::ADDRESS);
                self.asm.load(Size::DW, Reg::R2, Reg::R0, BEGAN);
                self.alu(Alu::Sub, Reg::R1, Reg::R2);
                self.asm.store(Size::DW, Reg::R0, TOOK, Reg::R1);
                self.asm.bind(known);
                self.asm.mov(Reg::R0, Reg::R1);
            }
        }
        self.asm.bind(end);
    }

    /// A program that only serves others.
    pub fn service(&mut self, service: Service) {
        let out = self.asm.label();
        self.asm.set_span(0);
        self.asm.mov(Reg::R6, Reg::R1);
        match service {
            Service::WaitBegins => {
                self.unless_armed(out);
                self.wait_begins(out);
            }
            // Also when nothing is to fire any more.
            Service::WaitEnded => {
                self.find_wait();
                self.asm.jump_if(Cond::Eq, Reg::R0, 0, out);
                self.asm.load_map(Reg::R1, layout::WAITS);
                self.slot_ptr(Reg::R2, KEY);
                self.asm.call(Helper::MapDeleteElem);
            }
        }
        self.asm.bind(out);
        self.asm.ret(0);
    }

    fn wait_begins(&mut self, out: Label) {
        let new = self.asm.label();
        self.asm.load(Size::DW, Reg::R8, Reg::R6, 8);
        self.find_wait();
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, new);
        // Only a mutex goes on with the wait that it told of before.
        self.asm.mov(Reg::R1, Reg::R8);
        self.alu(Alu::And, Reg::R1, MUTEX);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, new);
        // Spinning it still is, if it was before.
        self.asm.load(Size::DW, Reg::R1, Reg::R0, FLAGS);
        self.alu(Alu::Or, Reg::R1, !SPIN);
        self.alu(Alu::And, Reg::R8, Reg::R1);
        self.asm.store(Size::DW, Reg::R0, FLAGS, Reg::R8);
        self.asm.jump(out);
        self.asm.bind(new);
        self.asm.call(Helper::KtimeGetNs);
        self.asm.store(Size::DW, Reg::R10, VALUE + BEGAN, Reg::R0);
        self.emit(Insn::st(Size::DW, Reg::R10, VALUE + TOOK, 0));
        self.asm.store(Size::DW, Reg::R10, VALUE + FLAGS, Reg::R8);
        self.asm.load_map(Reg::R1, layout::WAITS);
        self.slot_ptr(Reg::R2, KEY);
        self.slot_ptr(Reg::R3, VALUE);
        self.asm.mov(Reg::R4, 0);
        self.asm.call(Helper::MapUpdateElem);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, out);
        self.count_drop(drops::DYNAMIC);
    }
}
