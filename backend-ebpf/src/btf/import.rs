//! BTF types become the D compiler's, one structure at a time.
//!
//! Importing `struct task_struct` must not import the ten thousand types behind its pointers: a structure is imported
//! with its own members, and what these point to stays incomplete until the compiler asks for it.

use super::{Btf, Entry, Kind};
use duotrace_core::backend::TypeSource;
use duotrace_core::types::{Member, Qualifier, TagKind, Type, TypeId, Types};
use std::collections::HashMap;

/// Pointers to pointers to arrays of ...: as deep as anybody writes.
const DEPTH: u32 = 64;

/// The running kernel's types and symbols, read when first asked for.
#[derive(Debug, Default)]
pub struct KernelTypes {
    imported: HashMap<u32, TypeId>,
}

impl TypeSource for KernelTypes {
    fn lookup(&mut self, types: &mut Types, name: &str) -> Option<TypeId> {
        let btf = Btf::vmlinux()?;
        let mut importer = Importer { btf, types, done: &mut self.imported };
        let (kinds, name): (&[Kind], &str) = match name.split_once(' ') {
            Some(("struct", tag)) => (&[Kind::Struct], tag),
            Some(("union", tag)) => (&[Kind::Union], tag),
            Some(("enum", tag)) => (&[Kind::Enum, Kind::Enum64], tag),
            _ => (&[Kind::Typedef], name),
        };
        let entry = btf.find(kinds, name)?;
        let ty = importer.import(entry.id, DEPTH)?;
        if matches!(entry.kind, Kind::Struct | Kind::Union) {
            importer.complete(&entry, ty, DEPTH)?;
        }
        Some(ty)
    }

    fn symbol(
        &mut self,
        types: &mut Types,
        module: Option<&str>,
        name: &str,
    ) -> Option<(u64, Option<TypeId>)> {
        let address = address(module, name)?;
        let ty = Btf::vmlinux().and_then(|btf| {
            let entry = btf.find(&[Kind::Variable, Kind::Function], name)?;
            let mut importer = Importer { btf, types, done: &mut self.imported };
            let ty = importer.import(entry.word, DEPTH)?;
            importer.complete_whole(ty, entry.word);
            Some(ty)
        });
        Some((address, ty))
    }
}

/// Address of a kernel symbol (/proc/kallsyms); `vmlinux` and `kernel` are the core kernel.
fn address(module: Option<&str>, name: &str) -> Option<u64> {
    use std::io::BufRead;
    let file = std::fs::File::open("/proc/kallsyms").ok()?;
    let mut lines = std::io::BufReader::with_capacity(1 << 16, file);
    let wanted = module.filter(|module| !matches!(*module, "vmlinux" | "kernel" | "genunix" | "unix"));
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let Ok(text) = std::str::from_utf8(&line) else { continue };
        let mut words = text.split_ascii_whitespace();
        let (Some(address), Some(_), Some(symbol)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if symbol != name {
            continue;
        }
        let own = words.next().map(|own| own.trim_matches(['[', ']']));
        let fits = match (module, wanted) {
            (None, _) => true,
            (Some(_), None) => own.is_none(),
            (_, Some(wanted)) => own == Some(wanted),
        };
        if fits {
            // Zero: hidden by kptr_restrict.
            return u64::from_str_radix(address, 16).ok().filter(|address| *address != 0);
        }
    }
}

struct Importer<'a> {
    btf: &'a Btf,
    types: &'a mut Types,
    done: &'a mut HashMap<u32, TypeId>,
}

