//! The operands of USDT arguments, as the assembler wrote them into the note.
//!
//! `-4@12(%rbx) 8@$0x10 4@NBuffers(%rip)`: size in bytes (negative: signed, `f`: floating), `@`, then an operand in
//! the assembler's syntax. One probe's sites may differ, so operands belong to a site.
//! Grammar: <https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>.

use super::elf::Machine;
use std::fmt;

/// A machine register, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reg {
    /// Offset in bytes in the kernel's `struct pt_regs` (aarch64: `struct user_pt_regs`).
    pub pt_regs: u16,
    /// Bytes of it that are meant: 1, 2, 4 or 8.
    pub width: u8,
    /// How far to shift right first: 8 for `%ah`, otherwise 0.
    pub shift: u8,
}

/// Where an argument's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    Register(Reg),
    /// The memory at `base + index * scale + disp`, plus the file's load bias when `relative`
    /// (then `disp` is a virtual address of the file).
    Memory {
        base: Option<Reg>,
        index: Option<(Reg, u8)>,
        disp: i64,
        relative: bool,
    },
    /// The number itself, plus the load bias when `relative` (a symbol's address).
    Constant {
        value: i64,
        relative: bool,
    },
}

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArgOperand {
    /// Bytes: 1, 2, 4 or 8.
    pub size: u8,
    pub signed: bool,
    pub float: bool,
    pub place: Operand,
}

/// Why an operand is not usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgError {
    /// It is not understood.
    Syntax { operand: String },
    /// A register that probes cannot read.
    Register { operand: String, register: String },
    /// A symbol that is not in the file's tables.
    Symbol { operand: String, symbol: String },
    /// The instruction set is not known.
    Machine { operand: String },
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArgError::Syntax { operand } => write!(f, "argument operand `{operand}` is not understood"),
            ArgError::Register { operand, register } => {
                write!(f, "argument operand `{operand}`: register {register} cannot be read by a probe")
            }
            ArgError::Symbol { operand, symbol } => {
                write!(f, "argument operand `{operand}`: no symbol {symbol} in the file")
            }
            ArgError::Machine { operand } => {
                write!(f, "argument operand `{operand}`: the file's instruction set is not supported")
            }
        }
    }
}

impl std::error::Error for ArgError {}

/// Splits a note's argument string: at spaces, except within `[..]` (aarch64: `8@[sp, 16]`).
pub fn split(args: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut depth) = (None, 0u32);
    for (i, c) in args.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c.is_ascii_whitespace() && depth == 0 {
            if let Some(s) = start.take() {
                out.extend(args.get(s..i));
            }
        } else if start.is_none() {
            start = Some(i);
        }
    }
    out.extend(start.and_then(|s| args.get(s..)));
    out
}

/// Parses one operand. `symbol` gives the virtual address of a symbol of the file.
pub fn parse(
    machine: Machine,
    text: &str,
    symbol: &dyn Fn(&str) -> Option<u64>,
) -> Result<ArgOperand, ArgError> {
    let p = Parser { machine, text, symbol };
    let (size, rest) = match text.split_once('@') {
        Some((size, rest)) if size.bytes().all(|c| c.is_ascii_digit() || c == b'-' || c == b'f') => {
            (Some(size), rest)
        }
        _ => (None, text),
    };
    let place = match machine {
        Machine::X86_64 => p.x86(rest.trim())?,
        Machine::Aarch64 => p.aarch64(rest.trim())?,
        Machine::Other(_) => return Err(ArgError::Machine { operand: text.to_owned() }),
    };
    let Some(size) = size else {
        // No size was written: the register's own width, else a word; unsigned, as gdb has it.
        let size = if let Operand::Register(r) = place { r.width } else { 8 };
        return Ok(ArgOperand { size, signed: false, float: false, place });
    };
    let (digits, float) = size.strip_suffix('f').map_or((size, false), |s| (s, true));
    let (digits, signed) = digits.strip_prefix('-').map_or((digits, false), |s| (s, true));
    match digits {
        "1" | "2" | "4" | "8" => {
            let size = digits.bytes().next().map_or(8, |c| c - b'0');
            Ok(ArgOperand { size, signed, float, place })
        }
        _ => Err(p.syntax()),
    }
}

struct Parser<'a> {
    machine: Machine,
    text: &'a str,
    symbol: &'a dyn Fn(&str) -> Option<u64>,
}

