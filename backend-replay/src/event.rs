//! What a probe's firing hands to the interpreter: everything a script can read.
//!
//! One value is reused for all events of a run: texts and memory lie in one
//! buffer, so that filling it allocates nothing once it has grown.

use duotrace_core::ir::{Builtin, Space};
use duotrace_core::probe::ProbeId;
use std::ops::Range;

/// Number of built-in variables.
const BUILTINS: usize = Builtin::CpuChip as usize + 1;

/// Arguments that have a place of their own: hardly a probe has more.
const ARGS: usize = 16;

/// A piece of memory that the firing could read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Region {
    space: Space,
    address: u64,
    /// Its contents in the event's buffer; `None`: reading there failed.
    data: Option<Range<u32>>,
}

/// What reading memory gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// The bytes from the address on to the end of the known region.
    Known(&'a [u8]),
    /// Reading failed when the event happened.
    Faulted,
    /// Nobody knows.
    Unknown,
}

/// The value of a variable: a number, or a string that may be NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadValue<'a> {
    Number(u64),
    Text(Option<&'a [u8]>),
}

#[derive(Clone, Debug)]
enum Kept {
    Number(u64),
    Text(Range<u32>),
    Null,
}

/// One firing.
#[derive(Clone, Debug)]
pub struct Event {
    pub probe: ProbeId,
    /// Nanoseconds, monotonic.
    pub time: u64,
    pub cpu: u32,
    pub pid: u32,
    pub tid: u32,
    /// Is everything that is not here known to be zero, empty, or a bad address? So it is with
    /// events made by hand; a recording only has what its script read.
    pub complete: bool,
    /// Built-in variables: a number, or where in `data` a string begins and ends.
    builtins: [u64; BUILTINS],
    /// Bit n: variable n is known, as a number or as a string.
    numbers: u64,
    texts: u64,
    args: [u64; ARGS],
    /// Bit n: argument n is known.
    known_args: u32,
    /// Arguments that have no place there.
    more_args: Vec<(u32, u64)>,
    registers: Vec<(u32, u64)>,
    memory: Vec<Region>,
    /// Frames innermost first: kernel, user.
    stacks: [Vec<u64>; 2],
    known_stacks: [bool; 2],
    /// Answers of subroutines that ask the system (`rand`, `progenyof`), in the order they were asked.
    answers: Vec<u64>,
    next_answer: usize,
    /// Those that are strings (`d_path`).
    text_answers: Vec<Kept>,
    next_text_answer: usize,
    /// Values of variables that the script read, in that order; see [`Event::push_read`].
    reads: Vec<Kept>,
    next_read: usize,
    data: Vec<u8>,
}

impl Default for Event {
    fn default() -> Event {
        Event {
            probe: ProbeId(0),
            time: 0,
            cpu: 0,
            pid: 0,
            tid: 0,
            complete: false,
            builtins: [0; BUILTINS],
            numbers: 0,
            texts: 0,
            args: [0; ARGS],
            known_args: 0,
            more_args: Vec::new(),
            registers: Vec::new(),
            memory: Vec::new(),
            stacks: [Vec::new(), Vec::new()],
            known_stacks: [false; 2],
            answers: Vec::new(),
            next_answer: 0,
            text_answers: Vec::new(),
            next_text_answer: 0,
            reads: Vec::new(),
            next_read: 0,
            data: Vec::new(),
        }
    }
}

impl Event {
    /// An event of a probe with nothing known but what is set later; all else is zero, not missing.
    pub fn complete(probe: ProbeId) -> Event {
        Event { probe, complete: true, ..Event::default() }
    }

    /// Forgets everything but keeps the memory it took.
    pub fn clear(&mut self) {
        (self.numbers, self.texts, self.known_args) = (0, 0, 0);
        self.known_stacks = [false; 2];
        self.more_args.clear();
        self.registers.clear();
        self.memory.clear();
        self.answers.clear();
        self.next_answer = 0;
        self.text_answers.clear();
        self.next_text_answer = 0;
        self.reads.clear();
        self.next_read = 0;
        self.data.clear();
        (self.probe, self.time, self.cpu, self.pid, self.tid) = (ProbeId(0), 0, 0, 0, 0);
        self.complete = false;
    }

    /// Sets a built-in variable that is a number.
    #[inline]
    pub fn set_number(&mut self, builtin: Builtin, value: u64) {
        self.builtins[builtin as usize] = value;
        self.numbers |= 1 << builtin as u32;
        self.texts &= !(1 << builtin as u32);
    }

    /// A built-in variable that is a number, if it is known.
    #[inline]
    pub fn number(&self, builtin: Builtin) -> Option<u64> {
        match builtin {
            Builtin::Pid => return Some(u64::from(self.pid)),
            Builtin::Tid => return Some(u64::from(self.tid)),
            Builtin::Cpu => return Some(u64::from(self.cpu)),
            Builtin::Timestamp => return Some(self.time),
            _ => {}
        }
        if self.numbers >> builtin as u32 & 1 == 0 {
            return self.complete.then_some(0);
        }
        Some(self.builtins[builtin as usize])
    }

