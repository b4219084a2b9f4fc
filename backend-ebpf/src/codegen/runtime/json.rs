//! `json()`: one pass over the text with the selector in hand.
//!
//! A selector names elements one within the other: `a.b[3].c`. The pass knows how
//! deep it is and how deep the containers go that the selector has led into so far
//! ([`LEVEL`]); only there are keys and indices compared. A wanted value is cut out
//! of the text as it stands, a string without its quotes.
//!
//! The state is in frame memory and not in registers: to the verifier it is then
//! unknown at each character, and there is one state to look at instead of all
//! combinations.

use super::super::asm::Label;
use super::super::context::Gen;
use super::super::insn::{Alu, Cond, Insn, Reg, Size};

/// Bytes of working memory.
pub(in super::super) const WORK: u32 = 128;

/// How many containers are open.
const DEPTH: i16 = 0;
/// How many of them the selector has led into.
const LEVEL: i16 = 8;
/// Where the element that is looked for begins in the selector.
const ELEMENT: i16 = 16;
/// Where its comparison stands.
const CURSOR: i16 = 24;
/// In a string: 1 a key to compare, 2 another one.
const STRING: i16 = 32;
const ESCAPE: i16 = 40;
/// Is the next value the one that the element names?
const HIT: i16 = 48;
/// Is the next string a key of the innermost container led into?
const KEY: i16 = 56;
/// Does the key match so far?
const MATCH: i16 = 64;
const ARRAY: i16 = 72;
const INDEX: i16 = 80;
const WANTED: i16 = 88;
/// Where the value begins that is cut out, and what it is: 1 a number or word, 2 a string, 3 a container.
const START: i16 = 96;
const CUT: i16 = 104;
/// How deep the container stands that is cut out.
const OUTSIDE: i16 = 112;

/// The characters' labels.
struct Ends {
    next: Label,
    none: Label,
    finish: Label,
}

