//! The checker's state: what the script has declared so far, and the clause in hand.
//!
//! One [`Checker`] lives for a whole compilation. Its methods are spread over
//! the files of this room by what they check; this file holds the state and the
//! small helpers that all of them use.

use super::node::Node;
use super::translate::Translator;
use crate::backend::Backend;
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir;
use crate::options::{Options, opt};
use crate::probe::{Probe, ProbeDesc};
use crate::syntax::ast;
use crate::types::{Type, TypeId, Types};
use std::collections::HashMap;

/// Result of checking one thing: the first error ends it.
pub(super) type Res<T> = Result<T, Diag>;

/// An `inline` definition: expanded where it is used.
#[derive(Clone, Debug)]
pub(super) struct InlineDef {
    pub ty: TypeId,
    pub params: Vec<(String, TypeId)>,
    pub value: ast::Expr,
}

/// A variable as the checker knows it.
#[derive(Clone, Debug)]
pub(super) struct VarInfo {
    pub id: ir::VarId,
    pub ty: TypeId,
    /// Key part types of an associative array.
    pub key: Option<Vec<TypeId>>,
}

/// An aggregation as the checker knows it.
#[derive(Clone, Debug)]
pub(super) struct AggInfo {
    pub id: ir::AggId,
    pub key: Vec<TypeId>,
}

/// What is known while the body of one clause is checked.
#[derive(Clone, Debug, Default)]
pub(super) struct ClauseContext {
    /// The probes that match now.
    pub probes: Vec<Probe>,
    /// The first description that matches nothing, and the backend's reason.
    pub unmatched: Option<(ProbeDesc, Option<String>)>,
    /// `args[]` were used though nothing is known of their types: why not.
    pub untyped: Option<String>,
    pub record: ir::RecordLayout,
    /// Depth of enclosing `if`s: actions within need presence bits.
    pub depth: u32,
    /// What has been seen so far, for the rules on speculation.
    pub speculated: bool,
    pub committed: bool,
    pub recorded: bool,
    pub in_predicate: bool,
}

/// The state of one compilation.
pub(super) struct Checker<'b> {
    pub types: Types,
    pub backend: &'b mut dyn Backend,
    pub program: ir::Program,
    pub variables: HashMap<(ast::Scope, String), VarInfo>,
    pub inlines: HashMap<String, InlineDef>,
    pub aggregations: HashMap<String, AggInfo>,
    pub translators: Vec<Translator>,
    pub providers: HashMap<String, ast::Provider>,
    /// Which pragma names which identifier, and where: one that never comes is an error.
    pub named_by_pragmas: Vec<(&'static str, String, Span)>,
    /// Parameters of the inline or translator being expanded, innermost last.
    pub bindings: Vec<(String, Node)>,
    pub inline_depth: u32,
    pub clause: ClauseContext,
    pub destructive: bool,
    /// The first destructive action, when there may be none.
    pub refused: Option<Diag>,
    pub strsize: u32,
    /// Most parts of an associative array's key (`-x tregs`).
    pub tuple_registers: u32,
    /// Why `args[]` had no types in a clause before.
    pub untyped: Option<String>,
    /// Most bytes that `print()` shows of what a pointer points to (`-x printsize`).
    pub print_size: u32,
    /// Stability the script asks for (`-x amin`), as a rank.
    pub amin: Option<super::stability::Attributes>,
    /// The least stable of what the statements of a text have named.
    pub attributes: super::stability::Attributes,
    pub stack_limits: StackLimits,
    /// The structures that hold call traces.
    pub stack_types: Vec<(ir::StackSpec, TypeId)>,
}

/// Default numbers of frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct StackLimits {
    pub stack: u32,
    pub ustack: u32,
    pub jstack: u32,
    pub jstack_strsize: u32,
}

impl StackLimits {
    /// As the options say.
    pub fn of(options: &Options) -> StackLimits {
        let number = |o| options.number(o).min(u32::MAX as u64) as u32;
        StackLimits {
            stack: number(opt::STACKFRAMES),
            ustack: number(opt::USTACKFRAMES),
            jstack: number(opt::JSTACKFRAMES),
            jstack_strsize: number(opt::JSTACKSTRSIZE),
        }
    }
}