impl Parser<'_> {
    fn syntax(&self) -> ArgError {
        ArgError::Syntax { operand: self.text.to_owned() }
    }

    fn register(&self, name: &str) -> Result<Reg, ArgError> {
        let name = name.trim();
        let found = match self.machine {
            Machine::X86_64 => name.strip_prefix('%').and_then(x86_register),
            _ => aarch64_register(name),
        };
        let refused = || ArgError::Register { operand: self.text.to_owned(), register: name.to_owned() };
        found.ok_or_else(|| if name.is_empty() { self.syntax() } else { refused() })
    }

    fn x86(&self, s: &str) -> Result<Operand, ArgError> {
        if let Some(constant) = s.strip_prefix('$') {
            let (value, relative) = self.expression(constant)?;
            return Ok(Operand::Constant { value, relative });
        }
        if s.starts_with('%') && !s.contains(':') {
            return Ok(Operand::Register(self.register(s)?));
        }
        let Some((disp, inner)) = s.split_once('(') else {
            let (disp, relative) = self.expression(s)?;
            return Ok(Operand::Memory { base: None, index: None, disp, relative });
        };
        let inner = inner.strip_suffix(')').ok_or_else(|| self.syntax())?;
        let (disp, relative) = if disp.is_empty() { (0, false) } else { self.expression(disp)? };
        let mut parts = inner.split(',').map(str::trim);
        let base = parts.next().unwrap_or_default();
        let index = parts.next().unwrap_or_default();
        let scale = match parts.next() {
            None | Some("" | "1") => 1,
            Some("2") => 2,
            Some("4") => 4,
            Some("8") => 8,
            Some(_) => return Err(self.syntax()),
        };
        if parts.next().is_some() {
            return Err(self.syntax());
        }
        if base == "%rip" {
            // `symbol(%rip)` is the assembler's way of writing the symbol itself. A bare number there would
            // count from an instruction that does not exist.
            return if relative && index.is_empty() {
                Ok(Operand::Memory { base: None, index: None, disp, relative })
            } else {
                Err(self.syntax())
            };
        }
        let base = if base.is_empty() { None } else { Some(self.register(base)?) };
        let index = if index.is_empty() { None } else { Some((self.register(index)?, scale)) };
        if base.is_none() && index.is_none() {
            return Err(self.syntax());
        }
        // Addresses are whole registers.
        if base.is_some_and(|r| r.width != 8) || index.is_some_and(|(r, _)| r.width != 8) {
            return Err(self.syntax());
        }
        Ok(Operand::Memory { base, index, disp, relative })
    }

    fn aarch64(&self, s: &str) -> Result<Operand, ArgError> {
        if let Some(inner) = s.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            let (base, disp) = inner.split_once(',').unwrap_or((inner, ""));
            let base = Some(self.register(base)?);
            let disp = disp.trim();
            if disp.is_empty() {
                return Ok(Operand::Memory { base, index: None, disp: 0, relative: false });
            }
            let number = disp.strip_prefix('#').unwrap_or(disp);
            return match number_of(number) {
                Some(disp) => Ok(Operand::Memory { base, index: None, disp, relative: false }),
                None => {
                    let (index, shift) = number.split_once(',').unwrap_or((number, "lsl 0"));
                    let scale = shift.trim().trim_start_matches("lsl").trim().trim_start_matches('#');
                    let scale = scale.parse::<u8>().ok().filter(|s| *s <= 3).ok_or_else(|| self.syntax())?;
                    let index = Some((self.register(index)?, 1 << scale));
                    Ok(Operand::Memory { base, index, disp: 0, relative: false })
                }
            };
        }
        let number = s.strip_prefix('#').unwrap_or(s);
        if let Some(value) = number_of(number) {
            return Ok(Operand::Constant { value, relative: false });
        }
        if let Some(reg) = aarch64_register(s) {
            return Ok(Operand::Register(reg));
        }
        let looks_like_register = s.len() <= 3
            && s.get(1..).is_some_and(|d| !d.is_empty() && d.bytes().all(|c| c.is_ascii_digit()));
        if looks_like_register {
            return Err(ArgError::Register { operand: self.text.to_owned(), register: s.to_owned() });
        }
        let (disp, relative) = self.expression(s)?;
        Ok(Operand::Memory { base: None, index: None, disp, relative })
    }

    /// A sum of numbers and at most one symbol: `40+CheckpointStats`, `sym-8`, `-0x10`.
    fn expression(&self, s: &str) -> Result<(i64, bool), ArgError> {
        let (mut sum, mut relative, mut terms) = (0i64, false, 0);
        let mut rest = s.trim().trim_start_matches('(').trim_end_matches(')');
        while !rest.is_empty() {
            let (negative, term) = match rest.strip_prefix('-') {
                Some(r) => (true, r),
                None => (false, rest.strip_prefix('+').unwrap_or(rest)),
            };
            let end = term.find(['+', '-']).unwrap_or(term.len());
            let (this, next) =
                (term.get(..end).unwrap_or_default().trim(), term.get(end..).unwrap_or_default());
            rest = next;
            terms += 1;
            let value = match number_of(this) {
                Some(v) => v,
                None => {
                    let name = is_symbol(this) && !relative && !negative;
                    if !name {
                        return Err(self.syntax());
                    }
                    relative = true;
                    let at = (self.symbol)(this).ok_or_else(|| ArgError::Symbol {
                        operand: self.text.to_owned(),
                        symbol: this.to_owned(),
                    })?;
                    at.cast_signed()
                }
            };
            sum = if negative { sum.wrapping_sub(value) } else { sum.wrapping_add(value) };
        }
        if terms == 0 { Err(self.syntax()) } else { Ok((sum, relative)) }
    }
}