impl Gen<'_> {
    /// An element of a JSON text, NULL when there is none.
    pub(super) fn emit_json(&mut self) {
        let (out, scan, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        let ends = Ends { next: self.asm.label(), none: self.asm.label(), finish: self.asm.label() };
        let strsize = self.plan.strsize as i32;
        self.enter_frame_five(&[Reg::R6, Reg::R8, Reg::R9], -16, out);
        self.string_at(Reg::R6, out);
        self.string_at(Reg::R8, out);
        self.string_at(Reg::R9, out);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, -16);
        self.asm.jump_if(Cond::Gt, Reg::R1, (self.plan.frame_bytes - WORK) as i32, out);
        self.alu(Alu::Add, Reg::R7, Reg::R1);
        for word in (0..WORK as i16).step_by(8) {
            self.emit(Insn::st(Size::DW, Reg::R7, word, i32::from(word == HIT)));
        }
        self.next_element(&ends);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, ends.none);
        self.asm.mov(Reg::R5, 0);
        self.asm.bind(scan);
        self.length(Reg::R1, Reg::R8);
        self.asm.jump_if(Cond::Ge, Reg::R5, Reg::R1, end);
        self.asm.mov(Reg::R1, Reg::R8);
        self.alu(Alu::Add, Reg::R1, Reg::R5);
        self.asm.load(Size::B, Reg::R0, Reg::R1, 8);
        let structure = self.asm.label();
        self.asm.load(Size::DW, Reg::R1, Reg::R7, STRING);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, structure);
        self.json_string(&ends);
        self.asm.bind(structure);
        self.json_structure(&ends);
        self.asm.bind(ends.next);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump_if(Cond::Lt, Reg::R5, strsize, scan);
        self.asm.bind(end);
        // A number may end with the text.
        self.asm.load(Size::DW, Reg::R1, Reg::R7, CUT);
        self.asm.jump_if(Cond::Ne, Reg::R1, 1, ends.none);
        // R5: where the value ends.
        self.asm.bind(ends.finish);
        self.asm.mov(Reg::R2, Reg::R5);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, START);
        // Through memory: one unknown number.
        self.asm.store(Size::DW, Reg::R7, CURSOR, Reg::R2);
        self.asm.load(Size::DW, Reg::R2, Reg::R7, CURSOR);
        self.copy_range(ends.none);
        self.asm.ret(0);
        self.asm.bind(ends.none);
        self.emit(Insn::st(Size::DW, Reg::R6, 0, -1));
        self.asm.bind(out);
        self.asm.ret(0);
    }

    /// A character (`R0`) within a string.
    fn json_string(&mut self, ends: &Ends) {
        let (plain, compare, differs, closed, other) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.load(Size::DW, Reg::R2, Reg::R7, ESCAPE);
        self.emit(Insn::st(Size::DW, Reg::R7, ESCAPE, 0));
        self.asm.jump_if(Cond::Ne, Reg::R2, 0, compare);
        self.asm.jump_if(Cond::Ne, Reg::R0, i32::from(b'\\'), plain);
        self.emit(Insn::st(Size::DW, Reg::R7, ESCAPE, 1));
        self.asm.jump(compare);
        self.asm.bind(plain);
        self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(b'"'), closed);
        self.asm.bind(compare);
        self.asm.jump_if(Cond::Ne, Reg::R1, 1, ends.next);
        self.selector_char(ends);
        for end in [b'.', b'[', b']'] {
            self.asm.jump_if(Cond::Eq, Reg::R2, i32::from(end), differs);
        }
        self.asm.jump_if(Cond::Ne, Reg::R2, Reg::R0, differs);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R7, CURSOR, Reg::R1);
        self.asm.jump(ends.next);
        self.asm.bind(differs);
        self.emit(Insn::st(Size::DW, Reg::R7, MATCH, 0));
        self.asm.jump(ends.next);

        self.asm.bind(closed);
        self.emit(Insn::st(Size::DW, Reg::R7, STRING, 0));
        self.asm.jump_if(Cond::Ne, Reg::R1, 1, other);
        // The key matches when the element ends here, too.
        self.selector_char(ends);
        for end in [0, b'.', b'['] {
            self.asm.jump_if(Cond::Eq, Reg::R2, i32::from(end), ends.next);
        }
        self.emit(Insn::st(Size::DW, Reg::R7, MATCH, 0));
        self.asm.jump(ends.next);
        self.asm.bind(other);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, CUT);
        self.asm.jump_if(Cond::Eq, Reg::R1, 2, ends.finish);
        self.asm.jump(ends.next);
    }

    /// `R1 = CURSOR`, `R2 =` the selector's character there.
    fn selector_char(&mut self, ends: &Ends) {
        self.asm.load(Size::DW, Reg::R1, Reg::R7, CURSOR);
        self.asm.jump_if(Cond::Ge, Reg::R1, self.plan.strsize as i32, ends.none);
        self.asm.mov(Reg::R2, Reg::R9);
        self.alu(Alu::Add, Reg::R2, Reg::R1);
        self.asm.load(Size::B, Reg::R2, Reg::R2, 8);
    }

    /// Moves from behind an element to the next one; `R2` is zero when there is none.
    fn next_element(&mut self, ends: &Ends) {
        let done = self.asm.label();
        for _ in 0..3 {
            let separator = self.asm.label();
            self.selector_char(ends);
            for char in [b'.', b'[', b']'] {
                self.asm.jump_if(Cond::Eq, Reg::R2, i32::from(char), separator);
            }
            self.asm.jump(done);
            self.asm.bind(separator);
            self.alu(Alu::Add, Reg::R1, 1);
            self.asm.store(Size::DW, Reg::R7, CURSOR, Reg::R1);
        }
        self.asm.bind(done);
        self.asm.store(Size::DW, Reg::R7, ELEMENT, Reg::R1);
    }

    /// A character (`R0`) outside of strings.
    fn json_structure(&mut self, ends: &Ends) {
        let (comma, colon, close, value, quote, open) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        let visible = self.asm.label();
        self.asm.load(Size::DW, Reg::R3, Reg::R7, CUT);
        self.asm.load(Size::DW, Reg::R4, Reg::R7, DEPTH);
        self.asm.jump_if(Cond::Gt, Reg::R0, i32::from(b' '), visible);
        self.asm.jump_if(Cond::Eq, Reg::R3, 1, ends.finish);
        self.asm.jump(ends.next);
        self.asm.bind(visible);
        self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(b','), comma);
        self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(b':'), colon);
        for char in [b'}', b']'] {
            self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(char), close);
        }
        let ordinary = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R3, 0, ordinary);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, HIT);
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, value);
        self.asm.bind(ordinary);
        self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(b'"'), quote);
        for char in [b'{', b'['] {
            self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(char), open);
        }
        self.asm.jump(ends.next);

        self.asm.bind(open);
        self.alu(Alu::Add, Reg::R4, 1);
        self.asm.store(Size::DW, Reg::R7, DEPTH, Reg::R4);
        self.asm.jump(ends.next);

        // A string: a key to compare, if one is due here.
        self.asm.bind(quote);
        let other = self.asm.label();
        self.emit(Insn::st(Size::DW, Reg::R7, STRING, 2));
        self.asm.jump_if(Cond::Ne, Reg::R3, 0, ends.next);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, KEY);
        self.asm.jump_if(Cond::Eq, Reg::R1, 0, other);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, LEVEL);
        self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R4, other);
        self.emit(Insn::st(Size::DW, Reg::R7, STRING, 1));
        self.emit(Insn::st(Size::DW, Reg::R7, KEY, 0));
        self.emit(Insn::st(Size::DW, Reg::R7, MATCH, 1));
        self.asm.load(Size::DW, Reg::R1, Reg::R7, ELEMENT);
        self.asm.store(Size::DW, Reg::R7, CURSOR, Reg::R1);
        self.asm.bind(other);
        self.asm.jump(ends.next);

        self.asm.bind(close);
        self.asm.jump_if(Cond::Eq, Reg::R3, 1, ends.finish);
        self.alu(Alu::Sub, Reg::R4, 1);
        self.asm.store(Size::DW, Reg::R7, DEPTH, Reg::R4);
        let within = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R3, 0, within);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, LEVEL);
        self.asm.jump_if(Cond::SLt, Reg::R4, Reg::R1, ends.none);
        self.asm.jump(ends.next);
        self.asm.bind(within);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, OUTSIDE);
        self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R4, ends.next);
        self.alu(Alu::Add, Reg::R5, 1);
        self.asm.jump(ends.finish);

        self.asm.bind(comma);
        self.asm.jump_if(Cond::Eq, Reg::R3, 1, ends.finish);
        self.asm.jump_if(Cond::Ne, Reg::R3, 0, ends.next);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, LEVEL);
        self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R4, ends.next);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, ARRAY);
        let element = self.asm.label();
        self.asm.jump_if(Cond::Ne, Reg::R1, 0, element);
        self.emit(Insn::st(Size::DW, Reg::R7, KEY, 1));
        self.emit(Insn::st(Size::DW, Reg::R7, HIT, 0));
        self.asm.jump(ends.next);
        self.asm.bind(element);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, INDEX);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R7, INDEX, Reg::R1);
        self.index_hit(ends);

        self.asm.bind(colon);
        self.asm.jump_if(Cond::Ne, Reg::R3, 0, ends.next);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, LEVEL);
        self.asm.jump_if(Cond::Ne, Reg::R1, Reg::R4, ends.next);
        self.asm.load(Size::DW, Reg::R1, Reg::R7, MATCH);
        self.asm.store(Size::DW, Reg::R7, HIT, Reg::R1);
        self.asm.jump(ends.next);

        self.asm.bind(value);
        self.json_value(ends);
    }

    /// `HIT =` is the element's index (`R1`) the wanted one?
    fn index_hit(&mut self, ends: &Ends) {
        let same = self.asm.label();
        self.asm.load(Size::DW, Reg::R2, Reg::R7, WANTED);
        self.asm.jump_if(Cond::Eq, Reg::R1, Reg::R2, same);
        self.emit(Insn::st(Size::DW, Reg::R7, HIT, 0));
        self.asm.jump(ends.next);
        self.asm.bind(same);
        self.emit(Insn::st(Size::DW, Reg::R7, HIT, 1));
        self.asm.jump(ends.next);
    }

    /// The first character (`R0`) of the value that the element names: the result, or the way to it. `R4` depth.
    fn json_value(&mut self, ends: &Ends) {
        let (lead, last, enter) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.emit(Insn::st(Size::DW, Reg::R7, HIT, 0));
        // The text itself is what the first element is looked for in.
        self.asm.jump_if(Cond::Eq, Reg::R4, 0, lead);
        self.next_element(ends);
        self.asm.jump_if(Cond::Eq, Reg::R2, 0, last);
        self.asm.bind(lead);
        for char in [b'{', b'['] {
            self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(char), enter);
        }
        self.asm.jump(ends.none);

        self.asm.bind(last);
        let (quote, container) = (self.asm.label(), self.asm.label());
        self.asm.store(Size::DW, Reg::R7, START, Reg::R5);
        self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(b'"'), quote);
        for char in [b'{', b'['] {
            self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(char), container);
        }
        self.emit(Insn::st(Size::DW, Reg::R7, CUT, 1));
        self.asm.jump(ends.next);
        self.asm.bind(quote);
        self.asm.mov(Reg::R1, Reg::R5);
        self.alu(Alu::Add, Reg::R1, 1);
        self.asm.store(Size::DW, Reg::R7, START, Reg::R1);
        self.emit(Insn::st(Size::DW, Reg::R7, CUT, 2));
        self.emit(Insn::st(Size::DW, Reg::R7, STRING, 2));
        self.asm.jump(ends.next);
        self.asm.bind(container);
        self.emit(Insn::st(Size::DW, Reg::R7, CUT, 3));
        self.asm.store(Size::DW, Reg::R7, OUTSIDE, Reg::R4);
        self.alu(Alu::Add, Reg::R4, 1);
        self.asm.store(Size::DW, Reg::R7, DEPTH, Reg::R4);
        self.asm.jump(ends.next);

        // A container that the selector leads into: its keys or indices are compared from here on.
        self.asm.bind(enter);
        let array = self.asm.label();
        self.alu(Alu::Add, Reg::R4, 1);
        self.asm.store(Size::DW, Reg::R7, DEPTH, Reg::R4);
        self.asm.store(Size::DW, Reg::R7, LEVEL, Reg::R4);
        self.asm.jump_if(Cond::Eq, Reg::R0, i32::from(b'['), array);
        self.emit(Insn::st(Size::DW, Reg::R7, ARRAY, 0));
        self.emit(Insn::st(Size::DW, Reg::R7, KEY, 1));
        self.asm.jump(ends.next);
        self.asm.bind(array);
        self.emit(Insn::st(Size::DW, Reg::R7, ARRAY, 1));
        self.emit(Insn::st(Size::DW, Reg::R7, INDEX, 0));
        self.emit(Insn::st(Size::DW, Reg::R7, KEY, 0));
        self.wanted_index(ends);
        self.asm.mov(Reg::R1, 0);
        self.index_hit(ends);
    }

    /// `WANTED =` the number that the element is; there is nothing when it is none.
    fn wanted_index(&mut self, ends: &Ends) {
        let done = self.asm.label();
        self.asm.load(Size::DW, Reg::R1, Reg::R7, ELEMENT);
        self.asm.store(Size::DW, Reg::R7, CURSOR, Reg::R1);
        self.emit(Insn::st(Size::DW, Reg::R7, WANTED, 0));
        for digit in 0..6 {
            let stop = if digit == 0 { ends.none } else { done };
            self.selector_char(ends);
            self.asm.jump_if(Cond::Lt, Reg::R2, i32::from(b'0'), stop);
            self.asm.jump_if(Cond::Gt, Reg::R2, i32::from(b'9'), stop);
            self.alu(Alu::Sub, Reg::R2, i32::from(b'0'));
            self.alu(Alu::Add, Reg::R1, 1);
            self.asm.store(Size::DW, Reg::R7, CURSOR, Reg::R1);
            self.asm.load(Size::DW, Reg::R3, Reg::R7, WANTED);
            self.alu(Alu::Mul, Reg::R3, 10);
            self.alu(Alu::Add, Reg::R3, Reg::R2);
            self.asm.store(Size::DW, Reg::R7, WANTED, Reg::R3);
        }
        self.asm.bind(done);
    }
}
