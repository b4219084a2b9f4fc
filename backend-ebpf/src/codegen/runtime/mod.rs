//! Routines that run in the kernel: emitted once per program, only when something calls them.
//!
//! They take numbers only (a frame's number, offsets in it), so that the verifier
//! looks at each once, apart from the clauses. Each looks its frame up again and
//! bounds every offset before it uses it.

mod addresses;
mod aggtable;
mod json;
mod kernel_path;
mod numbers;
mod paths;
mod report;
mod search;
mod strings;
mod unwind;

pub(super) use addresses::MAX_OCTETS;
pub(super) use aggtable::{ENTRY, SLOTS, slots};
pub(super) use json::WORK as JSON_WORK;
pub(super) use kernel_path::WORK as PATH_WORK;
pub(super) use unwind::WINDOW;

use super::asm::{Arg, FuncId, Label, Linkage};
use super::context::Gen;
use super::insn::{Alu, Cond, Helper, Reg, Size};
use super::layout;

/// The routines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Routine {
    /// `(counter)`: one more drop on this CPU.
    Drop,
    /// `(frame, clause, probe, epid)`: tells the consumer of the fault in the frame.
    Fault,
    /// `(frame's address, key words, value bytes << 32 | aggregation, table's address) -> offset of the value or 0`.
    AggFind,
    /// `(frame's address, table's address, entry) -> 1 when its key is the frame's`.
    KeyEqual,
    /// `(frame, a, b) -> -1, 0, 1`.
    Compare,
    /// `(frame, to)`: the thread's name.
    Comm,
    /// `(frame, to, a, b)`: both strings, one after the other.
    Join,
    /// `(frame, to, number, base)`: digits; bases of `long long` 2 to 36.
    Number,
    /// `(frame, string, base) -> number`.
    Parse,
    /// `(frame, to, from, start, length)`.
    Substr,
    /// `(frame, to, from, upper)`.
    Case,
    /// `(frame, from, char, last) -> position or -1`.
    FindChar,
    /// `(frame, in, what, start, backwards) -> position or -1`.
    Find,
    /// `(frame, to, delimiters) -> 0 or 1: no more`.
    Token,
    /// `(frame, to, from, directory)`.
    PathPart,
    /// `(frame, a, b, length) -> 1 when so many bytes are equal`; `a` any offset.
    Match,
    /// `(frame, to, from)`.
    CleanPath,
    /// `(frame, to)`: a part of `CleanPath`.
    BackUp,
    /// `(frame, to, from)`.
    Strip,
    /// `(frame, to, address in network order)`.
    Inet,
    /// `(frame, to, 16 bytes of the address, strict)`: `strict` keeps the `::` before IPv4 within IPv6.
    Inet6,
    /// `(frame, to, bytes, how many)`: hexadecimal bytes between colons.
    Octets,
    /// `(frame, to, json, selector, work)`.
    Json,
    /// `(nanoseconds)`: spins.
    Chill,
    /// `(frame, to, length)`: makes a string of a process' arguments.
    Arguments,
    /// `(frame, to, struct path, work)`.
    Path,
    /// `() -> process << 32 | thread`, of the current thread in the tracer's pid namespace.
    Current,
    /// `(task) -> process << 32 | thread`, the same of another.
    Numbers,
    /// `(pid, task) -> 0 or 1`.
    Progeny,
    /// `(frame, at | most << 32, ip, sp, bp) -> addresses stored`.
    Unwind,
}

impl Routine {
    fn describe(self) -> (&'static str, usize) {
        match self {
            Routine::Drop => ("drop", 1),
            Routine::Fault => ("fault", 4),
            Routine::AggFind => ("agg_find", 4),
            Routine::KeyEqual => ("key_equal", 3),
            Routine::Compare => ("string_compare", 3),
            Routine::Comm => ("comm", 2),
            Routine::Join => ("string_join", 4),
            Routine::Number => ("number_to_string", 4),
            Routine::Parse => ("string_to_number", 3),
            Routine::Substr => ("substr", 5),
            Routine::Case => ("string_case", 4),
            Routine::FindChar => ("find_char", 4),
            Routine::Find => ("find", 5),
            Routine::Token => ("token", 3),
            Routine::PathPart => ("path_part", 4),
            Routine::Match => ("bytes_match", 4),
            Routine::CleanPath => ("clean_path", 3),
            Routine::BackUp => ("back_up", 2),
            Routine::Strip => ("strip", 3),
            Routine::Inet => ("inet", 3),
            Routine::Inet6 => ("inet6", 4),
            Routine::Octets => ("octets", 4),
            Routine::Json => ("json", 5),
            Routine::Chill => ("chill", 1),
            Routine::Arguments => ("arguments", 3),
            Routine::Path => ("kernel_path", 4),
            Routine::Current => ("current", 0),
            Routine::Numbers => ("numbers", 1),
            Routine::Progeny => ("progeny", 2),
            Routine::Unwind => ("unwind", 5),
        }
    }
}

/// Stack slot of map keys in a routine.
const KEY: i16 = -8;

