//! The kernel's types, from BTF: the crate's one reader of that format.
//!
//! The format is that of the kernel's Documentation/bpf/btf.rst. `bytes` maps a blob, `index` finds types by id and
//! name (made only for a script that needs a type), `import` turns them into the D compiler's, `source` answers the
//! compiler's questions with them, `kallsyms` and `variables` what BTF does not say of the kernel's symbols.
//! Every offset is checked; a malformed blob gives `None`, never a panic.

mod bytes;
#[cfg(test)]
mod compile_tests;
mod import;
mod index;
mod kallsyms;
mod source;
#[cfg(test)]
mod tests;
mod variables;

pub use source::KernelTypes;

use bytes::Bytes;
use index::Index;
use std::sync::OnceLock;

/// Where the kernel shows the types of itself and of its modules.
const DIRECTORY: &str = "/sys/kernel/btf";
/// Where the core kernel's types are.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// What kind of thing a type is (`linux/btf.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Pointer,
    Array,
    Struct,
    Union,
    Enum,
    Forward,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Function,
    Prototype,
    Variable,
    Section,
    Float,
    Tag,
    Enum64,
    Other,
}

/// Kinds by number.
const KINDS: [Kind; 20] = [
    Kind::Other,
    Kind::Int,
    Kind::Pointer,
    Kind::Array,
    Kind::Struct,
    Kind::Union,
    Kind::Enum,
    Kind::Forward,
    Kind::Typedef,
    Kind::Volatile,
    Kind::Const,
    Kind::Restrict,
    Kind::Function,
    Kind::Prototype,
    Kind::Variable,
    Kind::Section,
    Kind::Float,
    Kind::Other,
    Kind::Tag,
    Kind::Enum64,
];

/// A BTF blob: the core kernel's, or a module's, whose ids and strings go on where the core kernel's end.
#[derive(Debug)]
pub struct Btf {
    bytes: Bytes,
    types: (usize, usize),
    strings: (usize, usize),
    base: Option<&'static Btf>,
    index: OnceLock<Index>,
}

/// A type: three words, then what its kind has.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub id: u32,
    pub kind: Kind,
    /// Members, enumerators, parameters.
    pub count: usize,
    /// The flag bit: bit-fields in a struct, signed values in an enum, a union declared forward.
    pub flag: bool,
    /// Size in bytes, or the id of the type that this refers to.
    pub word: u32,
    name: u32,
    tail: &'a [u8],
    btf: &'a Btf,
}

/// A member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberEntry<'a> {
    pub name: &'a str,
    pub ty: u32,
    /// In bits, from the start of the structure.
    pub offset: u32,
    /// 0 for what is no bit-field.
    pub bits: u32,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}