    /// Sets a built-in variable that is a string.
    #[inline]
    pub fn set_text(&mut self, builtin: Builtin, text: &[u8]) {
        let range = self.keep(text);
        self.builtins[builtin as usize] = u64::from(range.start) | u64::from(range.end) << 32;
        self.texts |= 1 << builtin as u32;
        self.numbers &= !(1 << builtin as u32);
    }

    /// A built-in variable that is a string, if it is known.
    pub fn text(&self, builtin: Builtin) -> Option<&[u8]> {
        self.own_text(builtin).or_else(|| self.complete.then_some(&[]))
    }

    /// A built-in string that was set for this event, even if it is complete without.
    #[inline]
    pub fn own_text(&self, builtin: Builtin) -> Option<&[u8]> {
        let place = self.builtins[builtin as usize];
        (self.texts >> builtin as u32 & 1 == 1).then(|| self.slice(&(place as u32..(place >> 32) as u32)))
    }

    /// Sets `argN`.
    #[inline]
    pub fn set_arg(&mut self, index: u32, value: u64) {
        match self.args.get_mut(index as usize) {
            Some(slot) => {
                *slot = value;
                self.known_args |= 1 << index;
            }
            None => self.more_args.push((index, value)),
        }
    }

    /// `argN`, if it is known.
    pub fn arg(&self, index: u32) -> Option<u64> {
        let known = match self.args.get(index as usize) {
            Some(value) => (self.known_args >> index & 1 == 1).then_some(*value),
            None => self.more_args.iter().rev().find(|(n, _)| *n == index).map(|(_, value)| *value),
        };
        if known.is_none() && self.complete { Some(0) } else { known }
    }

    /// Sets `uregs[n]`.
    pub fn set_register(&mut self, index: u32, value: u64) {
        self.registers.push((index, value));
    }

    /// `uregs[n]`, if it is known.
    pub fn register(&self, index: u32) -> Option<u64> {
        let known = self.registers.iter().find(|(n, _)| *n == index).map(|(_, value)| *value);
        if known.is_none() && self.complete { Some(0) } else { known }
    }

    /// Notes what lies at an address; `None`: reading there failed.
    pub fn add_memory(&mut self, space: Space, address: u64, bytes: Option<&[u8]>) {
        let data = bytes.map(|bytes| self.keep(bytes));
        self.memory.push(Region { space, address, data });
    }

    /// The same of a string and the NUL behind it.
    pub(crate) fn add_string(&mut self, space: Space, address: u64, text: &[u8]) {
        let mut range = self.keep(text);
        self.data.push(0);
        range.end += 1;
        self.memory.push(Region { space, address, data: Some(range) });
    }

