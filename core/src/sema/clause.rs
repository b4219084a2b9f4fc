//! Clauses: probe descriptions, predicate, body.

use super::checker::{Checker, ClauseContext, Res};
use super::node::{Kind, Node, cast, constant, expr};
use crate::diagnostic::{Diag, Span, Tag};
use crate::ir::{self, ActionKind, Enabling, ExprKind, Stmt};
use crate::probe::{Probe, ProbeDesc};
use crate::syntax::ast;

impl Checker<'_> {
    /// Checks a clause and adds it to the program.
    pub(super) fn clause(&mut self, clause: &ast::Clause, zdefs: bool) -> Res<ir::ClauseId> {
        self.clause = ClauseContext::default();
        let result = self.checked_clause(clause, zdefs);
        let here = self.clause.untyped.take();
        self.untyped = self.untyped.take().or_else(|| here.clone());
        result.map_err(|diag| match (here, &self.untyped) {
            (_, None) => diag,
            _ if !is_about_type(diag.tag) => diag,
            // Not what was done with args[] is wrong, but that nothing is known of it.
            (Some(why), _) => Diag { tag: Tag::D_ARGS_MULTI, message: why, ..diag },
            // A variable may have it from there.
            (None, Some(why)) => Diag { message: format!("{}: {why}", diag.message), ..diag },
        })
    }

    fn checked_clause(&mut self, clause: &ast::Clause, zdefs: bool) -> Res<ir::ClauseId> {
        let mut enablings = Vec::new();
        for spec in &clause.probes {
            enablings.push(self.enabling(spec, zdefs)?);
        }
        // A predicate may test what only the body assigns: then it is looked at again after the body.
        let early = clause.predicate.as_ref().map(|e| self.predicate(e));
        let later =
            matches!(&early, Some(Err(diag)) if matches!(diag.tag, Tag::D_IDENT_UNDEF | Tag::D_VAR_UNDEF));
        let early = if later { None } else { early.transpose()? };
        let mut body = Vec::new();
        let statements = clause.body.as_deref().unwrap_or(&[]);
        self.statements(statements, &mut body)?;
        let predicate = match &clause.predicate {
            Some(e) if later => Some(self.predicate(e)?),
            _ => early,
        };
        if statements.is_empty() {
            body.push(self.record(ActionKind::Default, Vec::new(), Vec::new(), clause.span));
        }
        let layout = std::mem::take(&mut self.clause.record);
        let record = self.finish_record(layout);
        let id = ir::ClauseId(self.program.clauses.len() as u32);
        self.program.clauses.push(ir::Clause {
            probes: enablings,
            predicate,
            body,
            record,
            span: clause.span,
        });
        Ok(id)
    }

    /// Finds the probes of one description.
    fn enabling(&mut self, spec: &ast::ProbeSpec, zdefs: bool) -> Res<Enabling> {
        let desc = description(spec);
        let found = self.backend.match_probes(&desc).map_err(|error| {
            let mut diag = Diag::error(Tag::D_PDESC_INVAL, spec.span, error.message);
            diag.notes = error.notes;
            diag
        })?;
        if found.probes.is_empty() && !zdefs && !found.open_ended_only() {
            let mut notes = found.notes;
            let (tag, message) = match (found.tag.filter(|_| !notes.is_empty()), desc.id) {
                (Some(tag), _) => {
                    (tag, format!("invalid probe description {}: {}", shown(&desc), notes.remove(0)))
                }
                (None, Some(id)) => {
                    notes.clear();
                    (Tag::D_PDESC_INVAL, format!("invalid probe identifier {id}: Unknown probe identifier"))
                }
                (None, None) => (
                    Tag::D_PDESC_ZERO,
                    format!("probe description {} does not match any probes", shown(&desc)),
                ),
            };
            return Err(Diag { notes, ..Diag::error(tag, spec.span, message) });
        }
        if found.probes.is_empty() && self.clause.unmatched.is_none() {
            self.clause.unmatched = Some((desc.clone(), found.notes.first().cloned()));
        }
        for id in &found.probes {
            if let Some(probe) = self.backend.probe(*id) {
                self.clause.probes.push(probe.clone());
            }
        }
        Ok(Enabling { desc, probes: found.probes, span: spec.span })
    }

    fn predicate(&mut self, e: &ast::Expr) -> Res<ir::Expr> {
        self.clause.in_predicate = true;
        let node = self.operand(e);
        self.clause.in_predicate = false;
        let node = node?;
        if node.is_void() || matches!(node.kind, Kind::Translated { .. }) || !self.types.is_scalar(node.ty) {
            return Err(Diag::error(Tag::D_PRED_SCALAR, e.span, "predicate result must be of scalar type"));
        }
        self.rvalue(node)
    }

    fn statements(&mut self, statements: &[ast::Stmt], out: &mut Vec<Stmt>) -> Res<()> {
        for statement in statements {
            match statement {
                ast::Stmt::Expr(e) => self.statement(e, out)?,
                ast::Stmt::If { cond, then, otherwise, .. } => {
                    let cond = self.predicate(cond).map_err(|mut diag| {
                        if diag.tag == Tag::D_PRED_SCALAR {
                            diag.message = "if condition must be of scalar type".to_string();
                        }
                        diag
                    })?;
                    self.clause.depth += 1;
                    let (mut yes, mut no) = (Vec::new(), Vec::new());
                    self.statements(then, &mut yes)?;
                    self.statements(otherwise, &mut no)?;
                    self.clause.depth -= 1;
                    out.push(Stmt::If { cond, then: yes, otherwise: no });
                }
            }
        }
        Ok(())
    }

    fn statement(&mut self, e: &ast::Expr, out: &mut Vec<Stmt>) -> Res<()> {
        if self.aggregate_statement(e, out)? || self.action_statement(e, out)? {
            return Ok(());
        }
        if let ast::ExprKind::Comma(a, b) = &e.kind
            && !self.is_action(a)
            && !self.is_action(b)
        {
            self.statement(a, out)?;
            return self.statement(b, out);
        }
        if let ast::ExprKind::Cond(cond, yes, no) = &e.kind
            && (self.is_action(yes) || self.is_action(no))
        {
            // Only one of the two happens, as in an `if`.
            let cond = self.truth(cond, "?:")?;
            self.clause.depth += 1;
            let (mut then, mut otherwise) = (Vec::new(), Vec::new());
            self.statement(yes, &mut then)?;
            self.statement(no, &mut otherwise)?;
            self.clause.depth -= 1;
            out.push(Stmt::If { cond, then, otherwise });
            return Ok(());
        }
        let node = self.expr(e)?;
        let value = self.effect(node)?;
        out.push(Stmt::Expr(value));
        Ok(())
    }

    /// Is it a call of an action?
    pub(super) fn is_action(&self, e: &ast::Expr) -> bool {
        use crate::builtins::FunctionKind;
        matches!(&e.kind, ast::ExprKind::Call { function, .. }
            if self.callee(function).is_ok_and(|row| matches!(row.kind, FunctionKind::Action(_) | FunctionKind::Effect { .. })))
    }

    /// `args[n]`: the probe's typed argument.
    pub(super) fn args(&mut self, index: &[ast::Expr], span: Span) -> Res<Node> {
        let vouched = |probe: &crate::probe::Probe| super::stability::Vouched::by(&probe.provider).args;
        let args: Vec<_> = self.clause.probes.iter().map(vouched).collect();
        args.into_iter().for_each(|attributes| self.names(attributes));
        let [only] = index else {
            return Err(Diag::error(Tag::D_PROTO_LEN, span, "args[ ] takes one index"));
        };
        let Some(n) = self.constant_expr(only) else {
            return Err(Diag::error(
                Tag::D_PROTO_ARG,
                only.span,
                "args[ ] argument #1 is incompatible with prototype:\n\tprototype: integer constant",
            ));
        };
        let probes = std::mem::take(&mut self.clause.probes);
        let result = self.typed_argument(&probes, n, span);
        self.clause.probes = probes;
        result
    }

    /// Why `args[]` have no types in a clause whose descriptions match nothing.
    fn why_untyped(&mut self) -> String {
        let Some((desc, note)) = self.clause.unmatched.clone() else { return String::new() };
        let all = ProbeDesc { provider: desc.provider.clone(), ..ProbeDesc::default() };
        let reason = match note {
            Some(note) => format!(" ({note})"),
            None if !desc.provider.is_empty()
                && self.backend.match_probes(&all).is_ok_and(|found| found.probes.is_empty()) =>
            {
                format!(" (there is no provider {})", desc.provider)
            }
            None => String::new(),
        };
        format!(
            "args[ ] may not be referenced because probe description {} does not match any probes{reason}",
            shown(&desc)
        )
    }

    fn typed_argument(&mut self, probes: &[Probe], n: i64, span: Span) -> Res<Node> {
        let Some(first) = probes.first() else {
            // Nothing matched (-Z): an integer will do, the clause never runs.
            self.clause.untyped = Some(self.why_untyped());
            return Ok(Node::value(self.types.basic().int64, constant(0, ir::Ty::I64, span)));
        };
        let name = |p: &Probe| format!("{}:{}:{}:{}", p.provider, p.module, p.function, p.name);
        let Some(args) = &first.args else {
            return Err(Diag::error(
                Tag::D_ARGS_NONE,
                span,
                format!(
                    "no args[ ] are defined: {} has no typed arguments (arg0, arg1, ... are)",
                    name(first)
                ),
            ));
        };
        let Some(arg) = usize::try_from(n).ok().and_then(|n| args.get(n)) else {
            return Err(Diag::error(
                Tag::D_ARGS_IDX,
                span,
                format!("index {n} is out of range for {} args[ ] ({} arguments)", name(first), args.len()),
            ));
        };
        if let Some(other) =
            probes.iter().find(|p| p.args.as_ref().and_then(|a| a.get(n as usize)) != Some(arg))
        {
            return Err(Diag::error(
                Tag::D_ARGS_MULTI,
                span,
                format!("args[{n}] has different types in {} and {}", name(first), name(other)),
            ));
        }
        let native = self.prototype(arg.native.as_deref().unwrap_or(&arg.ty), span).map_err(|diag| {
            Diag::error(
                Tag::D_ARGS_TYPE,
                span,
                format!("failed to resolve native type for args[{n}]: {}", diag.message),
            )
        })?;
        let ir_ty = self.value_type(native, span)?;
        let raw = expr(ExprKind::Arg(arg.from), ir::Ty::I64, span);
        let node = match ir_ty {
            ir::Ty::Int { .. } => Node::value(native, cast(raw, ir_ty)),
            ir::Ty::Str => {
                let addr = Box::new(cast(raw, ir::Ty::U64));
                let space = if arg.native.is_some() { ir::Space::Any } else { ir::Space::User };
                let kind = ExprKind::LoadStr { addr, space, max: None };
                return Ok(Node::value(native, expr(kind, ir::Ty::Str, span)));
            }
            _ => {
                return Err(Diag::error(
                    Tag::D_ARGS_TYPE,
                    span,
                    format!("args[{n}] has a type that cannot be an argument: {}", arg.ty),
                ));
            }
        };
        if arg.native.is_none() {
            return Ok(node);
        }
        let wanted = self.prototype(&arg.ty, span)?;
        self.translated(wanted, node, span)
    }
}

/// Is a finding one that an operand of another type would not have led to?
fn is_about_type(tag: Tag) -> bool {
    [
        Tag::D_ADDROF_LVAL,
        Tag::D_DEREF_NONPTR,
        Tag::D_OP_INCOMPAT,
        Tag::D_OP_INT,
        Tag::D_OP_PTR,
        Tag::D_OP_SOU,
        Tag::D_PROTO_ARG,
        Tag::D_XLATE_NONE,
    ]
    .contains(&tag)
}

/// A description's four parts from what was written.
pub(super) fn description(spec: &ast::ProbeSpec) -> ProbeDesc {
    let mut desc = ProbeDesc::default();
    if spec.parts.len() == 1
        && let Ok(id) = spec.text.trim().parse::<u32>()
    {
        desc.id = Some(id);
        return desc;
    }
    let slots = [&mut desc.name, &mut desc.function, &mut desc.module, &mut desc.provider];
    for (slot, part) in slots.into_iter().zip(spec.parts.iter().rev()) {
        *slot = part.clone();
    }
    desc
}

/// A description as dtrace shows it: without leading empty parts.
fn shown(desc: &ProbeDesc) -> String {
    desc.to_string()
}
