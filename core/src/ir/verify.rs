//! The IR's own rules, checked: what `sema` makes, what a text says, what a recorder rewrites.
//!
//! Executors rely on these rules and do not look again; a program that breaks one is
//! a bug in whatever made it, so a debug build stops there.

use super::*;

/// Finds the first breach of the rules: what is wrong, with the expression that is.
pub fn verify(program: &Program) -> Result<(), String> {
    if !(2..=1 << 20).contains(&program.strsize) {
        return Err(format!("strsize {} is out of bounds", program.strsize));
    }
    let verifier = Verifier { program, clause: None };
    for var in &program.variables {
        let parts = var.key.iter().flatten();
        parts.chain([&var.ty]).try_for_each(|ty| verifier.storable(*ty, &var.name))?;
    }
    for (index, clause) in program.clauses.iter().enumerate() {
        let verifier = Verifier { program, clause: Some(clause) };
        verifier.clause(clause).map_err(|what| format!("clause {index}: {what}"))?;
    }
    Ok(())
}

struct Verifier<'a> {
    program: &'a Program,
    clause: Option<&'a Clause>,
}

type Res = Result<(), String>;

fn is_number(ty: Ty) -> bool {
    matches!(ty, Ty::Int { .. } | Ty::Symbol(_))
}

/// Bytes that an access of this type spans.
fn width(ty: Ty) -> u64 {
    match ty {
        Ty::Int { bytes, .. } => u64::from(bytes),
        Ty::Bytes(size) => u64::from(size),
        _ => 8,
    }
}

fn ensure(fine: bool, expr: &Expr, what: &str) -> Res {
    if fine {
        return Ok(());
    }
    let mut shown = super::text::print_expr(expr);
    if let Some((at, _)) = shown.char_indices().nth(300) {
        shown.truncate(at);
    }
    Err(format!("{what}: {shown}"))
}