impl Btf {
    /// The running kernel's, read when first asked for; `None` where it has none.
    pub fn vmlinux() -> Option<&'static Btf> {
        static RUNNING: OnceLock<Option<Btf>> = OnceLock::new();
        RUNNING.get_or_init(|| Btf::new(Bytes::of_sysfs(VMLINUX)?, None)).as_ref()
    }

    /// The types of a kernel module that is loaded, above the core kernel's.
    pub fn module(name: &str) -> Option<Btf> {
        let plain = !name.is_empty() && name != "vmlinux" && !name.contains(['/', '.']);
        let bytes = Bytes::of_sysfs(&format!("{DIRECTORY}/{}", plain.then_some(name)?))?;
        Btf::new(bytes, Some(Btf::vmlinux()?))
    }

    /// Takes a blob; `None` if its header makes no sense.
    pub fn parse(blob: Vec<u8>) -> Option<Btf> {
        Btf::new(Bytes::Owned(blob), None)
    }

    fn new(bytes: Bytes, base: Option<&'static Btf>) -> Option<Btf> {
        let blob = bytes.get();
        if word(blob, 0)? & 0xffff != 0xeb9f {
            return None;
        }
        let header = word(blob, 4)? as usize;
        let section = |at: usize| {
            let start = header.checked_add(word(blob, at)? as usize)?;
            let end = start.checked_add(word(blob, at + 4)? as usize)?;
            (end <= blob.len()).then_some((start, end))
        };
        let (types, strings) = (section(8)?, section(16)?);
        Some(Btf { bytes, types, strings, base, index: OnceLock::new() })
    }

    fn types(&self) -> &[u8] {
        self.bytes.get().get(self.types.0..self.types.1).unwrap_or(&[])
    }

    /// A string of the section and all that follows it.
    fn raw_string(&self, offset: u32) -> &[u8] {
        let mut offset = offset as usize;
        if let Some(base) = self.base {
            match offset.checked_sub(base.strings.1 - base.strings.0) {
                Some(own) => offset = own,
                None => return base.raw_string(offset as u32),
            }
        }
        let all = self.bytes.get().get(self.strings.0..self.strings.1).unwrap_or(&[]);
        all.get(offset..).unwrap_or(&[])
    }

    fn string(&self, offset: u32) -> &str {
        let rest = self.raw_string(offset);
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(0);
        rest.get(..end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or("")
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        let text = self.raw_string(offset);
        text.get(..name.len()) == Some(name.as_bytes()) && text.get(name.len()) == Some(&0)
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::build(self))
    }

    /// The first id that is this blob's own.
    fn first_id(&self) -> u32 {
        self.base.map_or(1, |base| base.first_id() + base.index().starts.len() as u32)
    }

    /// The type at an offset in the section.
    fn at(&self, at: usize, id: u32) -> Option<Entry<'_>> {
        let types = self.types();
        let (name, info, last) = (word(types, at)?, word(types, at + 4)?, word(types, at + 8)?);
        let count = (info & 0xffff) as usize;
        let kind = *KINDS.get((info >> 24 & 0x1f) as usize)?;
        let len = match kind {
            Kind::Int | Kind::Variable => 4,
            Kind::Array => 12,
            Kind::Struct | Kind::Union | Kind::Section | Kind::Enum64 => 12 * count,
            Kind::Enum | Kind::Prototype => 8 * count,
            // BTF_KIND_DECL_TAG has one word more.
            Kind::Other if info >> 24 & 0x1f == 17 => 4,
            _ => 0,
        };
        let tail = types.get(at + 12..(at + 12).checked_add(len)?)?;
        Some(Entry { id, kind, count, flag: info >> 31 == 1, word: last, name, tail, btf: self })
    }

    /// A type by id; id 0 is `void` and has no entry.
    pub fn get(&self, id: u32) -> Option<Entry<'_>> {
        match id.checked_sub(self.first_id()) {
            Some(position) => {
                let at = *self.index().starts.get(position as usize)?;
                self.at(at as usize, id)
            }
            None => self.base?.get(id),
        }
    }

    /// The first type of a name that is of one of these kinds; a module's own go before the core kernel's.
    pub fn find(&self, kinds: &[Kind], name: &str) -> Option<Entry<'_>> {
        self.find_own(kinds, name).or_else(|| self.base?.find(kinds, name))
    }

    /// As [`Btf::find`], in a module's own types only.
    fn find_own(&self, kinds: &[Kind], name: &str) -> Option<Entry<'_>> {
        self.index().candidates(name).find_map(|position| {
            let at = *self.index().starts.get(position)? as usize;
            let entry = self.at(at, self.first_id() + position as u32)?;
            (kinds.contains(&entry.kind) && self.is_named(entry.name, name)).then_some(entry)
        })
    }

    /// Follows typedefs and qualifiers.
    pub fn resolve(&self, mut id: u32) -> u32 {
        for _ in 0..64 {
            match self.get(id) {
                Some(entry)
                    if matches!(
                        entry.kind,
                        Kind::Typedef | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::Tag
                    ) =>
                {
                    id = entry.word;
                }
                _ => break,
            }
        }
        id
    }

    /// Size in bytes, where it has one.
    pub fn size(&self, id: u32) -> Option<u32> {
        self.size_within(id, 32)
    }

    fn size_within(&self, id: u32, depth: u32) -> Option<u32> {
        let entry = self.get(self.resolve(id))?;
        match entry.kind {
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Float => {
                Some(entry.word)
            }
            Kind::Pointer => Some(8),
            Kind::Array => {
                let (of, len) = entry.array()?;
                self.size_within(of, depth.checked_sub(1)?)?.checked_mul(len)
            }
            _ => None,
        }
    }

    /// A type's name in C, as far as a declaration of an argument needs it.
    pub fn c_name(&self, id: u32) -> String {
        self.c_name_within(id, 16)
    }

    fn c_name_within(&self, id: u32, depth: u32) -> String {
        let (Some(entry), Some(depth)) = (self.get(id), depth.checked_sub(1)) else {
            return "void".to_string();
        };
        match entry.kind {
            Kind::Pointer => match self.get(self.resolve(entry.word)).map(|to| to.kind) {
                Some(Kind::Prototype) => "void *".to_string(),
                _ => format!("{} *", self.c_name_within(entry.word, depth)),
            },
            Kind::Const | Kind::Volatile | Kind::Restrict | Kind::Tag => {
                self.c_name_within(entry.word, depth)
            }
            Kind::Struct => format!("struct {}", entry.name()),
            Kind::Union => format!("union {}", entry.name()),
            Kind::Forward => format!("struct {}", entry.name()),
            Kind::Enum | Kind::Enum64 if entry.name().is_empty() => "int".to_string(),
            Kind::Enum | Kind::Enum64 => format!("enum {}", entry.name()),
            Kind::Array => "void *".to_string(),
            _ => entry.name().to_string(),
        }
    }

    /// Offset, size and signedness of a member, by a path such as `se.sum_exec_runtime`; looks into anonymous parts.
    pub fn field(&self, structure: &str, path: &str) -> Option<Field> {
        let mut ty = self.find(&[Kind::Struct, Kind::Union], structure)?.id;
        let mut offset = 0;
        for name in path.split('.') {
            let (member, at) = self.member(ty, name, 8)?;
            offset += at;
            ty = member;
        }
        let signed = self.get(self.resolve(ty)).is_some_and(|entry| entry.is_signed());
        Some(Field { offset, bytes: self.size(ty)?, signed })
    }

    /// Type and byte offset of a member.
    fn member(&self, ty: u32, name: &str, depth: u32) -> Option<(u32, u32)> {
        let entry = self.get(self.resolve(ty))?;
        entry.members().find_map(|member| match member.name {
            "" => {
                let (ty, at) = self.member(member.ty, name, depth.checked_sub(1)?)?;
                Some((ty, at + member.offset / 8))
            }
            own => (own == name && member.bits == 0).then_some((member.ty, member.offset / 8)),
        })
    }
}

