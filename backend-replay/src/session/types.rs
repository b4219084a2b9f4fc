//! The traced kernel's types and symbols, as the recording has them.
//!
//! A file is not to be believed: numbers may lead nowhere or in circles, a structure may claim to be larger than any
//! memory. Such an answer is none.

use crate::file::{Answer, Node, NodeMember};
use duotrace_core::backend::TypeSource;
use duotrace_core::types::{Member, Qualifier, TagKind, Type, TypeId, Types};

/// Types within types.
const DEPTH: u32 = 200;

/// Bytes of a structure: larger ones are no kernel's.
const LARGEST: u32 = 1 << 20;

/// The recorded answers.
#[derive(Debug)]
pub(super) struct RecordedTypes(pub Vec<Answer>);

impl TypeSource for RecordedTypes {
    fn lookup(&mut self, types: &mut Types, name: &str) -> Option<TypeId> {
        if let Some(answer) = self.0.iter().find(|answer| answer.address.is_none() && answer.name == name) {
            return import(types, answer, answer.root?);
        }
        // It was not asked for, but it came with something.
        self.0.iter().find_map(|answer| {
            let at = answer.nodes.iter().position(|node| is_named(node, name))?;
            import(types, answer, at as u32)
        })
    }

    fn symbol(
        &mut self,
        types: &mut Types,
        module: Option<&str>,
        name: &str,
    ) -> Option<(u64, Option<TypeId>)> {
        let asked = module.map_or_else(|| name.to_string(), |module| format!("{module}`{name}"));
        let of = |answer: &&Answer| answer.address.is_some() && answer.name == asked;
        let answer = self.0.iter().find(of)?;
        Some((answer.address?, answer.root.and_then(|root| import(types, answer, root))))
    }
}

/// Is it the whole type of this name?
fn is_named(node: &Node, name: &str) -> bool {
    let (kind, wanted) = name.split_once(' ').unwrap_or(("", name));
    match node {
        Node::Composite { union, tag, members: Some(_), .. } => {
            kind == if *union { "union" } else { "struct" } && tag == wanted
        }
        Node::Enum { tag, names: Some(_), .. } => kind == "enum" && tag == wanted,
        Node::Typedef(typedef, _) => kind.is_empty() && typedef == wanted,
        _ => false,
    }
}

fn import(types: &mut Types, answer: &Answer, root: u32) -> Option<TypeId> {
    let done = vec![State::New; answer.nodes.len()];
    Importer { types, nodes: &answer.nodes, done, depth: 0 }.import(root)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    /// It is being imported: whoever asks for it now is within it.
    Begun,
    Done(TypeId),
}

struct Importer<'a> {
    types: &'a mut Types,
    nodes: &'a [Node],
    done: Vec<State>,
    depth: u32,
}

