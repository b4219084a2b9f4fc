//! BTF types become the D compiler's, one structure at a time.
//!
//! Importing `struct task_struct` must not import the ten thousand types behind its pointers: a structure is imported
//! with its own members, and what these point to stays incomplete until the compiler asks for it by name. Only
//! what has no name to ask for is completed at once.
//!
//! A malformed blob may refer in circles: every id is imported once, what is being imported gives `None`.

use super::{Btf, Entry, Kind, MemberEntry};
use duotrace_core::types::{Composite, Member, Qualifier, TagKind, Type, TypeId, Types};
use std::collections::HashMap;

/// Pointers to arrays of structures of ...: deeper than anybody writes, and within any stack.
const DEPTH: u32 = 200;

/// One question's import; ids of BTF mean nothing after it.
pub(super) struct Importer<'a> {
    btf: &'a Btf,
    types: &'a mut Types,
    /// What became of an id; `None` while it is imported, and when that failed.
    done: HashMap<u32, Option<TypeId>>,
    /// Structures completed or in the course of it, by id.
    completed: HashMap<u32, bool>,
    /// Structures without a name, behind pointers.
    nameless: Vec<(u32, TypeId)>,
    depth: u32,
}

impl<'a> Importer<'a> {
    pub(super) fn new(btf: &'a Btf, types: &'a mut Types) -> Importer<'a> {
        let (done, completed) = (HashMap::new(), HashMap::new());
        Importer { btf, types, done, completed, nameless: Vec::new(), depth: 0 }
    }

    /// Imports a type with all it needs to have a size.
    pub(super) fn whole(mut self, id: u32) -> Option<TypeId> {
        let ty = self.import(id)?;
        self.complete(id, ty);
        while let Some((id, ty)) = self.nameless.pop() {
            self.complete(id, ty);
        }
        Some(ty)
    }

    /// Runs one level deeper, if there is one.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= DEPTH {
            return None;
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    /// The compiler's type for a BTF id; structures stay incomplete.
    fn import(&mut self, id: u32) -> Option<TypeId> {
        if id == 0 {
            return Some(self.types.basic().void);
        }
        if let Some(known) = self.done.get(&id) {
            return *known;
        }
        let entry = self.btf.get(id)?;
        self.done.insert(id, None);
        let ty = self.deeper(|importer| importer.imported(&entry));
        self.done.insert(id, ty);
        ty
    }

    fn imported(&mut self, entry: &Entry<'_>) -> Option<TypeId> {
        Some(match entry.kind {
            Kind::Int => self.integer(entry),
            Kind::Pointer => {
                let to = self.import(entry.word)?;
                self.types.pointer(to)
            }
            Kind::Array => {
                let (of, len) = entry.array()?;
                let element = self.import(of)?;
                self.types.array(element, u64::from(len))
            }
            Kind::Struct => self.composite(TagKind::Struct, entry),
            Kind::Union => self.composite(TagKind::Union, entry),
            Kind::Forward if entry.flag => self.types.tag(TagKind::Union, entry.name()),
            Kind::Forward => self.types.tag(TagKind::Struct, entry.name()),
            Kind::Enum | Kind::Enum64 => {
                let ty = self.types.tag(TagKind::Enum, entry.name());
                let names = entry.enumerators().into_iter().map(|(name, value)| (name.to_string(), value));
                let bytes = if matches!(entry.word, 1 | 2 | 4 | 8) { entry.word as u8 } else { 4 };
                self.types.import_enum(ty, names.collect(), bytes, entry.is_signed());
                ty
            }
            Kind::Typedef => {
                let to = self.import(entry.word)?;
                match self.types.typedef(entry.name(), to) {
                    Ok(ty) => ty,
                    // The script, or D itself, has a type of that name.
                    Err(old) if self.types.size(old) == self.types.size(to) => old,
                    Err(_) => to,
                }
            }
            Kind::Const => self.qualified(Qualifier::Const, entry.word)?,
            Kind::Volatile => self.qualified(Qualifier::Volatile, entry.word)?,
            Kind::Restrict => self.qualified(Qualifier::Restrict, entry.word)?,
            // `__user` of the kernel's sources.
            Kind::Tag if entry.name() == "user" => self.qualified(Qualifier::Userland, entry.word)?,
            Kind::Tag => self.import(entry.word)?,
            Kind::Prototype => {
                let ret = self.import(entry.word)?;
                let mut params = entry.parameters();
                let varargs = params.pop_if(|last| *last == 0).is_some();
                let params = params.into_iter().map(|param| self.import(param)).collect::<Option<_>>()?;
                self.types.add(Type::Function { ret, params, varargs })
            }
            Kind::Function | Kind::Variable => self.import(entry.word)?,
            Kind::Float => match entry.word {
                4 => self.types.basic().float,
                16 => self.types.basic().long_double,
                _ => self.types.basic().double,
            },
            Kind::Section | Kind::Other => return None,
        })
    }

    fn composite(&mut self, kind: TagKind, entry: &Entry<'_>) -> TypeId {
        let ty = self.types.tag(kind, entry.name());
        let known = self.types.size(ty);
        if entry.name().is_empty() {
            self.nameless.push((entry.id, ty));
        } else if known.is_some_and(|size| size != u64::from(entry.word)) {
            // Another of that name: the script's own, or one of the kernel's where two have the same.
            let union = kind == TagKind::Union;
            let tag = entry.name().to_string();
            let other =
                self.types.add(Type::Composite(Composite { union, tag, members: None, size: 0, align: 1 }));
            self.nameless.push((entry.id, other));
            return other;
        }
        ty
    }

    fn qualified(&mut self, qualifier: Qualifier, of: u32) -> Option<TypeId> {
        let to = self.import(of)?;
        Some(self.types.qualified(qualifier, to))
    }

    fn integer(&mut self, entry: &Entry<'_>) -> TypeId {
        let basic = self.types.basic();
        let signed = entry.is_signed();
        match (entry.word, signed, entry.name()) {
            (1, _, "_Bool" | "bool") => basic.bool,
            (1, _, "char") => basic.char,
            (1, true, _) => basic.signed_char,
            (1, false, _) => basic.unsigned_char,
            (2, true, _) => basic.short,
            (2, false, _) => basic.unsigned_short,
            (4, true, _) => basic.int,
            (4, false, _) => basic.unsigned_int,
            // D has no arithmetic on these: it is the size that counts.
            (16, true, _) => self.types.add(Type::Float { name: "__int128", bytes: 16 }),
            (16, false, _) => self.types.add(Type::Float { name: "unsigned __int128", bytes: 16 }),
            (_, true, "long long int" | "long long") => basic.long_long,
            (_, false, "long long unsigned int" | "unsigned long long") => basic.unsigned_long_long,
            (_, true, _) => basic.long,
            (_, false, _) => basic.unsigned_long,
        }
    }

    /// Completes the structure that a type is, or is an array of.
    fn complete(&mut self, id: u32, ty: TypeId) -> Option<()> {
        let entry = self.btf.get(self.btf.resolve(id))?;
        match entry.kind {
            Kind::Struct | Kind::Union => {
                let structure = self.types.resolve(ty);
                if self.types.composite(structure)?.members.is_some() {
                    return Some(());
                }
                if let Some(finished) = self.completed.get(&entry.id) {
                    return finished.then_some(());
                }
                self.completed.insert(entry.id, false);
                self.deeper(|importer| importer.members(&entry, structure))?;
                self.completed.insert(entry.id, true);
                Some(())
            }
            Kind::Array => {
                let (of, _) = entry.array()?;
                let (element, _) = self.types.element(ty)?;
                self.deeper(|importer| importer.complete(of, element))
            }
            _ => Some(()),
        }
    }

    /// Gives a structure its members; those that are structures themselves are completed too.
    fn members(&mut self, entry: &Entry<'_>, structure: TypeId) -> Option<()> {
        let mut members = Vec::with_capacity(entry.count);
        let mut align = 1;
        for member in entry.members() {
            // What cannot be had is left out; the offsets of the others are known.
            let Some(ty) = self.import(member.ty) else { continue };
            self.complete(member.ty, ty)?;
            align = align.max(self.types.align(ty));
            let (offset, bits) = self.place(&member, ty);
            members.push(Member { name: member.name.to_string(), ty, offset, bits });
        }
        // A packed structure.
        if !entry.word.is_multiple_of(align) {
            align = 1;
        }
        self.types.import_composite(structure, members, entry.word, align);
        Some(())
    }

    /// Byte offset, and for a bit-field where it lies in the unit at that offset.
    fn place(&self, member: &MemberEntry<'_>, ty: TypeId) -> (u32, Option<(u8, u8)>) {
        let unit = self.types.integer(ty).map_or(0, |(bytes, _)| u32::from(bytes) * 8);
        if member.bits == 0 || member.bits > unit {
            return (member.offset / 8, None);
        }
        let (mut start, width) = (member.offset / unit * unit, member.bits);
        if member.offset - start + width > unit {
            // In a packed structure a bit-field may lie across two units.
            start = member.offset / 8 * 8;
        }
        let shift = (member.offset - start).min(unit - width);
        (start / 8, Some((shift as u8, width as u8)))
    }
}