/// Where a member lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub offset: u32,
    pub bytes: u32,
    pub signed: bool,
}

impl<'a> Entry<'a> {
    /// The blob that it is of.
    fn blob(&self) -> &'a Btf {
        self.btf
    }

    /// Its name; empty when it has none.
    pub fn name(&self) -> &'a str {
        self.btf.string(self.name)
    }

    /// The members of a struct or union.
    pub fn members(&self) -> impl Iterator<Item = MemberEntry<'a>> + use<'a> {
        let (btf, flag) = (self.btf, self.flag);
        let tail = if matches!(self.kind, Kind::Struct | Kind::Union) { self.tail } else { &[] };
        tail.chunks_exact(12).filter_map(move |chunk| {
            let bits = word(chunk, 8)?;
            // With bit-fields in the structure the upper byte is a width.
            let (offset, bits) = if flag { (bits & 0xff_ffff, bits >> 24) } else { (bits, 0) };
            Some(MemberEntry { name: btf.string(word(chunk, 0)?), ty: word(chunk, 4)?, offset, bits })
        })
    }

    /// The enumerators of an enum.
    pub fn enumerators(&self) -> Vec<(&'a str, i64)> {
        let signed = self.flag;
        let value = |low: u32| if signed { i64::from(low.cast_signed()) } else { i64::from(low) };
        match self.kind {
            Kind::Enum => self
                .tail
                .chunks_exact(8)
                .filter_map(|chunk| Some((self.btf.string(word(chunk, 0)?), value(word(chunk, 4)?))))
                .collect(),
            Kind::Enum64 => self
                .tail
                .chunks_exact(12)
                .filter_map(|chunk| {
                    let value = u64::from(word(chunk, 8)?) << 32 | u64::from(word(chunk, 4)?);
                    Some((self.btf.string(word(chunk, 0)?), value.cast_signed()))
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Element type and length of an array.
    pub fn array(&self) -> Option<(u32, u32)> {
        (self.kind == Kind::Array).then(|| Some((word(self.tail, 0)?, word(self.tail, 8)?)))?
    }

    /// Parameters of a prototype: their types; 0 for `...`.
    pub fn parameters(&self) -> Vec<u32> {
        match self.kind {
            Kind::Prototype => self.tail.chunks_exact(8).filter_map(|chunk| word(chunk, 4)).collect(),
            _ => Vec::new(),
        }
    }

    /// Is an integer or enum signed?
    pub fn is_signed(&self) -> bool {
        match self.kind {
            Kind::Int => word(self.tail, 0).is_some_and(|info| info >> 24 & 1 == 1),
            Kind::Enum | Kind::Enum64 => self.flag,
            _ => false,
        }
    }

    /// Is an integer a `char` (BTF does not always say so) or a `bool`?
    pub fn encoding(&self) -> u32 {
        if self.kind == Kind::Int { word(self.tail, 0).unwrap_or(0) >> 24 & 0xf } else { 0 }
    }
}