impl Importer<'_> {
    fn import(&mut self, number: u32) -> Option<TypeId> {
        let at = number as usize;
        match *self.done.get(at)? {
            State::Done(ty) => return Some(ty),
            State::Begun => return None,
            State::New if self.depth >= DEPTH => return None,
            State::New => {}
        }
        self.depth += 1;
        *self.done.get_mut(at)? = State::Begun;
        let ty = self.made(self.nodes.get(at)?);
        self.depth -= 1;
        let ty = ty?;
        *self.done.get_mut(at)? = State::Done(ty);
        Some(ty)
    }

    fn made(&mut self, node: &Node) -> Option<TypeId> {
        Some(match node {
            Node::Basic(name) => self.basic(name)?,
            Node::Pointer(to) => {
                let to = self.import(*to)?;
                self.types.pointer(to)
            }
            Node::Array(of, len) => {
                let of = self.import(*of)?;
                let bytes = self.types.size(of).unwrap_or(1).checked_mul(*len)?;
                if bytes > u64::from(LARGEST) {
                    return None;
                }
                self.types.array(of, *len)
            }
            Node::Composite { union, tag, size, align, members } => {
                let kind = if *union { TagKind::Union } else { TagKind::Struct };
                let ty = self.types.tag(kind, tag);
                if let Some(members) = members
                    && self.types.size(ty).is_none()
                {
                    let members = self.members(members, *size)?;
                    self.types.import_composite(ty, members, *size, (*align).clamp(1, 4096));
                }
                ty
            }
            Node::Enum { tag, bytes, signed, names } => {
                let ty = self.types.tag(TagKind::Enum, tag);
                if let (Some(names), 1 | 2 | 4 | 8) = (names, bytes) {
                    self.types.import_enum(ty, names.clone(), *bytes, *signed);
                }
                ty
            }
            Node::Typedef(name, to) => {
                let to = self.import(*to)?;
                match self.types.typedef(name, to) {
                    Ok(ty) => ty,
                    // The script, or D itself, has a type of that name.
                    Err(old) if self.types.size(old) == self.types.size(to) => old,
                    Err(_) => to,
                }
            }
            Node::Qualified(qualifier, to) => {
                let to = self.import(*to)?;
                let qualifier = match qualifier {
                    0 => Qualifier::Const,
                    1 => Qualifier::Volatile,
                    2 => Qualifier::Restrict,
                    3 => Qualifier::Userland,
                    _ => return None,
                };
                self.types.qualified(qualifier, to)
            }
            Node::Function { ret, params, varargs } => {
                let ret = self.import(*ret)?;
                let params = params.iter().map(|param| self.import(*param)).collect::<Option<_>>()?;
                self.types.add(Type::Function { ret, params, varargs: *varargs })
            }
        })
    }

    /// A basic type by its name: nothing but those that D has anyway.
    fn basic(&self, name: &str) -> Option<TypeId> {
        let basic = self.types.basic();
        Some(match name {
            "void" => basic.void,
            "char" => basic.char,
            "signed char" => basic.signed_char,
            "unsigned char" => basic.unsigned_char,
            "short" => basic.short,
            "unsigned short" => basic.unsigned_short,
            "int" => basic.int,
            "unsigned int" => basic.unsigned_int,
            "long" => basic.long,
            "unsigned long" => basic.unsigned_long,
            "long long" => basic.long_long,
            "unsigned long long" => basic.unsigned_long_long,
            "_Bool" => basic.bool,
            "float" => basic.float,
            "double" => basic.double,
            "long double" => basic.long_double,
            "string" => basic.string,
            _ => return None,
        })
    }

    fn members(&mut self, members: &[NodeMember], size: u32) -> Option<Vec<Member>> {
        if size > LARGEST {
            return None;
        }
        let mut made = Vec::new();
        for member in members {
            let ty = self.import(member.ty)?;
            let end = u64::from(member.offset) + self.types.size(ty).unwrap_or(0);
            let fits = match member.bits {
                // The unit that holds a bit-field may reach beyond the end.
                Some((shift, width)) => {
                    width > 0 && shift as u32 + width as u32 <= 64 && member.offset <= size
                }
                None => end <= u64::from(size),
            };
            if !fits {
                return None;
            }
            made.push(Member { name: member.name.clone(), ty, offset: member.offset, bits: member.bits });
        }
        Some(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(nodes: Vec<Node>) -> RecordedTypes {
        RecordedTypes(vec![Answer { name: "struct s".into(), address: None, root: Some(0), nodes }])
    }

    fn composite(size: u32, members: &[(&str, u32, u32)]) -> Node {
        let member = |(name, ty, offset): &(&str, u32, u32)| NodeMember {
            name: name.to_string(),
            ty: *ty,
            offset: *offset,
            bits: None,
        };
        let members = Some(members.iter().map(member).collect());
        Node::Composite { union: false, tag: "s".into(), size, align: 8, members }
    }

    #[test]
    fn a_list_points_to_itself() {
        let named = Node::Composite { union: false, tag: "s".into(), size: 0, align: 1, members: None };
        let mut source = answer(vec![
            composite(16, &[("next", 1, 0), ("n", 3, 12)]),
            Node::Pointer(2),
            named,
            Node::Basic("int".into()),
        ]);
        let mut types = Types::new(256);
        let id = source.lookup(&mut types, "struct s").unwrap();
        assert_eq!((types.size(id), types.member(id, "n").unwrap().offset), (Some(16), 12));
        let next = types.member(id, "next").unwrap().ty;
        assert_eq!(types.pointee(next), Some(id));
        assert_eq!(source.lookup(&mut types, "struct t"), None);
    }

    #[test]
    fn what_cannot_be_is_no_answer() {
        let int = || Node::Basic("int".into());
        for nodes in [
            vec![composite(16, &[("self", 0, 0)])],
            vec![composite(16, &[("a", 1, 0)]), Node::Typedef("t".into(), 1)],
            vec![composite(16, &[("a", 1, 0)]), Node::Qualified(0, 2), Node::Array(1, 2)],
            vec![composite(16, &[("a", 1, 14)]), int()],
            vec![composite(16, &[("a", 9, 0)])],
            vec![composite(u32::MAX, &[("a", 1, 0)]), int()],
            vec![composite(16, &[("a", 1, 0)]), Node::Array(2, u64::MAX), int()],
            vec![composite(16, &[("a", 1, 0)]), Node::Basic("no such type".into())],
        ] {
            let mut types = Types::new(256);
            assert_eq!(answer(nodes.clone()).lookup(&mut types, "struct s"), None, "{nodes:?}");
        }
    }
}
