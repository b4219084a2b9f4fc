//! C types and D's own (`string`, stacks, symbols): a table of types with
//! names, sizes and members as the LP64 ABI lays them out.
//!
//! `layout` computes structures, `intrinsic` seeds the table with what dtrace(1M)
//! knows without headers. The table knows no syntax: `sema::declare` turns
//! declarations into calls of the functions here.

mod intrinsic;
mod layout;
mod name;

pub use layout::{LayoutError, MemberSpec};

use std::collections::HashMap;

/// Index of a type in its [`Types`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// What a type is.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Void,
    Int(IntType),
    /// `float`, `double`, `long double`: sizes only, D has no floating arithmetic.
    Float {
        name: &'static str,
        bytes: u32,
    },
    Pointer(TypeId),
    Array {
        of: TypeId,
        len: u64,
    },
    /// Struct, union: `members` is `None` while incomplete.
    Composite(Composite),
    Enum(Enum),
    Typedef {
        name: String,
        to: TypeId,
    },
    Qualified {
        qualifier: Qualifier,
        to: TypeId,
    },
    Function {
        ret: TypeId,
        params: Vec<TypeId>,
        varargs: bool,
    },
    /// D's `string`.
    String,
    /// `<DYN>`: a translated or otherwise dynamic object.
    Dyn,
    /// Value of stack(), ustack(), jstack().
    Stack,
    /// Value of sym(), mod(), func().
    Symaddr,
    /// Value of usym(), umod(), ufunc(), uaddr().
    Usymaddr,
}

/// An integer type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntType {
    pub name: &'static str,
    pub bytes: u8,
    pub signed: bool,
    /// `char` and its signed and unsigned variants: arrays and pointers of them are strings.
    pub character: bool,
}

/// A struct or union.
#[derive(Clone, Debug, PartialEq)]
pub struct Composite {
    pub union: bool,
    /// Tag name; empty when anonymous.
    pub tag: String,
    pub members: Option<Vec<Member>>,
    pub size: u32,
    pub align: u32,
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Empty for an anonymous struct or union, whose members are reached through it.
    pub name: String,
    pub ty: TypeId,
    /// Byte offset of the member, or of the storage unit that holds the bit-field.
    pub offset: u32,
    /// Bit-field: (shift within the unit of `ty`'s size, width).
    pub bits: Option<(u8, u8)>,
}

/// An enum and its constants.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    pub tag: String,
    pub names: Option<Vec<(String, i64)>>,
    pub bytes: u8,
    pub signed: bool,
}

/// Type qualifiers; `Userland` is D's own: the object lives in the traced process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    Const,
    Volatile,
    Restrict,
    Userland,
}

/// Kinds of tagged types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagKind {
    Struct,
    Union,
    Enum,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Types {
    types: Vec<Type>,
    pointers: HashMap<TypeId, TypeId>,
    typedefs: HashMap<String, TypeId>,
    tags: HashMap<(TagKind, String), TypeId>,
    enumerators: HashMap<String, (i64, TypeId)>,
    basic: intrinsic::Basic,
    /// `sizeof (string)`.
    pub strsize: u32,
}

impl Types {
    /// A table with the intrinsic types; `strsize` is the size of `string`.
    pub fn new(strsize: u32) -> Types {
        let mut types = Types {
            types: Vec::new(),
            pointers: HashMap::new(),
            typedefs: HashMap::new(),
            tags: HashMap::new(),
            enumerators: HashMap::new(),
            basic: intrinsic::Basic::default(),
            strsize,
        };
        intrinsic::seed(&mut types);
        types
    }

    /// Adds a type and returns its id.
    pub fn add(&mut self, ty: Type) -> TypeId {
        self.types.push(ty);
        TypeId(self.types.len() as u32 - 1)
    }

    /// The type of an id. Ids come from this table, so the index holds.
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// The intrinsic types by role.
    pub fn basic(&self) -> &intrinsic::Basic {
        &self.basic
    }

