//! What a record holds once decoded: values, and how addresses get names.
//!
//! A backend turns raw buffers into [`Value`]s; everything above (keys of
//! aggregations, `printf` arguments, `trace` fields) works on them alone, so
//! that two backends cannot come to mean different things by the same bytes.

use std::cmp::Ordering;

/// One field of a record, or one part of an aggregation's key tuple.
///
/// `Ord` is the order in which dtrace sorts keys: integers as *unsigned* numbers
/// whatever their type (illumos and Oracle have a test, tst.signedkeys, that
/// keeps it so), strings and byte arrays bytewise, stacks frame by frame. Values
/// of different kinds (which one key position never mixes) are ordered by kind,
/// so that the order is total.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// An integer, an enumeration or a pointer.
    Int {
        /// The value, already sign- or zero-extended from its width to 64 bits.
        raw: u64,
        /// Width of the D type: 1, 2, 4 or 8.
        bytes: u8,
        /// Does the D type have a sign?
        signed: bool,
    },
    /// A string: the bytes up to (not with) the NUL; not always UTF-8.
    Str(Vec<u8>),
    /// A structure, a union, an array or `tracemem` data.
    Bytes(Vec<u8>),
    /// `stack()`: kernel program counters, innermost first.
    KStack(Vec<u64>),
    /// `ustack()` and `jstack()`.
    UStack(Box<UserStack>),
    /// An address that is printed by name.
    Sym(SymValue),
}

/// A user-land stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserStack {
    /// The process whose address space the frames lie in.
    pub pid: u32,
    /// Program counters, innermost first.
    pub frames: Vec<u64>,
    /// Names that an `ustack` helper gave, one per frame (empty: no name for that
    /// frame); shorter than `frames`, or empty, where there was no helper.
    pub helper: Vec<Vec<u8>>,
}

/// What `sym()`, `mod()`, `usym()`, … recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymValue {
    /// Which function recorded it; decides what is printed.
    pub kind: SymKind,
    /// The process, for the user-land kinds; 0 for kernel addresses.
    pub pid: u32,
    /// The address.
    pub addr: u64,
}

/// The functions that record an address to be printed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SymKind {
    /// `sym()`, `func()`: ``module`function`` of the kernel.
    Sym,
    /// `mod()`: a kernel module.
    Mod,
    /// `usym()`, `ufunc()`: ``object`function`` of a process.
    Usym,
    /// `umod()`: an object of a process.
    Umod,
    /// `uaddr()`: ``object`function+offset`` of a process.
    Uaddr,
}

impl Value {
    /// A signed 64-bit integer, D's `int64_t`.
    pub fn int(value: i64) -> Value {
        Value::Int { raw: value as u64, bytes: 8, signed: true }
    }

    /// An unsigned 64-bit integer, D's `uint64_t`.
    pub fn uint(value: u64) -> Value {
        Value::Int { raw: value, bytes: 8, signed: false }
    }

    /// An integer of a width in bytes (other widths than 1, 2 and 4 count as 8),
    /// cut to that width and extended again as the type says.
    pub fn int_of(raw: u64, bytes: u8, signed: bool) -> Value {
        let (bytes, raw) = match (bytes, signed) {
            (1, true) => (1, raw as i8 as i64 as u64),
            (1, false) => (1, raw as u8 as u64),
            (2, true) => (2, raw as i16 as i64 as u64),
            (2, false) => (2, raw as u16 as u64),
            (4, true) => (4, raw as i32 as i64 as u64),
            (4, false) => (4, raw as u32 as u64),
            _ => (8, raw),
        };
        Value::Int { raw, bytes, signed }
    }

    /// A pointer: an unsigned integer of 8 bytes.
    pub fn pointer(addr: u64) -> Value {
        Value::uint(addr)
    }

    /// A string, cut at its first NUL.
    pub fn string(bytes: impl AsRef<[u8]>) -> Value {
        let bytes = bytes.as_ref();
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        Value::Str(bytes[..end].to_vec())
    }