impl Gen<'_> {
    /// The function of a routine, to be called.
    pub fn routine(&mut self, routine: Routine) -> FuncId {
        if let Some(function) = self.routines.get(&routine) {
            return *function;
        }
        let (name, args) = routine.describe();
        let mut args: Vec<Arg> = (0..args).map(|_| Arg::Scalar).collect();
        // Those that run at every firing are spared the looking up.
        let table = match routine {
            Routine::AggFind => 3,
            Routine::KeyEqual => 1,
            _ => args.len(),
        };
        if let Some(arg) = args.get_mut(table) {
            *arg = Arg::Mem(self.plan.table_bytes);
            args[0] = Arg::Mem(self.plan.frame_bytes);
        }
        let function = self.asm.declare(name, Linkage::Global, &args);
        self.routines.insert(routine, function);
        function
    }

    /// Emits every routine that has been asked for, and those that they ask for.
    pub fn emit_routines(&mut self) {
        let mut done = std::collections::BTreeSet::new();
        loop {
            let next = self.routines.iter().find(|(routine, _)| !done.contains(*routine));
            let Some((&routine, &function)) = next else { return };
            done.insert(routine);
            self.asm.enter(function);
            self.asm.set_span(0);
            match routine {
                Routine::Drop => self.emit_drop(),
                Routine::Fault => self.emit_fault(),
                Routine::AggFind => self.emit_agg_find(),
                Routine::KeyEqual => self.emit_key_equal(),
                Routine::Compare => self.emit_compare(),
                Routine::Comm => self.emit_comm(),
                Routine::Join => self.emit_join(),
                Routine::Number => self.emit_number(),
                Routine::Parse => self.emit_parse(),
                Routine::Substr => self.emit_substr(),
                Routine::Case => self.emit_case(),
                Routine::FindChar => self.emit_find_char(),
                Routine::Find => self.emit_find(),
                Routine::Token => self.emit_token(),
                Routine::PathPart => self.emit_path_part(),
                Routine::Match => self.emit_match(),
                Routine::CleanPath => self.emit_clean_path(),
                Routine::BackUp => self.emit_back_up(),
                Routine::Strip => self.emit_strip(),
                Routine::Inet => self.emit_inet(),
                Routine::Inet6 => self.emit_inet6(),
                Routine::Octets => self.emit_octets(),
                Routine::Json => self.emit_json(),
                Routine::Chill => self.emit_chill(),
                Routine::Arguments => self.emit_arguments(),
                Routine::Path => self.emit_kernel_path(),
                Routine::Current => self.emit_current(),
                Routine::Numbers => self.emit_numbers(),
                Routine::Progeny => self.emit_progeny(),
                Routine::Unwind => self.emit_unwind(),
            }
        }
    }

    /// Begins a routine: arguments 2.. are kept in `keep`, `R7` is the frame whose number is in `R1`; else goes to `out`.
    fn enter_frame(&mut self, keep: &[Reg], out: Label) {
        for (to, from) in keep.iter().zip([Reg::R2, Reg::R3, Reg::R4, Reg::R5]) {
            self.asm.mov(*to, from);
        }
        self.lookup_element(layout::FRAMES, Reg::R1, out);
        self.asm.mov(Reg::R7, Reg::R0);
    }

    /// `R0 = map[index]`, or goes to `out`.
    fn lookup_element(&mut self, map: super::asm::MapId, index: Reg, out: Label) {
        self.asm.store(Size::W, Reg::R10, KEY, index);
        self.asm.load_map(Reg::R1, map);
        self.asm.mov(Reg::R2, Reg::R10);
        self.alu(Alu::Add, Reg::R2, i32::from(KEY));
        self.asm.call(Helper::MapLookupElem);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, out);
    }

    /// Turns an offset into the address of a string in the frame, or goes to `out`.
    fn string_at(&mut self, reg: Reg, out: Label) {
        self.asm.jump_if(Cond::Gt, reg, (self.plan.frame_bytes - 2 * self.plan.str_bytes - 8) as i32, out);
        self.alu(Alu::Add, reg, Reg::R7);
    }

    /// `dst = length of the string at [string]`, at most `strsize - 1` as the verifier sees it; NULL counts as empty.
    fn length(&mut self, dst: Reg, string: Reg) {
        let fine = self.asm.label();
        self.asm.load(Size::DW, dst, string, 0);
        self.asm.jump_if(Cond::Lt, dst, self.plan.strsize as i32, fine);
        self.asm.mov(dst, 0);
        self.asm.bind(fine);
    }

    /// Ends the string at `[string]` after `length` bytes: the length word, the NUL and zeroes to the end of its word.
    /// `length` is below `strsize`; uses `R1`..`R5`.
    fn seal(&mut self, string: Reg, length: Reg) {
        self.asm.store(Size::DW, string, 0, length);
        self.asm.mov(Reg::R1, length);
        self.asm.mov(Reg::R2, Reg::R1);
        self.alu(Alu::And, Reg::R2, -8);
        self.asm.mov(Reg::R3, string);
        self.alu(Alu::Add, Reg::R3, Reg::R2);
        self.alu(Alu::And, Reg::R1, 7);
        self.alu(Alu::Lsh, Reg::R1, 3);
        self.asm.mov(Reg::R4, 1);
        self.alu(Alu::Lsh, Reg::R4, Reg::R1);
        self.alu(Alu::Sub, Reg::R4, 1);
        self.asm.load(Size::DW, Reg::R5, Reg::R3, 8);
        self.alu(Alu::And, Reg::R5, Reg::R4);
        self.asm.store(Size::DW, Reg::R3, 8, Reg::R5);
    }
}