    /// Pointer to a type.
    pub fn pointer(&mut self, to: TypeId) -> TypeId {
        if let Some(&id) = self.pointers.get(&to) {
            return id;
        }
        let id = self.add(Type::Pointer(to));
        self.pointers.insert(to, id);
        id
    }

    /// Array of a type.
    pub fn array(&mut self, of: TypeId, len: u64) -> TypeId {
        self.add(Type::Array { of, len })
    }

    /// The same type with a qualifier.
    pub fn qualified(&mut self, qualifier: Qualifier, to: TypeId) -> TypeId {
        self.add(Type::Qualified { qualifier, to })
    }

    /// Declares a typedef; gives back the older one of that name, if any.
    pub fn typedef(&mut self, name: &str, to: TypeId) -> Result<TypeId, TypeId> {
        if let Some(&old) = self.typedefs.get(name) {
            return Err(old);
        }
        let id = self.add(Type::Typedef { name: name.to_string(), to });
        self.typedefs.insert(name.to_string(), id);
        Ok(id)
    }

    /// The typedef of a name, or a basic type spelled in one canonical way.
    pub fn lookup_typedef(&self, name: &str) -> Option<TypeId> {
        self.typedefs.get(name).copied()
    }

    /// The struct, union or enum of a tag.
    pub fn lookup_tag(&self, kind: TagKind, tag: &str) -> Option<TypeId> {
        self.tags.get(&(kind, tag.to_string())).copied()
    }

    /// The struct, union or enum of a tag, created incomplete if it is new.
    pub fn tag(&mut self, kind: TagKind, tag: &str) -> TypeId {
        if !tag.is_empty()
            && let Some(id) = self.lookup_tag(kind, tag)
        {
            return id;
        }
        let ty = match kind {
            TagKind::Enum => Type::Enum(Enum { tag: tag.to_string(), names: None, bytes: 4, signed: true }),
            _ => Type::Composite(Composite {
                union: kind == TagKind::Union,
                tag: tag.to_string(),
                members: None,
                size: 0,
                align: 1,
            }),
        };
        let id = self.add(ty);
        if !tag.is_empty() {
            self.tags.insert((kind, tag.to_string()), id);
        }
        id
    }

    /// Completes an enum. Errors with the first constant that is declared already.
    pub fn complete_enum(&mut self, id: TypeId, names: Vec<(String, i64)>) -> Result<(), String> {
        for (name, value) in &names {
            if self.enumerators.contains_key(name) {
                return Err(name.clone());
            }
            self.enumerators.insert(name.clone(), (*value, id));
        }
        if let Type::Enum(e) = &mut self.types[id.0 as usize] {
            e.names = Some(names);
        }
        Ok(())
    }

    /// Value and type of an enumeration constant.
    pub fn enumerator(&self, name: &str) -> Option<(i64, TypeId)> {
        self.enumerators.get(name).copied()
    }

    /// Follows typedefs and qualifiers to the type itself.
    pub fn resolve(&self, mut id: TypeId) -> TypeId {
        while let Type::Typedef { to, .. } | Type::Qualified { to, .. } = self.get(id) {
            id = *to;
        }
        id
    }

    /// The type itself behind typedefs and qualifiers.
    pub fn base(&self, id: TypeId) -> &Type {
        self.get(self.resolve(id))
    }

    /// Is the qualifier on the type, or on a typedef of it?
    pub fn has_qualifier(&self, mut id: TypeId, wanted: Qualifier) -> bool {
        loop {
            match self.get(id) {
                Type::Qualified { qualifier, .. } if *qualifier == wanted => return true,
                Type::Typedef { to, .. } | Type::Qualified { to, .. } => id = *to,
                _ => return false,
            }
        }
    }

    /// `sizeof`; `None` for void, functions, incomplete and dynamic types.
    pub fn size(&self, id: TypeId) -> Option<u64> {
        Some(match self.base(id) {
            Type::Int(int) => int.bytes as u64,
            Type::Float { bytes, .. } => *bytes as u64,
            Type::Pointer(_) | Type::Symaddr => 8,
            Type::Usymaddr => 16,
            Type::Array { of, len } => self.size(*of)?.checked_mul(*len)?,
            Type::Composite(c) => {
                c.members.as_ref()?;
                c.size as u64
            }
            Type::Enum(e) => e.bytes as u64,
            Type::String => self.strsize as u64,
            Type::Void | Type::Function { .. } | Type::Dyn | Type::Stack | Type::Typedef { .. } => {
                return None;
            }
            Type::Qualified { .. } => return None,
        })
    }