fn is_symbol(s: &str) -> bool {
    let ok = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'$') || c >= 0x80;
    !s.is_empty() && s.bytes().all(ok) && !s.starts_with(|c: char| c.is_ascii_digit())
}

/// A decimal, `0x` or octal number with an optional sign; 64 bits, unsigned ones wrap to negative.
fn number_of(s: &str) -> Option<i64> {
    let (negative, digits) = s.strip_prefix('-').map_or((false, s), |d| (true, d));
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+'))?
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8).ok()?
    } else if digits.bytes().all(|c| c.is_ascii_digit()) {
        digits.parse().ok()?
    } else {
        return None;
    };
    let value = value.cast_signed();
    Some(if negative { value.wrapping_neg() } else { value })
}

/// x86-64: name of the whole register, of its 32, 16, 8 bits, of bits 8-15, and its offset in `pt_regs`
/// (arch/x86/include/asm/ptrace.h).
const X86: [(&str, &str, &str, &str, &str, u16); 9] = [
    ("rax", "eax", "ax", "al", "ah", 80),
    ("rbx", "ebx", "bx", "bl", "bh", 40),
    ("rcx", "ecx", "cx", "cl", "ch", 88),
    ("rdx", "edx", "dx", "dl", "dh", 96),
    ("rsi", "esi", "si", "sil", "", 104),
    ("rdi", "edi", "di", "dil", "", 112),
    ("rbp", "ebp", "bp", "bpl", "", 32),
    ("rsp", "esp", "sp", "spl", "", 152),
    ("rip", "eip", "ip", "", "", 128),
];

/// Offsets of r8 to r15 in `pt_regs`.
const X86_NUMBERED: [u16; 8] = [72, 64, 56, 48, 24, 16, 8, 0];

fn x86_register(name: &str) -> Option<Reg> {
    if name.is_empty() {
        return None;
    }
    for (r64, r32, r16, r8, high, pt_regs) in X86 {
        for (alias, width, shift) in [(r64, 8, 0), (r32, 4, 0), (r16, 2, 0), (r8, 1, 0), (high, 1, 8)] {
            if name == alias {
                return Some(Reg { pt_regs, width, shift });
            }
        }
    }
    let digits = name.strip_prefix('r')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number: usize = digits.get(..end)?.parse().ok()?;
    let pt_regs = *X86_NUMBERED.get(number.checked_sub(8)?)?;
    let width = match digits.get(end..)? {
        "" => 8,
        "d" => 4,
        "w" => 2,
        "b" | "l" => 1,
        _ => return None,
    };
    Some(Reg { pt_regs, width, shift: 0 })
}