    /// What is known of the memory at an address: the region that reaches furthest.
    pub fn read(&self, space: Space, address: u64) -> Read<'_> {
        let mut best: &[u8] = &[];
        let (mut known, mut faulted) = (false, false);
        for region in self.memory.iter().filter(|region| region.space == space) {
            let Some(distance) = address.checked_sub(region.address) else { continue };
            match &region.data {
                None => faulted |= distance == 0,
                Some(range) => {
                    let bytes = self.slice(range);
                    let rest = usize::try_from(distance).ok().and_then(|distance| bytes.get(distance..));
                    if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
                        known = true;
                        if rest.len() > best.len() {
                            best = rest;
                        }
                    }
                }
            }
        }
        match (known, faulted || self.complete) {
            (true, _) => Read::Known(best),
            (false, true) => Read::Faulted,
            (false, false) => Read::Unknown,
        }
    }

    /// The memory that is known, in the order it was read; without bytes where reading failed.
    pub fn regions(&self) -> impl Iterator<Item = (Space, u64, Option<&[u8]>)> {
        self.memory
            .iter()
            .map(|region| (region.space, region.address, region.data.as_ref().map(|data| self.slice(data))))
    }

    /// All answers of the system.
    pub fn answers(&self) -> &[u64] {
        &self.answers
    }

    /// Sets the kernel's or the process' stack, innermost frame first.
    pub fn set_stack(&mut self, user: bool, frames: &[u64]) {
        self.new_stack(user).extend_from_slice(frames);
    }

    /// The kernel's or the process' stack, now known and empty, to be filled.
    pub(crate) fn new_stack(&mut self, user: bool) -> &mut Vec<u64> {
        self.known_stacks[usize::from(user)] = true;
        let frames = &mut self.stacks[usize::from(user)];
        frames.clear();
        frames
    }

    /// A stack, if it is known.
    pub fn stack(&self, user: bool) -> Option<&[u64]> {
        match self.known_stacks[usize::from(user)] {
            true => Some(&self.stacks[usize::from(user)]),
            false => self.complete.then_some(&[]),
        }
    }

    /// Adds an answer of the system.
    pub fn push_answer(&mut self, value: u64) {
        self.answers.push(value);
    }

    /// The next answer of the system.
    pub fn answer(&mut self) -> Option<u64> {
        let answer = self.answers.get(self.next_answer).copied();
        self.next_answer += 1;
        if answer.is_none() && self.complete { Some(0) } else { answer }
    }

    /// Adds an answer of the system that is a string, or NULL.
    pub fn push_text_answer(&mut self, text: Option<&[u8]>) {
        let kept = text.map_or(Kept::Null, |text| Kept::Text(self.keep(text)));
        self.text_answers.push(kept);
    }

    /// All answers of the system that are strings.
    pub fn text_answers(&self) -> impl ExactSizeIterator<Item = Option<&[u8]>> {
        self.text_answers.iter().map(|kept| self.kept_text(kept))
    }

    /// The next of them.
    pub(crate) fn text_answer(&mut self) -> Option<Option<&[u8]>> {
        let at = self.next_text_answer;
        self.next_text_answer += 1;
        self.text_answers.get(at).map(|kept| self.kept_text(kept))
    }

    fn kept_text(&self, kept: &Kept) -> Option<&[u8]> {
        match kept {
            Kept::Text(range) => Some(self.slice(range)),
            Kept::Number(_) | Kept::Null => None,
        }
    }

    /// Adds the value that a variable had when this firing read it. A probe that interrupts others finds their variables
    /// in the midst of a change, which no order of whole firings can give back.
    pub fn push_read(&mut self, value: ReadValue<'_>) {
        let kept = match value {
            ReadValue::Number(number) => Kept::Number(number),
            ReadValue::Text(Some(text)) => Kept::Text(self.keep(text)),
            ReadValue::Text(None) => Kept::Null,
        };
        self.reads.push(kept);
    }

    /// The values of variables that were read.
    pub fn reads(&self) -> impl ExactSizeIterator<Item = ReadValue<'_>> {
        self.reads.iter().map(|kept| self.read_value(kept))
    }

    /// The next of them.
    pub(crate) fn next_read(&mut self) -> Option<ReadValue<'_>> {
        let at = self.next_read;
        self.next_read += 1;
        self.reads.get(at).map(|kept| self.read_value(kept))
    }

    fn read_value(&self, kept: &Kept) -> ReadValue<'_> {
        match kept {
            Kept::Number(number) => ReadValue::Number(*number),
            Kept::Text(range) => ReadValue::Text(Some(self.slice(range))),
            Kept::Null => ReadValue::Text(None),
        }
    }

    /// Bytes of its texts and memory.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len()
    }

    #[inline]
    fn keep(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        start..self.data.len() as u32
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        self.data.get(range.start as usize..range.end as usize).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_recorded_is_unknown() {
        let mut event = Event::default();
        assert_eq!((event.arg(0), event.number(Builtin::Uid)), (None, None));
        event.set_arg(2, 7);
        event.set_number(Builtin::Uid, 0);
        assert_eq!((event.arg(0), event.arg(2), event.number(Builtin::Uid)), (None, Some(7), Some(0)));
        event.clear();
        assert_eq!((event.arg(2), event.number(Builtin::Uid)), (None, None));
    }

    #[test]
    fn every_builtin_has_a_place() {
        use duotrace_core::builtins::variables::{Source, VARIABLES};
        for row in VARIABLES {
            if let Source::Builtin(builtin) = row.source {
                assert!((builtin as usize) < BUILTINS.min(u64::BITS as usize), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_builtin_is_a_number_or_a_string() {
        let mut event = Event::default();
        event.set_text(Builtin::Execname, b"sh");
        event.set_text(Builtin::Cwd, b"/tmp");
        assert_eq!(
            (event.text(Builtin::Execname), event.number(Builtin::Execname)),
            (Some(&b"sh"[..]), None)
        );
        event.set_number(Builtin::Execname, 7);
        assert_eq!((event.text(Builtin::Execname), event.text(Builtin::Cwd)), (None, Some(&b"/tmp"[..])));
    }

    #[test]
    fn arguments_beyond_those_that_probes_have() {
        let mut event = Event::default();
        (0..40).for_each(|n| event.set_arg(n, u64::from(n) * 3));
        event.set_arg(33, 1);
        assert_eq!(
            (event.arg(15), event.arg(16), event.arg(33), event.arg(40)),
            (Some(45), Some(48), Some(1), None)
        );
    }

    #[test]
    fn memory_is_found_from_any_byte_of_a_region() {
        let mut event = Event::default();
        event.add_memory(Space::User, 0x1000, Some(b"hello\0"));
        event.add_memory(Space::User, 0x2000, None);
        assert_eq!(event.read(Space::User, 0x1002), Read::Known(b"llo\0"));
        assert_eq!(event.read(Space::User, 0x1006), Read::Unknown);
        assert_eq!(event.read(Space::Any, 0x1000), Read::Unknown);
        assert_eq!(event.read(Space::User, 0x2000), Read::Faulted);
    }
}