    /// The number, where the value is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int { raw, .. } => Some(*raw as i64),
            _ => None,
        }
    }

    /// The bytes of a string or of a byte array (without what follows a NUL).
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            Value::Str(text) => Some(text),
            Value::Bytes(bytes) => {
                let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
                Some(&bytes[..end])
            }
            _ => None,
        }
    }

    /// The value that stands for every address of the same symbol or module: as a key of an
    /// aggregation, two addresses of one function are one element, which only symbols can tell.
    /// Other values, and addresses without a symbol, stay as they are.
    pub fn canonical(self, symbols: &dyn Symbols) -> Value {
        let Value::Sym(sym) = self else { return self };
        let found = match sym.kind {
            SymKind::Sym | SymKind::Mod => symbols.kernel(sym.addr),
            SymKind::Usym | SymKind::Umod => symbols.user(sym.pid, sym.addr),
            SymKind::Uaddr => None,
        };
        let addr = match (sym.kind, found) {
            (SymKind::Mod | SymKind::Umod, Some(symbol)) => symbol.module_base,
            (_, Some(symbol)) if symbol.name.is_some() => sym.addr.wrapping_sub(symbol.offset),
            _ => sym.addr,
        };
        Value::Sym(SymValue { addr, ..sym })
    }

    /// A number that orders values as far as it can tell them apart: where two differ in it, they are in that order.
    /// Who sorts many has something to compare that needs no look at the values.
    pub(crate) fn beginning(&self) -> u64 {
        const FIRST: u32 = 60;
        let text = |bytes: &[u8]| {
            let mut first = [0; 8];
            first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(first)
        };
        let (kind, first) = match self {
            Value::Int { raw, bytes, .. } => (u64::from((*bytes).clamp(1, 8).ilog2()), *raw),
            Value::Str(bytes) | Value::Bytes(bytes) => (3 + u64::from(self.rank()), text(bytes)),
            Value::KStack(_) | Value::UStack(_) | Value::Sym(_) => (3 + u64::from(self.rank()), 0),
        };
        kind << FIRST | first >> (u64::BITS - FIRST)
    }

    /// Place of the kind in the total order.
    fn rank(&self) -> u8 {
        match self {
            Value::Int { .. } => 0,
            Value::Str(_) => 1,
            Value::Bytes(_) => 2,
            Value::KStack(_) => 3,
            Value::UStack(_) => 4,
            Value::Sym(_) => 5,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int { raw: a, bytes: wa, signed: sa }, Value::Int { raw: b, bytes: wb, signed: sb }) => {
                (wa, a, sa).cmp(&(wb, b, sb))
            }
            (Value::Str(a), Value::Str(b)) | (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::KStack(a), Value::KStack(b)) => a.cmp(b),
            (Value::UStack(a), Value::UStack(b)) => a.cmp(b),
            (Value::Sym(a), Value::Sym(b)) => (a.pid, a.addr, a.kind).cmp(&(b.pid, b.addr, b.kind)),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What covers an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The kernel module (`vmlinux` for the kernel itself), or the base name of the mapped object.
    pub module: String,
    /// The function or object; `None` where a module covers the address but no symbol does.
    pub name: Option<String>,
    /// Bytes from the symbol's start (from `module_base` where `name` is `None`).
    pub offset: u64,
    /// An address that is the same for all of the module: where it is loaded.
    pub module_base: u64,
}

/// Finds names for addresses. Only `output` (and [`Value::canonical`]) asks.
pub trait Symbols {
    /// What covers a kernel address.
    fn kernel(&self, addr: u64) -> Option<Symbol>;
    /// What covers an address of a process.
    fn user(&self, pid: u32, addr: u64) -> Option<Symbol>;
}

/// Knows no symbol: every address prints as a number.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSymbols;

impl Symbols for NoSymbols {
    fn kernel(&self, _addr: u64) -> Option<Symbol> {
        None
    }

    fn user(&self, _pid: u32, _addr: u64) -> Option<Symbol> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_sort_unsigned() {
        for bytes in [1, 2, 4, 8] {
            let mut keys = [-2i64, -1, 0, 1, 2].map(|n| Value::int_of(n as u64, bytes, true));
            keys.sort();
            assert_eq!(keys, [0, 1, 2, -2, -1].map(|n: i64| Value::int_of(n as u64, bytes, true)));
        }
        assert!(Value::uint(u64::MAX) > Value::uint(0));
    }

    #[test]
    fn integers_are_cut_and_extended_to_their_width() {
        assert_eq!(Value::int_of(0xffff_ffff, 4, true), Value::Int { raw: u64::MAX, bytes: 4, signed: true });
        assert_eq!(Value::int_of(u64::MAX, 2, false), Value::Int { raw: 0xffff, bytes: 2, signed: false });
    }

    #[test]
    fn strings_sort_bytewise_and_end_at_nul() {
        assert!(Value::string("ab") < Value::string("abc"));
        assert!(Value::string("Z") < Value::string("a"));
        assert!(Value::string([0xff]) > Value::string("z"));
        assert_eq!(Value::string(b"ab\0cd"), Value::string("ab"));
    }

    #[test]
    fn beginnings_are_in_order() {
        let values = [
            Value::int_of(0xff, 1, true),
            Value::int_of(0, 2, false),
            Value::int(7),
            Value::int(16),
            Value::int(i64::MAX),
            Value::int(-1),
            Value::string(""),
            Value::string("a"),
            Value::string("ab"),
            Value::string("longer than a word"),
            Value::string("longer than that"),
            Value::string([0xff; 9]),
            Value::Bytes(vec![0, 1]),
            Value::Bytes(vec![0, 1, 0]),
            Value::KStack(vec![1]),
            Value::Sym(SymValue { kind: SymKind::Sym, pid: 0, addr: 1 }),
        ];
        for pair in values.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
            assert!(pair[0].beginning() <= pair[1].beginning(), "{pair:?}");
        }
        assert!(values[3].beginning() < values[4].beginning());
        assert!(values[8].beginning() < values[9].beginning());
    }

    struct One;
    impl Symbols for One {
        fn kernel(&self, addr: u64) -> Option<Symbol> {
            (addr >= 0x1000).then(|| Symbol {
                module: "vmlinux".into(),
                name: (addr < 0x2000).then(|| "f".into()),
                offset: addr - 0x1000,
                module_base: 0x800,
            })
        }
        fn user(&self, _: u32, addr: u64) -> Option<Symbol> {
            self.kernel(addr)
        }
    }

    #[test]
    fn addresses_of_one_function_are_one_key() {
        let key = |kind, addr| Value::Sym(SymValue { kind, pid: 0, addr }).canonical(&One);
        assert_eq!(key(SymKind::Sym, 0x1004), key(SymKind::Sym, 0x1008));
        assert_eq!(key(SymKind::Mod, 0x1004), key(SymKind::Mod, 0x2008));
        assert_ne!(key(SymKind::Uaddr, 0x1004), key(SymKind::Uaddr, 0x1008));
        assert_ne!(key(SymKind::Sym, 4), key(SymKind::Sym, 8), "no symbol: the address itself");
        assert_ne!(key(SymKind::Sym, 0x2004), key(SymKind::Sym, 0x2008));
    }
}