impl<'b> Checker<'b> {
    pub fn new(backend: &'b mut dyn Backend, strsize: u32) -> Checker<'b> {
        Checker {
            types: Types::new(strsize),
            backend,
            program: ir::Program { strsize, ..ir::Program::default() },
            variables: HashMap::new(),
            inlines: HashMap::new(),
            aggregations: HashMap::new(),
            translators: Vec::new(),
            providers: HashMap::new(),
            named_by_pragmas: Vec::new(),
            bindings: Vec::new(),
            inline_depth: 0,
            clause: ClauseContext::default(),
            destructive: false,
            refused: None,
            strsize,
            tuple_registers: 8,
            untyped: None,
            print_size: 4096,
            amin: None,
            attributes: super::stability::Attributes::STABLE,
            stack_limits: StackLimits { stack: 20, ustack: 20, jstack: 50, jstack_strsize: 512 },
            stack_types: Vec::new(),
        }
    }

    /// A type's name for a message, quoted as dtrace does.
    pub fn quoted(&self, ty: TypeId) -> String {
        format!("\"{}\"", self.types.name(ty))
    }

    /// Notes what a statement names. What an inline or translator names in turn is its own affair.
    pub fn names(&mut self, attributes: super::stability::Attributes) {
        if self.inline_depth == 0 {
            self.attributes = self.attributes.least(attributes);
        }
    }

    /// The executor's view of a C type; `None` for types without values.
    pub fn ir_type(&self, ty: TypeId) -> Option<ir::Ty> {
        Some(match self.types.base(ty) {
            Type::Int(int) => ir::Ty::Int { bytes: int.bytes, signed: int.signed },
            Type::Enum(e) => ir::Ty::Int { bytes: e.bytes, signed: e.signed },
            Type::Pointer(_) | Type::Function { .. } => ir::Ty::U64,
            Type::String => ir::Ty::Str,
            Type::Array { .. } | Type::Composite(_) | Type::Float { .. } => {
                ir::Ty::Bytes(u32::try_from(self.types.size(ty)?).ok()?)
            }
            Type::Void => ir::Ty::Void,
            _ => return None,
        })
    }

    /// The executor's view, or an error at `span`.
    pub fn value_type(&self, ty: TypeId, span: Span) -> Res<ir::Ty> {
        self.ir_type(ty).ok_or_else(|| {
            Diag::error(
                Tag::D_OP_INCOMPLETE,
                span,
                format!("operand cannot have incomplete type {}", self.quoted(ty)),
            )
        })
    }

    /// Adds a variable to the program.
    pub fn add_variable(
        &mut self,
        scope: ast::Scope,
        name: &str,
        ty: TypeId,
        key: Option<Vec<TypeId>>,
        span: Span,
    ) -> Res<VarInfo> {
        let ir_ty = self.value_type(ty, span)?;
        if let ir::Ty::Bytes(size) = ir_ty
            && size > MAX_OBJECT
        {
            return Err(Diag::error(
                Tag::D_DECL_TOOBIG,
                span,
                format!("object {name} is too large: {size} bytes (at most {MAX_OBJECT})"),
            ));
        }
        let mut key_types = Vec::new();
        for part in key.iter().flatten() {
            key_types.push(self.key_part_type(*part, span)?);
        }
        let id = ir::VarId(self.program.variables.len() as u32);
        self.program.variables.push(ir::Variable {
            name: name.to_string(),
            scope: match scope {
                ast::Scope::Global => ir::Scope::Global,
                ast::Scope::Thread => ir::Scope::ThreadLocal,
                ast::Scope::Clause => ir::Scope::ClauseLocal,
            },
            ty: ir_ty,
            key: key.as_ref().map(|_| key_types),
            span,
        });
        let info = VarInfo { id, ty, key };
        self.variables.insert((scope, name.to_string()), info.clone());
        Ok(info)
    }

    /// The executor's view of a key part.
    pub fn key_part_type(&self, ty: TypeId, span: Span) -> Res<ir::Ty> {
        match self.types.base(ty) {
            Type::Array { .. } if self.is_stringlike(ty) => Ok(ir::Ty::Str),
            _ => self.value_type(ty, span),
        }
    }

    /// `string`, `char *` or `char[]`?
    pub fn is_stringlike(&self, ty: TypeId) -> bool {
        match self.types.base(ty) {
            Type::String => true,
            Type::Pointer(to) => self.types.is_char(*to),
            Type::Array { of, .. } => self.types.is_char(*of),
            _ => false,
        }
    }
}

/// The largest object a variable can be (illumos: 16 KB).
pub(super) const MAX_OBJECT: u32 = 16 * 1024;