impl Importer<'_> {
    /// The compiler's type for a BTF id; structures stay incomplete.
    fn import(&mut self, id: u32, depth: u32) -> Option<TypeId> {
        let depth = depth.checked_sub(1)?;
        if id == 0 {
            return Some(self.types.basic().void);
        }
        if let Some(ty) = self.done.get(&id) {
            return Some(*ty);
        }
        let entry = self.btf.get(id)?;
        let ty = match entry.kind {
            Kind::Int => self.integer(&entry),
            Kind::Pointer => {
                let to = self.import(entry.word, depth)?;
                self.types.pointer(to)
            }
            Kind::Array => {
                let (of, len) = entry.array()?;
                let element = self.import(of, depth)?;
                // Elements must have a size.
                self.complete_whole(element, of);
                self.types.array(element, u64::from(len))
            }
            Kind::Struct | Kind::Union => {
                let kind = if entry.kind == Kind::Union { TagKind::Union } else { TagKind::Struct };
                self.types.tag(kind, entry.name())
            }
            Kind::Forward => {
                let kind = if entry.flag { TagKind::Union } else { TagKind::Struct };
                self.types.tag(kind, entry.name())
            }
            Kind::Enum | Kind::Enum64 => {
                let ty = self.types.tag(TagKind::Enum, entry.name());
                let names = entry.enumerators().into_iter().map(|(name, value)| (name.to_string(), value));
                self.types.import_enum(ty, names.collect(), entry.word as u8, entry.is_signed());
                ty
            }
            Kind::Typedef => {
                let to = self.import(entry.word, depth)?;
                match self.types.typedef(entry.name(), to) {
                    Ok(ty) | Err(ty) => ty,
                }
            }
            Kind::Const => self.qualified(Qualifier::Const, entry.word, depth)?,
            Kind::Volatile => self.qualified(Qualifier::Volatile, entry.word, depth)?,
            Kind::Restrict => self.qualified(Qualifier::Restrict, entry.word, depth)?,
            Kind::Tag => match entry.name() {
                // `__user` of the kernel's sources.
                "user" => self.qualified(Qualifier::Userland, entry.word, depth)?,
                _ => self.import(entry.word, depth)?,
            },
            Kind::Prototype => {
                let ret = self.import(entry.word, depth)?;
                let mut params = entry.parameters();
                let varargs = params.last() == Some(&0);
                if varargs {
                    params.pop();
                }
                let params =
                    params.into_iter().map(|param| self.import(param, depth)).collect::<Option<_>>()?;
                self.types.add(Type::Function { ret, params, varargs })
            }
            Kind::Function | Kind::Variable => return self.import(entry.word, depth),
            Kind::Float => self.types.basic().double,
            Kind::Section | Kind::Other => return None,
        };
        self.done.insert(id, ty);
        Some(ty)
    }

    fn qualified(&mut self, qualifier: Qualifier, of: u32, depth: u32) -> Option<TypeId> {
        let to = self.import(of, depth)?;
        Some(self.types.qualified(qualifier, to))
    }

    fn integer(&mut self, entry: &Entry<'_>) -> TypeId {
        let basic = self.types.basic();
        let signed = entry.is_signed();
        match (entry.word, signed, entry.name()) {
            (1, _, "char") => basic.char,
            (1, true, _) => basic.signed_char,
            (1, false, _) => basic.unsigned_char,
            (2, true, _) => basic.short,
            (2, false, _) => basic.unsigned_short,
            (4, true, _) => basic.int,
            (4, false, _) => basic.unsigned_int,
            (_, true, "long long int") => basic.long_long,
            (_, false, "long long unsigned int") => basic.unsigned_long_long,
            (_, true, _) => basic.long,
            (_, false, _) => basic.unsigned_long,
        }
    }

    /// Completes the structure that a type is, or is an array of.
    fn complete_whole(&mut self, ty: TypeId, id: u32) {
        let resolved = self.btf.resolve(id);
        if let Some(entry) = self.btf.get(resolved)
            && matches!(entry.kind, Kind::Struct | Kind::Union)
        {
            let structure = self.types.resolve(ty);
            self.complete(&entry, structure, DEPTH);
        }
    }

    /// Gives a structure its members; those that are structures themselves are completed too.
    fn complete(&mut self, entry: &Entry<'_>, ty: TypeId, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if self.types.composite(ty)?.members.is_some() {
            return Some(());
        }
        let mut members = Vec::with_capacity(entry.count);
        let mut align = 1;
        for member in entry.members() {
            let Some(of) = self.import(member.ty, DEPTH) else { continue };
            let resolved = self.btf.resolve(member.ty);
            if let Some(inner) = self.btf.get(resolved)
                && matches!(inner.kind, Kind::Struct | Kind::Union)
            {
                let structure = self.types.resolve(of);
                self.complete(&inner, structure, depth)?;
            }
            align = align.max(self.types.align(of));
            let (offset, bits) = match member.bits {
                0 => (member.offset / 8, None),
                width => {
                    let unit = self.btf.size(member.ty).unwrap_or(4).max(1) * 8;
                    let at = member.offset / unit * unit;
                    (at / 8, Some(((member.offset - at) as u8, width as u8)))
                }
            };
            members.push(Member { name: member.name.to_string(), ty: of, offset, bits });
        }
        self.types.import_composite(ty, members, entry.word, align);
        Some(())
    }
}

/// Imports a type and completes it.
#[cfg(test)]
pub(super) fn import_for_test(btf: &Btf, types: &mut Types, done: &mut HashMap<u32, TypeId>, id: u32) {
    let mut importer = Importer { btf, types, done };
    if let Some(ty) = importer.import(id, DEPTH) {
        importer.complete_whole(ty, id);
    }
}