    /// Alignment in bytes; 1 for what has none.
    pub fn align(&self, id: TypeId) -> u32 {
        match self.base(id) {
            Type::Int(int) => int.bytes as u32,
            Type::Float { bytes, .. } => *bytes,
            Type::Pointer(_) | Type::Symaddr | Type::Usymaddr => 8,
            Type::Array { of, .. } => self.align(*of),
            Type::Composite(c) => c.align,
            Type::Enum(e) => e.bytes as u32,
            _ => 1,
        }
    }

    /// Integer or enum: (bytes, signed).
    pub fn integer(&self, id: TypeId) -> Option<(u8, bool)> {
        match self.base(id) {
            Type::Int(int) => Some((int.bytes, int.signed)),
            Type::Enum(e) => Some((e.bytes, e.signed)),
            _ => None,
        }
    }

    /// What a pointer points to.
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        match self.base(id) {
            Type::Pointer(to) => Some(*to),
            _ => None,
        }
    }

    /// Element type and length of an array.
    pub fn element(&self, id: TypeId) -> Option<(TypeId, u64)> {
        match self.base(id) {
            Type::Array { of, len } => Some((*of, *len)),
            _ => None,
        }
    }

    /// `char`, `signed char` or `unsigned char`?
    pub fn is_char(&self, id: TypeId) -> bool {
        matches!(self.base(id), Type::Int(int) if int.character)
    }

    /// D's `string`?
    pub fn is_string(&self, id: TypeId) -> bool {
        matches!(self.base(id), Type::String)
    }

    /// Struct or union?
    pub fn composite(&self, id: TypeId) -> Option<&Composite> {
        match self.base(id) {
            Type::Composite(c) => Some(c),
            _ => None,
        }
    }

    /// Integer, enum or pointer?
    pub fn is_scalar(&self, id: TypeId) -> bool {
        self.integer(id).is_some() || matches!(self.base(id), Type::Pointer(_))
    }

    /// Finds a member, also within anonymous members: its offset is from the outermost object.
    pub fn member(&self, id: TypeId, name: &str) -> Option<Member> {
        let composite = self.composite(id)?;
        for member in composite.members.as_ref()? {
            if member.name == name {
                return Some(member.clone());
            }
            if member.name.is_empty()
                && let Some(mut inner) = self.member(member.ty, name)
            {
                inner.offset += member.offset;
                return Some(inner);
            }
        }
        None
    }

    /// Names of all declared types, for "did you mean".
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.typedefs.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intrinsics_have_lp64_sizes() {
        let types = Types::new(256);
        for (name, size) in [
            ("int8_t", 1),
            ("uint16_t", 2),
            ("int32_t", 4),
            ("uint64_t", 8),
            ("size_t", 8),
            ("uintptr_t", 8),
            ("pid_t", 4),
            ("string", 256),
        ] {
            let id = types.lookup_typedef(name).unwrap();
            assert_eq!(types.size(id), Some(size), "{name}");
        }
    }

    #[test]
    fn members_are_found_through_anonymous_ones() {
        let mut t = Types::new(256);
        let int = t.basic().int;
        let inner = t.tag(TagKind::Union, "");
        t.complete(inner, vec![MemberSpec::plain("i", int), MemberSpec::plain("j", int)]).unwrap();
        let outer = t.tag(TagKind::Struct, "s");
        t.complete(outer, vec![MemberSpec::plain("t", int), MemberSpec::plain("", inner)]).unwrap();
        assert_eq!(t.member(outer, "j").unwrap().offset, 4);
        assert_eq!(t.size(outer), Some(8));
        assert_eq!(t.name(outer), "struct s");
    }
}
