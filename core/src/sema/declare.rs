//! Types and declarations: from specifiers and declarators to the type table.

use super::checker::{Checker, InlineDef, Res};
use crate::diagnostic::{Diag, Span, Tag};
use crate::syntax::ast::{self, BaseType, Declarator, Derived, Specifiers, Storage};
use crate::types::{LayoutError, MemberSpec, Qualifier, TagKind, Type, TypeId};

impl Checker<'_> {
    /// The type of a cast, sizeof, parameter, ...
    pub(super) fn type_name(&mut self, name: &ast::TypeName) -> Res<TypeId> {
        let base = self.specifiers(&name.specifiers)?;
        self.derive(base, &name.declarator)
    }

    /// The type that a specifier list names.
    pub(super) fn specifiers(&mut self, s: &Specifiers) -> Res<TypeId> {
        let mut ty = self.base_type(s)?;
        for (set, qualifier) in [
            (s.is_const, Qualifier::Const),
            (s.is_volatile, Qualifier::Volatile),
            (s.userland, Qualifier::Userland),
        ] {
            if set {
                ty = self.types.qualified(qualifier, ty);
            }
        }
        Ok(ty)
    }

    fn base_type(&mut self, s: &Specifiers) -> Res<TypeId> {
        let b = self.types.basic().clone();
        let combo = |tag, message: &str| Err(Diag::error(tag, s.span, message));
        let modified = s.signed + s.unsigned + s.short + s.longs > 0;
        if s.short > 0 && s.longs > 0 {
            return combo(Tag::D_UNKNOWN, "failed to resolve type short long: Unknown type name");
        }
        if (s.signed > 0 && s.unsigned > 0) || s.longs > 2 || s.short > 1 {
            return combo(
                Tag::D_UNKNOWN,
                "failed to resolve type: Unknown type name (conflicting specifiers)",
            );
        }
        let integer = || match (s.short, s.longs, s.unsigned) {
            (1, _, 0) => b.short,
            (1, _, _) => b.unsigned_short,
            (_, 1, 0) => b.long,
            (_, 1, _) => b.unsigned_long,
            (_, 2, 0) => b.long_long,
            (_, 2, _) => b.unsigned_long_long,
            (_, _, 0) => b.int,
            _ => b.unsigned_int,
        };
        match &s.base {
            BaseType::Implicit => Ok(integer()),
            BaseType::Named { module, name } => match (name.text.as_str(), modified) {
                ("int", _) => Ok(integer()),
                ("char", _) if s.short > 0 || s.longs > 0 => combo(
                    Tag::D_DECL_CHARATTR,
                    "invalid type declaration: short and long may not be used with char type",
                ),
                ("char", _) if s.unsigned > 0 => Ok(b.unsigned_char),
                ("char", _) if s.signed > 0 => Ok(b.signed_char),
                ("char", _) => Ok(b.char),
                ("void", true) => combo(
                    Tag::D_DECL_VOIDATTR,
                    "invalid type declaration: attributes may not be used with void type",
                ),
                ("void", _) => Ok(b.void),
                ("double", _) if s.longs == 1 && s.unsigned + s.signed + s.short == 0 => Ok(b.long_double),
                ("float" | "double", true) if s.signed + s.unsigned == 0 => combo(
                    Tag::D_UNKNOWN,
                    "failed to resolve type: Unknown type name (no such floating-point type)",
                ),
                ("float" | "double", true) => combo(
                    Tag::D_DECL_SIGNINT,
                    "invalid type declaration: attributes may not be used with floating-point type",
                ),
                ("float", _) => Ok(b.float),
                ("double", _) => Ok(b.double),
                (_, true) => Err(integer_only(s)),
                (text, false) => self.named_type(module.as_deref(), text, name.span),
            },
            BaseType::Composite { union, module, tag, members } => {
                if modified {
                    return Err(integer_only(s));
                }
                let tag = tag.as_ref().map(|tag| scoped_tag(module.as_deref(), tag));
                self.composite(*union, tag.as_ref(), members.as_deref(), s.span)
            }
            BaseType::Enum { module, tag, constants } => {
                if modified {
                    return Err(integer_only(s));
                }
                let tag = tag.as_ref().map(|tag| scoped_tag(module.as_deref(), tag));
                self.enumeration(tag.as_ref(), constants.as_deref(), s.span)
            }
        }
    }

    /// A typedef's type: the script's own, then the kernel's.
    fn named_type(&mut self, module: Option<&str>, name: &str, span: Span) -> Res<TypeId> {
        let module = module.filter(|module| !is_own(module));
        if module.is_none()
            && let Some(ty) = self.types.lookup_typedef(name)
        {
            return Ok(ty);
        }
        let name = &scoped(module, name);
        if let Some(source) = self.backend.type_source()
            && let Some(ty) = source.lookup(&mut self.types, name)
        {
            return Ok(ty);
        }
        Err(Diag::error(
            Tag::D_DECL_BADTYPE,
            span,
            format!("failed to resolve type {name}: Type name could not be resolved"),
        ))
    }

    /// Completes a struct or union from the kernel's types, if it is there.
    pub(super) fn complete_from_source(&mut self, ty: TypeId) {
        let mut ty = self.types.resolve(ty);
        while let Some((element, _)) = self.types.element(ty) {
            ty = self.types.resolve(element);
        }
        if self.types.composite(ty).is_some_and(|c| c.members.is_none())
            && let Some(source) = self.backend.type_source()
        {
            let name = self.types.name(ty);
            source.lookup(&mut self.types, &name);
        }
    }

    /// A struct, union or enum that is only named so far?
    fn is_incomplete(&self, ty: TypeId) -> bool {
        match self.types.base(ty) {
            Type::Composite(composite) => composite.members.is_none(),
            Type::Enum(enumeration) => enumeration.names.is_none(),
            _ => false,
        }
    }

    fn composite(
        &mut self,
        union: bool,
        tag: Option<&ast::Name>,
        members: Option<&[ast::Declaration]>,
        span: Span,
    ) -> Res<TypeId> {
        let kind = if union { TagKind::Union } else { TagKind::Struct };
        let word = if union { "union" } else { "struct" };
        let text = tag.map_or("", |t| t.text.as_str());
        let known = self.types.lookup_tag(kind, text).filter(|_| !text.is_empty());
        let Some(members) = members else {
            if known.is_none()
                && let Some(source) = self.backend.type_source()
                && let Some(ty) = source.lookup(&mut self.types, &format!("{word} {text}"))
            {
                return Ok(ty);
            }
            return Ok(self.types.tag(kind, text));
        };
        let id = self.types.tag(kind, text);
        if self.types.composite(id).is_some_and(|c| c.members.is_some()) {
            return Err(Diag::error(Tag::D_DECL_TYPERED, span, format!("type redeclared: {word} {text}")));
        }
        let mut specs = Vec::new();
        for declaration in members {
            self.members(declaration, &mut specs)?;
        }
        self.types.complete(id, specs).map_err(|error| match error {
            LayoutError::Complete => {
                Diag::error(Tag::D_DECL_TYPERED, span, format!("type redeclared: {word} {text}"))
            }
            LayoutError::Incomplete(name) => Diag::error(
                Tag::D_DECL_INCOMPLETE,
                span,
                format!("incomplete struct/union/enum type for member {name}"),
            ),
            LayoutError::Duplicate(name) => {
                Diag::error(Tag::D_UNKNOWN, span, format!("member name redeclared: {name}"))
            }
            LayoutError::TooBig => {
                Diag::error(Tag::D_DECL_TOOBIG, span, format!("{word} {text} is too large"))
            }
        })?;
        Ok(id)
    }

    /// The members that one declaration within a struct declares.
    fn members(&mut self, declaration: &ast::Declaration, specs: &mut Vec<MemberSpec>) -> Res<()> {
        let base = self.specifiers(&declaration.specifiers)?;
        if let Some(storage) = declaration.storage {
            let _ = storage;
            return Err(Diag::error(
                Tag::D_DECL_CLASS,
                declaration.span,
                "static, extern and the like may not be used on a struct or union member",
            ));
        }
        if declaration.declarators.is_empty() && self.types.composite(base).is_some() {
            specs.push(MemberSpec::plain("", base));
        }
        for declarator in &declaration.declarators {
            let ty = self.derive(base, declarator)?;
            let name = declarator.name.as_ref().map_or("", |n| n.text.as_str());
            let bits = match &declarator.bits {
                None => None,
                Some(width) => Some(self.bit_width(width, ty, name)?),
            };
            match self.types.base(ty) {
                Type::Void | Type::Function { .. } => {
                    return Err(Diag::error(
                        Tag::D_DECL_VOIDOBJ,
                        declarator.span,
                        format!("cannot have void member: {name}"),
                    ));
                }
                Type::String | Type::Dyn => {}
                _ => {}
            }
            specs.push(MemberSpec { name: name.to_string(), ty, bits });
        }
        Ok(())
    }

    fn bit_width(&mut self, width: &ast::Expr, ty: TypeId, name: &str) -> Res<u8> {
        let Some((bytes, _)) = self.types.integer(ty) else {
            return Err(Diag::error(
                Tag::D_DECL_BFTYPE,
                width.span,
                format!("invalid type for bit-field: {name}"),
            ));
        };
        let Some(value) = self.constant_expr(width).filter(|v| *v >= 0) else {
            return Err(Diag::error(
                Tag::D_DECL_BFCONST,
                width.span,
                format!("positive integral constant expression expected as bit-field size: {name}"),
            ));
        };
        if value as u64 > bytes as u64 * 8 {
            return Err(Diag::error(
                Tag::D_DECL_BFSIZE,
                width.span,
                format!("bit-field too big for type: {name}"),
            ));
        }
        if value == 0 && !name.is_empty() {
            return Err(Diag::error(
                Tag::D_DECL_BFCONST,
                width.span,
                format!("positive integral constant expression expected as bit-field size: {name}"),
            ));
        }
        Ok(value as u8)
    }

    fn enumeration(
        &mut self,
        tag: Option<&ast::Name>,
        constants: Option<&[(ast::Name, Option<ast::Expr>)]>,
        span: Span,
    ) -> Res<TypeId> {
        let text = tag.map_or("", |t| t.text.as_str());
        let Some(constants) = constants else {
            if self.types.lookup_tag(TagKind::Enum, text).is_none()
                && let Some(source) = self.backend.type_source()
                && let Some(ty) = source.lookup(&mut self.types, &format!("enum {text}"))
            {
                return Ok(ty);
            }
            return Ok(self.types.tag(TagKind::Enum, text));
        };
        let id = self.types.tag(TagKind::Enum, text);
        if matches!(self.types.base(id), Type::Enum(e) if e.names.is_some()) {
            return Err(Diag::error(Tag::D_DECL_TYPERED, span, format!("type redeclared: enum {text}")));
        }
        let mut names: Vec<(String, i64)> = Vec::new();
        let mut next = 0i64;
        for (name, value) in constants {
            if let Some(value) = value {
                next = self.constant_expr(value).ok_or_else(|| {
                    Diag::error(
                        Tag::D_DECL_ENCONST,
                        value.span,
                        format!(
                            "enumerator '{}' must be assigned to an integral constant expression",
                            name.text
                        ),
                    )
                })?;
            }
            if i32::try_from(next).is_err() {
                return Err(Diag::error(
                    Tag::D_DECL_ENOFLOW,
                    name.span,
                    format!("enumerator '{}' value overflows INT_MAX (2147483647)", name.text),
                ));
            }
            if names.iter().any(|(n, _)| *n == name.text) {
                return Err(Diag::error(
                    Tag::D_DECL_IDRED,
                    name.span,
                    format!("identifier redeclared: {}", name.text),
                ));
            }
            names.push((name.text.clone(), next));
            next += 1;
        }
        self.types
            .complete_enum(id, names)
            .map_err(|name| Diag::error(Tag::D_DECL_IDRED, span, format!("identifier redeclared: {name}")))?;
        Ok(id)
    }

    /// Applies a declarator's `*`, `[n]`, `()` to a base type. Associative arrays are not
    /// types here: their `Derived::Assoc` is left to the caller.
    pub(super) fn derive(&mut self, base: TypeId, declarator: &Declarator) -> Res<TypeId> {
        let mut ty = base;
        for step in declarator.derived.iter().rev() {
            ty = match step {
                Derived::Pointer { is_const, is_volatile, .. } => {
                    let mut pointer = self.types.pointer(ty);
                    if *is_const {
                        pointer = self.types.qualified(Qualifier::Const, pointer);
                    }
                    if *is_volatile {
                        pointer = self.types.qualified(Qualifier::Volatile, pointer);
                    }
                    pointer
                }
                Derived::Array(len) => self.array_type(ty, len.as_deref(), declarator.span)?,
                Derived::Function { params, varargs } => {
                    if matches!(self.types.base(ty), Type::Array { .. } | Type::Function { .. }) {
                        return Err(Diag::error(
                            Tag::D_DECL_FUNCRET,
                            declarator.span,
                            "function may not return an array or function",
                        ));
                    }
                    let mut list = Vec::new();
                    for param in params {
                        list.push(self.param(param)?);
                    }
                    if list.len() == 1 && matches!(self.types.base(list[0]), Type::Void) {
                        list.clear();
                    }
                    if list.iter().any(|&p| matches!(self.types.base(p), Type::Void)) {
                        return Err(Diag::error(
                            Tag::D_DECL_PROTO_VOID,
                            declarator.span,
                            "void must be sole parameter in a function declaration",
                        ));
                    }
                    self.types.add(Type::Function { ret: ty, params: list, varargs: *varargs })
                }
                Derived::Assoc(_) => ty,
            };
        }
        Ok(ty)
    }

    fn array_type(&mut self, of: TypeId, len: Option<&ast::Expr>, span: Span) -> Res<TypeId> {
        match self.types.base(of) {
            Type::Void => return Err(Diag::error(Tag::D_DECL_VOIDOBJ, span, "cannot have array of void")),
            Type::Function { .. } => {
                return Err(Diag::error(Tag::D_DECL_ARRFUNC, span, "array elements may not be functions"));
            }
            _ => {}
        }
        let Some(len) = len else { return Ok(self.types.array(of, 0)) };
        let value = self.constant_expr(len).filter(|v| *v > 0);
        let Some(value) = value else {
            return Err(Diag::error(
                Tag::D_DECL_ARRSUB,
                len.span,
                "positive integral constant expression or tuple signature expected as array declaration subscript",
            ));
        };
        if value > i64::from(u32::MAX) {
            return Err(Diag::error(Tag::D_DECL_ARRBIG, len.span, "array dimension too big"));
        }
        Ok(self.types.array(of, value as u64))
    }

    /// The type of a parameter or key part.
    pub(super) fn param(&mut self, param: &ast::Param) -> Res<TypeId> {
        if param.storage.is_some() {
            return Err(Diag::error(
                Tag::D_DECL_PARMCLASS,
                param.specifiers.span,
                "inappropriate storage class for function or associative array parameter",
            ));
        }
        let base = self.specifiers(&param.specifiers)?;
        let ty = self.derive(base, &param.declarator)?;
        if let Some((of, _)) = self.types.element(ty)
            && !self.types.is_char(of)
        {
            return Ok(self.types.pointer(of));
        }
        Ok(ty)
    }

    /// A declaration at the top level.
    pub(super) fn declaration(&mut self, d: &ast::Declaration) -> Res<()> {
        let base = self.specifiers(&d.specifiers)?;
        if d.declarators.is_empty() {
            let declares = matches!(d.specifiers.base, BaseType::Composite { .. } | BaseType::Enum { .. });
            if !declares {
                return Err(Diag::error(
                    Tag::D_DECL_USELESS,
                    d.span,
                    "useless declaration: it declares nothing",
                ));
            }
            return Ok(());
        }
        for declarator in &d.declarators {
            let ty = self.derive(base, declarator)?;
            let Some(name) = &declarator.name else {
                return Err(Diag::error(Tag::D_DECL_IDENT, declarator.span, "declaration has no name"));
            };
            match d.storage {
                Some(Storage::Typedef) => self.typedef(name, ty)?,
                Some(Storage::Register | Storage::Auto | Storage::Static) => {
                    return Err(Diag::error(
                        Tag::D_DECL_BADCLASS,
                        d.span,
                        "specified storage class not appropriate in D",
                    ));
                }
                storage => self.variable(storage, name, ty, declarator)?,
            }
        }
        Ok(())
    }

    fn typedef(&mut self, name: &ast::Name, ty: TypeId) -> Res<()> {
        if let Err(old) = self.types.typedef(&name.text, ty)
            && self.types.resolve(old) != self.types.resolve(ty)
        {
            return Err(Diag::error(
                Tag::D_DECL_IDRED,
                name.span,
                format!("identifier redeclared: {}", name.text),
            ));
        }
        Ok(())
    }

    /// `int x;`, `self string s;`, `int a[int, string];`, `int a[5];`, function prototypes.
    fn variable(
        &mut self,
        storage: Option<Storage>,
        name: &ast::Name,
        ty: TypeId,
        declarator: &Declarator,
    ) -> Res<()> {
        let scope = match storage {
            Some(Storage::Thread) => ast::Scope::Thread,
            Some(Storage::Clause) => ast::Scope::Clause,
            _ => ast::Scope::Global,
        };
        let key = match declarator.derived.first() {
            Some(Derived::Assoc(params)) => {
                if scope == ast::Scope::Clause {
                    return Err(Diag::error(
                        Tag::D_DECL_LOCASSC,
                        declarator.span,
                        "associative arrays may not be declared as clause-local variables",
                    ));
                }
                let mut key = Vec::new();
                for param in params {
                    let part = self.param(param)?;
                    if matches!(self.types.base(part), Type::Void) {
                        return Err(Diag::error(
                            Tag::D_DECL_PROTO_VOID,
                            declarator.span,
                            "void may not be used as an associative array key",
                        ));
                    }
                    key.push(part);
                }
                Some(key)
            }
            _ => None,
        };
        match self.types.base(ty) {
            // Prototypes of functions say nothing new.
            Type::Function { .. } => return Ok(()),
            Type::Void => {
                return Err(Diag::error(
                    Tag::D_DECL_VOIDOBJ,
                    name.span,
                    format!("cannot have void {}: {}", "object", name.text),
                ));
            }
            Type::Array { len: 0, .. } => {
                return Err(Diag::error(
                    Tag::D_DECL_ARRNULL,
                    name.span,
                    format!("array dimensions must be declared: {}", name.text),
                ));
            }
            Type::Composite(_) | Type::Enum(_) if self.is_incomplete(ty) => {
                return Err(Diag::error(
                    Tag::D_DECL_INCOMPLETE,
                    name.span,
                    format!("incomplete struct/union/enum {}: {}", self.types.name(ty), name.text),
                ));
            }
            _ => {}
        }
        if scope == ast::Scope::Global
            && (super::variables::builtin(&name.text).is_some()
                || crate::builtins::functions::find(&name.text).is_some()
                || self.types.lookup_typedef(&name.text).is_some()
                || self.inlines.contains_key(&name.text)
                || self.types.enumerator(&name.text).is_some())
        {
            return Err(Diag::error(
                Tag::D_DECL_IDRED,
                name.span,
                format!("identifier redeclared: {}", name.text),
            ));
        }
        if let Some(old) = self.variables.get(&(scope, name.text.clone())) {
            let same = self.types.resolve(old.ty) == self.types.resolve(ty)
                && old.key.as_ref().map(Vec::len) == key.as_ref().map(Vec::len);
            if same {
                return Ok(());
            }
            return Err(Diag::error(
                Tag::D_DECL_IDRED,
                name.span,
                format!(
                    "identifier redeclared: {}\n\t current: {}\n\tprevious: {}",
                    name.text,
                    self.types.name(ty),
                    self.types.name(old.ty)
                ),
            ));
        }
        self.add_variable(scope, &name.text, ty, key, name.span)?;
        Ok(())
    }

    /// `inline int NAME = expr;`, `inline int f[int a] = expr;`.
    pub(super) fn inline(&mut self, inline: &ast::Inline) -> Res<()> {
        let base = self.specifiers(&inline.specifiers)?;
        let ty = self.derive(base, &inline.declarator)?;
        let Some(name) = &inline.declarator.name else {
            return Err(Diag::error(Tag::D_DECL_IDENT, inline.span, "inline definition has no name"));
        };
        if self.inlines.contains_key(&name.text)
            || self.variables.contains_key(&(ast::Scope::Global, name.text.clone()))
            || super::variables::builtin(&name.text).is_some()
        {
            return Err(Diag::error(
                Tag::D_DECL_IDRED,
                name.span,
                format!("identifier redefined: {}", name.text),
            ));
        }
        if matches!(self.types.base(ty), Type::Void) {
            return Err(Diag::error(
                Tag::D_DECL_VOIDOBJ,
                name.span,
                format!("cannot declare void inline: {}", name.text),
            ));
        }
        let mut params = Vec::new();
        if let Some(Derived::Assoc(list)) = inline.declarator.derived.first() {
            for param in list {
                let ty = self.param(param)?;
                let Some(name) = &param.declarator.name else {
                    return Err(Diag::error(
                        Tag::D_DECL_FUNCIDENT,
                        param.specifiers.span,
                        "inline parameter has no name",
                    ));
                };
                params.push((name.text.clone(), ty));
            }
        }
        let def = InlineDef { ty, params, value: inline.value.clone() };
        // Checked once where it stands, so that errors do not wait for a use.
        if def.params.is_empty() {
            self.expand_inline(&def, Vec::new(), inline.span)?;
        }
        self.inlines.insert(name.text.clone(), def);
        Ok(())
    }
}

/// The script's own types may be called those of a module, `D` or (as C's) `C`.
fn is_own(module: &str) -> bool {
    matches!(module, "D" | "C")
}

/// A name as the backend looks it up: ``vmlinux`pid_t``.
fn scoped(module: Option<&str>, name: &str) -> String {
    module.map_or_else(|| name.to_string(), |module| format!("{module}`{name}"))
}

fn scoped_tag(module: Option<&str>, tag: &ast::Name) -> ast::Name {
    ast::Name { text: scoped(module.filter(|module| !is_own(module)), &tag.text), span: tag.span }
}

/// `unsigned struct s`, `long string`: attributes for integers on what is none.
fn integer_only(s: &Specifiers) -> Diag {
    if s.signed + s.unsigned > 0 {
        let message = "invalid type declaration: signed and unsigned may only be used with integer type";
        return Diag::error(Tag::D_DECL_SIGNINT, s.span, message);
    }
    let message = "invalid type declaration: short, long and long long may only be used with integer or floating-point type";
    Diag::error(Tag::D_DECL_LONGINT, s.span, message)
}