/// aarch64: x0-x30 and w0-w30 at 8 bytes each, then sp (arch/arm64/include/uapi/asm/ptrace.h).
fn aarch64_register(name: &str) -> Option<Reg> {
    let reg = |n: u16, width| Some(Reg { pt_regs: n * 8, width, shift: 0 });
    match name {
        "sp" => return reg(31, 8),
        "wsp" => return reg(31, 4),
        "fp" => return reg(29, 8),
        "lr" => return reg(30, 8),
        _ => {}
    }
    let width = match name.as_bytes().first()? {
        b'x' => 8,
        b'w' => 4,
        _ => return None,
    };
    let number = name.get(1..)?.parse::<u16>().ok().filter(|n| *n <= 30)?;
    reg(number, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x86(text: &str) -> Result<ArgOperand, ArgError> {
        parse(Machine::X86_64, text, &|s| (s == "NBuffers" || s == "a.b").then_some(0x1000))
    }

    fn mem(base: Option<u16>, index: Option<(u16, u8)>, disp: i64, relative: bool) -> Operand {
        let whole = |pt_regs| Reg { pt_regs, width: 8, shift: 0 };
        Operand::Memory { base: base.map(whole), index: index.map(|(r, s)| (whole(r), s)), disp, relative }
    }

    #[test]
    fn x86_operands() {
        let reg = |pt_regs, width, shift| Operand::Register(Reg { pt_regs, width, shift });
        for (text, size, signed, place) in [
            ("8@%rbx", 8, false, reg(40, 8, 0)),
            ("-4@%r14d", 4, true, reg(8, 4, 0)),
            ("1@%dil", 1, false, reg(112, 1, 0)),
            ("1@%ah", 1, false, reg(80, 1, 8)),
            ("2@%r8w", 2, false, reg(72, 2, 0)),
            ("%eax", 4, false, reg(80, 4, 0)),
            ("-4@12(%rbx)", 4, true, mem(Some(40), None, 12, false)),
            ("8@-144(%rbp)", 8, false, mem(Some(32), None, -144, false)),
            ("4@(%r12)", 4, false, mem(Some(24), None, 0, false)),
            ("8@-8(%rsp,%rax,8)", 8, false, mem(Some(152), Some((80, 8)), -8, false)),
            ("8@0x10(,%rax,4)", 8, false, mem(None, Some((80, 4)), 16, false)),
            ("-4@NBuffers(%rip)", 4, true, mem(None, None, 0x1000, true)),
            ("-4@40+NBuffers(%rip)", 4, true, mem(None, None, 0x1028, true)),
            ("4@NBuffers-8(%rip)", 4, false, mem(None, None, 0xff8, true)),
            ("4@a.b", 4, false, mem(None, None, 0x1000, true)),
            ("4@0x601040", 4, false, mem(None, None, 0x601040, false)),
            ("-4@$-5", 4, true, Operand::Constant { value: -5, relative: false }),
            ("8@$0x10", 8, false, Operand::Constant { value: 16, relative: false }),
            ("8@$0xffffffffffffffff", 8, false, Operand::Constant { value: -1, relative: false }),
            ("8@$NBuffers", 8, false, Operand::Constant { value: 0x1000, relative: true }),
        ] {
            assert_eq!(x86(text), Ok(ArgOperand { size, signed, float: false, place }), "{text}");
        }
        assert!(x86("4f@8(%rbp)").is_ok_and(|a| a.float && a.size == 4));
    }

    #[test]
    fn x86_refusals() {
        assert!(matches!(x86("8f@%xmm0"), Err(ArgError::Register { register, .. }) if register == "%xmm0"));
        assert!(matches!(x86("4@nosuch(%rip)"), Err(ArgError::Symbol { symbol, .. }) if symbol == "nosuch"));
        for text in [
            "",
            "4@",
            "3@%eax",
            "4@8(%rip)",
            "4@()",
            "4@8(%rax",
            "4@8(%rax,%rbx,3)",
            "8@x@GOTPCREL(%rip)",
            "4@8(%eax)",
            "4@$",
            "4@--",
            "4@+",
            "4@%",
            "4@(,,)",
            "8@%fs:0x10",
        ] {
            assert!(x86(text).is_err(), "{text}");
        }
    }

    #[test]
    fn aarch64_operands() {
        let one = |t| parse(Machine::Aarch64, t, &|_| None);
        let place = |t| one(t).map(|a| a.place);
        assert_eq!(split("-4@[sp, 60] 8@x0  4@w3"), ["-4@[sp, 60]", "8@x0", "4@w3"]);
        assert_eq!(place("-4@[sp, 60]"), Ok(mem(Some(248), None, 60, false)));
        assert_eq!(place("8@[x0, #-16]"), Ok(mem(Some(0), None, -16, false)));
        assert_eq!(place("8@[x1]"), Ok(mem(Some(8), None, 0, false)));
        assert_eq!(place("8@[x1, x2, lsl 3]"), Ok(mem(Some(8), Some((16, 8)), 0, false)));
        assert_eq!(place("4@w3"), Ok(Operand::Register(Reg { pt_regs: 24, width: 4, shift: 0 })));
        assert_eq!(place("-4@5"), Ok(Operand::Constant { value: 5, relative: false }));
        assert_eq!(place("8@sp"), Ok(Operand::Register(Reg { pt_regs: 248, width: 8, shift: 0 })));
        assert!(matches!(one("8f@d0"), Err(ArgError::Register { .. })));
        assert!(one("8@[x99]").is_err());
    }

    #[test]
    fn spaces_split() {
        assert_eq!(split(""), Vec::<&str>::new());
        assert_eq!(split(" 8@%rdi\t-4@$0 "), ["8@%rdi", "-4@$0"]);
    }
}
