//! Keeps what the compiler asks of the kernel's types, while a script is compiled that will be recorded.

use crate::file::{Answer, Node, NodeMember};
use duotrace_core::backend::{
    Backend, BackendError, LibraryPart, LoadError, ProbeMatch, Session, TypeSource,
};
use duotrace_core::ir::Program;
use duotrace_core::options::Options;
use duotrace_core::probe::{Probe, ProbeDesc, ProbeId};
use duotrace_core::types::{Qualifier, Type, TypeId, Types};
use std::collections::HashMap;

/// Answers that are kept: a script asks for a few.
const MOST: usize = 4096;

/// A backend whose answers about types are kept.
pub struct Watched<'a> {
    inner: &'a mut dyn Backend,
    answers: Vec<Answer>,
}

impl<'a> Watched<'a> {
    /// Watches a backend.
    pub fn new(inner: &'a mut dyn Backend) -> Watched<'a> {
        Watched { inner, answers: Vec::new() }
    }

    /// What it answered.
    pub fn answers(self) -> Vec<Answer> {
        self.answers
    }

    fn keep(&mut self, types: &Types, name: String, address: Option<u64>, ty: Option<TypeId>) {
        let known = |answer: &Answer| answer.name == name && answer.address.is_some() == address.is_some();
        if self.answers.len() >= MOST || self.answers.iter().any(known) {
            return;
        }
        let mut collector = Collector { types, nodes: Vec::new(), numbers: HashMap::new() };
        let root = ty.map(|ty| collector.number(ty, true));
        self.answers.push(Answer { name, address, root, nodes: collector.nodes });
    }
}

impl Backend for Watched<'_> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn match_probes(&mut self, desc: &ProbeDesc) -> Result<ProbeMatch, BackendError> {
        self.inner.match_probes(desc)
    }

    fn probe(&self, id: ProbeId) -> Option<&Probe> {
        self.inner.probe(id)
    }

    fn type_source(&mut self) -> Option<&mut dyn TypeSource> {
        self.inner.type_source()?;
        Some(self)
    }

    fn library(&self) -> Vec<LibraryPart<'_>> {
        self.inner.library()
    }

    fn load(&mut self, program: &Program, options: &Options) -> Result<Box<dyn Session>, LoadError> {
        self.inner.load(program, options)
    }
}

impl TypeSource for Watched<'_> {
    fn lookup(&mut self, types: &mut Types, name: &str) -> Option<TypeId> {
        let ty = self.inner.type_source()?.lookup(types, name)?;
        self.keep(types, name.to_string(), None, Some(ty));
        Some(ty)
    }

    fn symbol(
        &mut self,
        types: &mut Types,
        module: Option<&str>,
        name: &str,
    ) -> Option<(u64, Option<TypeId>)> {
        let (address, ty) = self.inner.type_source()?.symbol(types, module, name)?;
        let asked = module.map_or_else(|| name.to_string(), |module| format!("{module}`{name}"));
        self.keep(types, asked, Some(address), ty);
        Some((address, ty))
    }
}

/// Takes a type out of the compiler's table with all it needs to have a size.
struct Collector<'a> {
    types: &'a Types,
    nodes: Vec<Node>,
    /// By type, and whether its members are wanted.
    numbers: HashMap<(TypeId, bool), u32>,
}

impl Collector<'_> {
    /// The number of a type. `whole`: it is there by value; what is only pointed to and has a name is named.
    fn number(&mut self, id: TypeId, whole: bool) -> u32 {
        if let Some(known) = self.numbers.get(&(id, whole)) {
            return *known;
        }
        let number = self.nodes.len() as u32;
        self.nodes.push(Node::Basic("void".to_string()));
        self.numbers.insert((id, whole), number);
        let node = self.node(id, whole);
        if let Some(place) = self.nodes.get_mut(number as usize) {
            *place = node;
        }
        number
    }

    fn node(&mut self, id: TypeId, whole: bool) -> Node {
        match self.types.get(id) {
            Type::Int(int) => Node::Basic(int.name.to_string()),
            Type::Float { name, .. } => Node::Basic(name.to_string()),
            Type::String => Node::Basic("string".to_string()),
            // D's own have no place in the kernel's types.
            Type::Void | Type::Dyn | Type::Stack | Type::Symaddr | Type::Usymaddr => {
                Node::Basic("void".to_string())
            }
            Type::Pointer(to) => Node::Pointer(self.number(*to, false)),
            Type::Array { of, len } => Node::Array(self.number(*of, whole), *len),
            Type::Typedef { name, to } => Node::Typedef(name.clone(), self.number(*to, whole)),
            Type::Qualified { qualifier, to } => {
                let qualifier = match qualifier {
                    Qualifier::Const => 0,
                    Qualifier::Volatile => 1,
                    Qualifier::Restrict => 2,
                    Qualifier::Userland => 3,
                };
                Node::Qualified(qualifier, self.number(*to, whole))
            }
            Type::Function { ret, params, varargs } => {
                let ret = self.number(*ret, false);
                let params = params.iter().map(|param| self.number(*param, false)).collect();
                Node::Function { ret, params, varargs: *varargs }
            }
            Type::Enum(found) => Node::Enum {
                tag: found.tag.clone(),
                bytes: found.bytes,
                signed: found.signed,
                names: found.names.clone(),
            },
            Type::Composite(found) => {
                let wanted = found.members.as_ref().filter(|_| whole || found.tag.is_empty());
                let members = wanted.map(|members| {
                    let member = |member: &duotrace_core::types::Member| NodeMember {
                        name: member.name.clone(),
                        ty: self.number(member.ty, true),
                        offset: member.offset,
                        bits: member.bits,
                    };
                    members.iter().map(member).collect()
                });
                let (union, tag) = (found.union, found.tag.clone());
                Node::Composite { union, tag, size: found.size, align: found.align, members }
            }
        }
    }
}