impl Verifier<'_> {
    fn storable(&self, ty: Ty, name: &str) -> Res {
        match ty {
            Ty::Int { bytes: 1 | 2 | 4 | 8, .. } | Ty::Str | Ty::Bytes(1..) | Ty::Symbol(_) => Ok(()),
            _ => Err(format!("{name} has a type that no variable has: {ty:?}")),
        }
    }

    fn clause(&self, clause: &Clause) -> Res {
        if let Some(predicate) = &clause.predicate {
            self.expr(predicate)?;
            ensure(is_number(predicate.ty), predicate, "a predicate is no number")?;
        }
        let record = &clause.record;
        if !record.size.is_multiple_of(8) {
            return Err(format!("the record has {} bytes, no multiple of 8", record.size));
        }
        for action in &record.actions {
            if action.fields.start > action.fields.end || action.fields.end as usize > record.fields.len() {
                return Err(format!("an action has fields {:?} of {}", action.fields, record.fields.len()));
            }
        }
        let mut end = if record.present { record.actions.len().div_ceil(64) as u64 * 8 } else { 0 };
        for field in &record.fields {
            let size = match field.ty {
                Ty::Str => 8 + u64::from(self.program.strsize.next_multiple_of(8)),
                Ty::Stack(spec) => u64::from(spec.bytes()),
                Ty::Void => 0,
                ty => width(ty),
            };
            if u64::from(field.offset) < end {
                return Err(format!("the field at {} overlaps the one before", field.offset));
            }
            end = u64::from(field.offset) + size;
        }
        if end > u64::from(record.size) {
            return Err(format!("fields end at {end}, the record at {}", record.size));
        }
        self.body(&clause.body)
    }

    fn body(&self, body: &[Stmt]) -> Res {
        body.iter().try_for_each(|stmt| self.statement(stmt))
    }

    fn statement(&self, stmt: &Stmt) -> Res {
        match stmt {
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::If { cond, then, otherwise } => {
                self.number(cond)?;
                self.body(then)?;
                self.body(otherwise)
            }
            Stmt::Aggregate { agg, key, value, increment, .. } => {
                let Some(def) = self.program.aggregations.get(agg.0 as usize) else {
                    return Err(format!("no aggregation {}", agg.0));
                };
                if key.len() != def.key.len() {
                    return Err(format!("@{} has a key of {} parts", def.name, def.key.len()));
                }
                for (part, ty) in key.iter().zip(&def.key) {
                    self.value(part, *ty)?;
                }
                value.iter().chain(increment).try_for_each(|value| self.number(value))
            }
            Stmt::Record { action, values, .. } => {
                let Some(record) = self.clause.map(|clause| &clause.record) else { return Ok(()) };
                let Some(def) = record.actions.get(*action as usize) else {
                    return Err(format!("no action {action}"));
                };
                let fields = record.fields.get(def.fields.start as usize..def.fields.end as usize);
                let fields = fields.unwrap_or(&[]);
                if fields.len() != values.len() {
                    return Err(format!("action {action} has {} fields", fields.len()));
                }
                values.iter().zip(fields).try_for_each(|(value, field)| self.value(value, field.ty))
            }
            Stmt::Effect { args, .. } => args.iter().try_for_each(|arg| self.number(arg)),
        }
    }

    /// A value for a record's field or a key's part of a type.
    fn value(&self, expr: &Expr, ty: Ty) -> Res {
        match ty {
            Ty::Stack(spec) => self.call_trace(expr, spec),
            Ty::Void => self.expr(expr),
            Ty::Int { .. } | Ty::Symbol(_) => self.number(expr),
            ty => self.of(expr, ty),
        }
    }

    fn call_trace(&self, expr: &Expr, spec: crate::ir::StackSpec) -> Res {
        match &expr.kind {
            ExprKind::Const(_) => Ok(()),
            ExprKind::Cast(of) => self.of(of, Ty::Bytes(spec.bytes())),
            _ => ensure(false, expr, "no call trace comes out"),
        }
    }

    fn number(&self, expr: &Expr) -> Res {
        self.expr(expr)?;
        ensure(is_number(expr.ty), expr, "a number is wanted")
    }

    fn of(&self, expr: &Expr, ty: Ty) -> Res {
        self.expr(expr)?;
        ensure(expr.ty == ty, expr, &format!("a value of type {ty:?} is wanted"))
    }

    fn expr(&self, expr: &Expr) -> Res {
        let number = || ensure(is_number(expr.ty), expr, "no number comes out");
        let text = || ensure(expr.ty == Ty::Str, expr, "no string comes out");
        match &expr.kind {
            // An object of zeroes, whose assignment deletes an element.
            ExprKind::Const(0) if matches!(expr.ty, Ty::Bytes(_)) => Ok(()),
            ExprKind::Const(value) => {
                number()?;
                let canonical = match expr.ty {
                    Ty::Int { bytes: 1, signed } => {
                        if signed {
                            *value as i8 as i64
                        } else {
                            *value as u8 as i64
                        }
                    }
                    Ty::Int { bytes: 2, signed } => {
                        if signed {
                            *value as i16 as i64
                        } else {
                            *value as u16 as i64
                        }
                    }
                    Ty::Int { bytes: 4, signed } => {
                        if signed {
                            *value as i32 as i64
                        } else {
                            *value as u32 as i64
                        }
                    }
                    _ => *value,
                };
                ensure(canonical == *value, expr, "the constant is not in canonical form")
            }
            ExprKind::StrConst(bytes) => {
                text()?;
                let fits = bytes.len() < self.program.strsize as usize;
                ensure(fits && !bytes.contains(&0), expr, "the string is too long or has a NUL")
            }
            ExprKind::StrNull => text(),
            ExprKind::Builtin(_) => ensure(is_number(expr.ty) || expr.ty == Ty::Str, expr, "no such type"),
            ExprKind::Arg(_) => number(),
            ExprKind::Ureg(of) => {
                number()?;
                self.number(of)
            }
            ExprKind::Read(place) => self.place(place, expr),
            ExprKind::AddressOf(place) => {
                number()?;
                self.place(place, expr)
            }
            ExprKind::Load { addr, .. } => {
                ensure(is_number(expr.ty) || matches!(expr.ty, Ty::Bytes(_)), expr, "no such load")?;
                self.number(addr)
            }
            ExprKind::LoadStr { addr, max, .. } => {
                text()?;
                max.iter().try_for_each(|max| self.number(max))?;
                self.number(addr)
            }
            ExprKind::StrOfBytes(of) => {
                text()?;
                self.expr(of)?;
                ensure(matches!(of.ty, Ty::Bytes(_)), expr, "not made of an object")
            }
            ExprKind::BitField { of, shift, bits } => {
                number()?;
                let fits = (1..=64).contains(bits) && u64::from(shift + bits) <= width(of.ty) * 8;
                ensure(fits, expr, "the bit-field lies outside its unit")?;
                self.number(of)
            }
            ExprKind::Extract { of, offset } => {
                self.expr(of)?;
                let Ty::Bytes(size) = of.ty else { return ensure(false, expr, "not part of an object") };
                ensure(
                    u64::from(*offset) + width(expr.ty) <= u64::from(size),
                    expr,
                    "lies outside the object",
                )
            }
            ExprKind::Unary(_, of) => {
                number()?;
                self.number(of)
            }
            ExprKind::Binary(op, a, b) => {
                number()?;
                self.number(a)?;
                self.number(b)?;
                let shift = matches!(op, BinaryOp::Shl | BinaryOp::Shr);
                let compares = is_comparison(*op);
                ensure(
                    compares || width(a.ty) == width(expr.ty),
                    expr,
                    "the left operand has another width",
                )?;
                ensure(shift || width(a.ty) == width(b.ty), expr, "operands of two widths")
            }
            ExprKind::StrCompare(op, a, b) => {
                number()?;
                ensure(is_comparison(*op), expr, "no comparison")?;
                self.of(a, Ty::Str)?;
                self.of(b, Ty::Str)
            }
            ExprKind::StrIsNull(of) => {
                number()?;
                self.of(of, Ty::Str)
            }
            ExprKind::Logical(_, a, b) => {
                number()?;
                self.number(a)?;
                self.number(b)
            }
            ExprKind::Cond(cond, yes, no) => {
                self.number(cond)?;
                for branch in [yes, no] {
                    self.expr(branch)?;
                    let same =
                        width(branch.ty) == width(expr.ty) && is_number(branch.ty) == is_number(expr.ty);
                    ensure(same || expr.ty == Ty::Void, expr, "a branch has another type")?;
                }
                Ok(())
            }
            ExprKind::Cast(of) if matches!(of.ty, Ty::Stack(_)) => {
                let Ty::Stack(spec) = of.ty else { return Ok(()) };
                ensure(expr.ty == Ty::Bytes(spec.bytes()), expr, "not the object of a call trace")?;
                self.call_trace(of, spec)
            }
            ExprKind::Cast(of) => {
                self.expr(of)?;
                let numbers = is_number(of.ty) && (is_number(expr.ty) || expr.ty == Ty::Void);
                ensure(numbers || of.ty == expr.ty, expr, "no such cast")
            }
            ExprKind::Assign { place, value } => {
                self.place(place, expr)?;
                if is_number(place.ty) { self.number(value) } else { self.of(value, place.ty) }
            }
            ExprKind::Update { place, value, compute, op, .. } => {
                self.place(place, expr)?;
                ensure(is_number(place.ty) && is_number(*compute), expr, "no number to update")?;
                ensure(!is_comparison(*op), expr, "updated with a comparison")?;
                self.number(value)
            }
            ExprKind::Comma(a, b) => {
                self.expr(a)?;
                self.expr(b)?;
                ensure(
                    expr.ty == b.ty || is_number(expr.ty) == is_number(b.ty),
                    expr,
                    "another type comes out",
                )
            }
            ExprKind::Call(subroutine, args) => {
                let (least, most) = arity(*subroutine);
                ensure((least..=most).contains(&args.len()), expr, "wrong number of arguments")?;
                args.iter().try_for_each(|arg| self.expr(arg))
            }
        }
    }

    fn place(&self, place: &Place, expr: &Expr) -> Res {
        if let Some((shift, bits)) = place.bits {
            let fits = (1..=64).contains(&bits) && u64::from(shift) + u64::from(bits) <= width(place.ty) * 8;
            ensure(is_number(place.ty) && fits, expr, "the bit-field lies outside its unit")?;
        }
        let var_of = |id: VarId| self.program.variables.get(id.0 as usize);
        match &place.kind {
            PlaceKind::Var { var, offset } => {
                let Some(var) = var_of(*var) else { return ensure(false, expr, "no such variable") };
                ensure(var.key.is_none(), expr, "an array without its key")?;
                if let Some(offset) = offset {
                    self.number(offset)?;
                    return ensure(matches!(var.ty, Ty::Bytes(_)), expr, "part of what is no object");
                }
                let same =
                    place.ty == var.ty || matches!(var.ty, Ty::Bytes(size) if width(place.ty) <= size.into());
                ensure(
                    same || is_number(place.ty) && is_number(var.ty),
                    expr,
                    "the variable has another type",
                )
            }
            PlaceKind::Elem { var, key, offset } => {
                let Some(var) = var_of(*var) else { return ensure(false, expr, "no such variable") };
                let parts = var.key.as_deref().unwrap_or(&[]);
                ensure(parts.len() == key.len(), expr, "the key has another number of parts")?;
                for (part, ty) in key.iter().zip(parts) {
                    self.expr(part)?;
                    let same = part.ty == *ty || is_number(part.ty) && is_number(*ty);
                    ensure(same, expr, "a part of the key has another type")?;
                }
                let whole = match var.ty {
                    Ty::Bytes(size) => u64::from(*offset) + width(place.ty) <= u64::from(size),
                    ty => *offset == 0 && is_number(ty) == is_number(place.ty),
                };
                ensure(whole, expr, "lies outside the element")
            }
            PlaceKind::Mem { addr, .. } => self.number(addr),
        }
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::*;
    matches!(op, Eq | Ne | Lt | Le | Gt | Ge)
}

/// How many arguments a subroutine takes, least and most.
fn arity(subroutine: Subroutine) -> (usize, usize) {
    use Subroutine::*;
    match subroutine {
        Rand | Speculation => (0, 0),
        Bcopy | Copyinto | Copyout | Copyoutstr => (3, 3),
        Substr | Index | Rindex => (2, 3),
        Lltostr | Strtoll => (1, 2),
        Copyin | Strjoin | Strstr | Strchr | Strrchr | Strtok | Json | InetNtop | LinkNtop => (2, 2),
        _ => (0, 2),
    }
}
