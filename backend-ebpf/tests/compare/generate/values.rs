//! Values of every type: what statements assign, aggregate, compare and record.

use super::*;

impl Generator {
    pub(super) fn value(&mut self, ty: Ty, depth: usize) -> Expr {
        match ty {
            Ty::Str => self.string(depth),
            Ty::Bytes(size) => self.bytes(size, depth),
            ty => self.number(ty, depth),
        }
    }

    // --- places

    pub(super) fn var_place(&self, id: VarId, ty: Ty) -> Place {
        Place { kind: PlaceKind::Var { var: id, offset: None }, ty, bits: None, span: Span::default() }
    }

    /// A part of a key: at the end of the depth a constant, one of few so that elements are met again.
    pub(super) fn key_part(&mut self, ty: Ty, depth: usize) -> Expr {
        if depth > 0 && self.random.one_in(2) {
            return self.value(ty, depth - 1);
        }
        match ty {
            Ty::Str => {
                let text = self.random.pick(&["", "a", "key", "1234567"]);
                expr(ExprKind::StrConst(text.as_bytes().to_vec()), Ty::Str)
            }
            ty => constant(self.random.below(3) as i64 - 1, ty),
        }
    }

    /// A place of a type, if some variable has one.
    pub(super) fn place(&mut self, ty: Ty, depth: usize, local_strings: bool) -> Option<Place> {
        let fits = |var: &Variable| match (var.ty, ty) {
            (Ty::Bytes(size), Ty::Int { bytes, .. }) => size >= bytes.into(),
            (Ty::Bytes(size), Ty::Bytes(part)) => size >= part,
            (a, b) => a == b,
        };
        let mut found = Vec::new();
        for (id, var) in self.program.variables.iter().enumerate() {
            let reserved = [self.pointer, self.speculation].contains(&Some(VarId(id as u32)));
            let local = var.scope == Scope::ClauseLocal && var.ty == Ty::Str;
            if fits(var) && !reserved && (local_strings || !local) {
                found.push(id);
            }
        }
        if found.is_empty() {
            return None;
        }
        let id = self.random.pick(&found);
        let var = self.program.variables[id].clone();
        let width = match ty {
            Ty::Int { bytes, .. } => u32::from(bytes),
            Ty::Bytes(size) => size,
            _ => 8,
        };
        let mut bits = None;
        if let (Ty::Bytes(_), Ty::Int { bytes, .. }) = (var.ty, ty)
            && self.random.one_in(3)
        {
            let width = 1 + self.random.below(usize::from(bytes) * 8) as u8;
            bits = Some((self.random.below(usize::from(bytes * 8 - width) + 1) as u8, width));
        }
        let kind = match (&var.key, var.ty) {
            (Some(key), object) => {
                let key = key.iter().map(|ty| self.key_part(*ty, depth.min(2))).collect();
                let offset = match object {
                    Ty::Bytes(size) => self.random.below((size - width) as usize + 1) as u32,
                    _ => 0,
                };
                PlaceKind::Elem { var: VarId(id as u32), key, offset }
            }
            (None, Ty::Bytes(size)) => {
                let offset = if size == width && self.random.one_in(2) {
                    None
                } else if self.random.one_in(3) {
                    Some(Box::new(self.small(size as i64 + 2)))
                } else {
                    let at = self.random.below((size - width) as usize + 1);
                    Some(Box::new(constant(at as i64, Ty::I64)))
                };
                PlaceKind::Var { var: VarId(id as u32), offset }
            }
            (None, _) => PlaceKind::Var { var: VarId(id as u32), offset: None },
        };
        Some(Place { kind, ty, bits, span: Span::default() })
    }

    /// An assignment of some type.
    pub(super) fn assignment(&mut self, depth: usize) -> Expr {
        let top = std::mem::replace(&mut self.top, false);
        let ty = match self.random.below(5) {
            0 | 1 => Ty::Str,
            2 => Ty::Bytes(self.random.pick(&[4, 8, 12, 16])),
            _ => self.random.pick(&INTS),
        };
        if let Ty::Int { .. } = ty {
            return self.store(ty, depth);
        }
        match self.place(ty, depth - 1, top) {
            Some(place) => {
                let value = self.value(ty, depth - 1);
                expr(ExprKind::Assign { place: Box::new(place), value: Box::new(value) }, ty)
            }
            None => self.value(ty, depth),
        }
    }

    /// An assignment to or an update of a number.
    pub(super) fn store(&mut self, ty: Ty, depth: usize) -> Expr {
        let scratch = if self.random.one_in(4) { self.scratch_place(ty) } else { None };
        let Some(place) = scratch.or_else(|| self.place(ty, depth.saturating_sub(1), true)) else {
            return self.number(ty, depth.saturating_sub(1));
        };
        let place = Box::new(place);
        if self.random.one_in(2) {
            let value = Box::new(self.number(ty, depth.saturating_sub(1)));
            return expr(ExprKind::Assign { place, value }, ty);
        }
        let compute = if self.random.one_in(2) { ty } else { self.random.pick(&INTS) };
        let op = self.arithmetic();
        let value = Box::new(self.number(compute, depth.saturating_sub(1)));
        let value = self.divisor(op, value);
        expr(ExprKind::Update { place, op, value, compute, old: self.random.one_in(2) }, ty)
    }

    pub(super) fn scratch_place(&mut self, ty: Ty) -> Option<Place> {
        let addr = Box::new(self.scratch_pointer()?);
        let kind = PlaceKind::Mem { addr, space: self.random.pick(&[Space::Any, Space::Any, Space::User]) };
        Some(Place { kind, ty, bits: None, span: Span::default() })
    }

    pub(super) fn scratch_pointer(&mut self) -> Option<Expr> {
        let base = read(self.var_place(self.pointer?, Ty::U64));
        let offset = if self.random.one_in(3) {
            self.small(70)
        } else {
            constant(self.random.below(60) as i64, Ty::I64)
        };
        let offset = cast(offset, Ty::U64);
        Some(expr(ExprKind::Binary(BinaryOp::Add, Box::new(base), Box::new(offset)), Ty::U64))
    }

    // --- values

    /// A small number, now and then not so small.
    pub(super) fn small(&mut self, below: i64) -> Expr {
        match self.random.below(12) {
            0 => self.number(Ty::I64, 1),
            _ => constant(self.random.below(below as usize) as i64, Ty::I64),
        }
    }

    pub(super) fn arithmetic(&mut self) -> BinaryOp {
        use BinaryOp::*;
        self.random.pick(&[Add, Sub, Mul, Div, Mod, And, Or, Xor, Shl, Shr])
    }

    /// The right operand, seldom zero where that is a fault.
    pub(super) fn divisor(&mut self, op: BinaryOp, value: Box<Expr>) -> Box<Expr> {
        if !matches!(op, BinaryOp::Div | BinaryOp::Mod) || self.random.one_in(20) {
            return value;
        }
        let ty = value.ty;
        Box::new(expr(ExprKind::Binary(BinaryOp::Or, value, Box::new(constant(1, ty))), ty))
    }

    /// A string for a subroutine, to which NULL is a bad address.
    pub(super) fn argument(&mut self, depth: usize) -> Expr {
        let before = std::mem::replace(&mut self.solid, !self.random.one_in(25));
        let text = self.string(depth);
        self.solid = before;
        text
    }

    pub(super) fn comparison(&mut self) -> BinaryOp {
        use BinaryOp::*;
        self.random.pick(&[Eq, Ne, Lt, Le, Gt, Ge])
    }

    /// An address of user memory that is known, or a bad one.
    pub(super) fn address(&mut self) -> Expr {
        if self.random.one_in(50) {
            return constant(self.random.pick(&[0, 8, -1, 1 << 60]), Ty::U64);
        }
        constant((self.memory.address + self.random.below(self.memory.size - 128) as u64) as i64, Ty::U64)
    }

    pub fn number(&mut self, ty: Ty, depth: usize) -> Expr {
        if depth == 0 || self.random.one_in(5) {
            return self.number_leaf(ty);
        }
        let d = depth - 1;
        let both = |generator: &mut Generator, ty| {
            (Box::new(generator.number(ty, d)), Box::new(generator.number(ty, d)))
        };
        match self.random.below(24) {
            0..=4 => {
                let op = self.arithmetic();
                let (a, mut b) = both(self, ty);
                if matches!(op, BinaryOp::Shl | BinaryOp::Shr) && self.random.one_in(2) {
                    *b = constant(self.random.below(70) as i64, ty);
                }
                let b = self.divisor(op, b);
                expr(ExprKind::Binary(op, a, b), ty)
            }
            5 | 6 => {
                let of = self.random.pick(&INTS);
                let (a, b) = both(self, of);
                cast(expr(ExprKind::Binary(self.comparison(), a, b), Ty::I32), ty)
            }
            7 => {
                let op = self.random.pick(&[LogicalOp::And, LogicalOp::Or, LogicalOp::Xor]);
                let of = self.random.pick(&INTS);
                let (a, b) = both(self, of);
                cast(expr(ExprKind::Logical(op, a, b), Ty::I32), ty)
            }
            8 => {
                let op = self.random.pick(&[UnaryOp::Neg, UnaryOp::BitNot]);
                expr(ExprKind::Unary(op, Box::new(self.number(ty, d))), ty)
            }
            9 => {
                let of = self.random.pick(&INTS);
                cast(expr(ExprKind::Unary(UnaryOp::LogNot, Box::new(self.number(of, d))), Ty::I32), ty)
            }
            10 => {
                let cond = Box::new(self.number(Ty::I32, d));
                let (a, b) = both(self, ty);
                expr(ExprKind::Cond(cond, a, b), ty)
            }
            11 | 12 => {
                let of = self.random.pick(&INTS);
                cast(self.number(of, d), ty)
            }
            13 | 14 => {
                let of = self.random.pick(&INTS);
                cast(self.store(of, d), ty)
            }
            15 => {
                let first = Box::new(self.assignment(depth));
                expr(ExprKind::Comma(first, Box::new(self.number(ty, d))), ty)
            }
            16 => {
                let op = self.comparison();
                let (a, b) = (Box::new(self.string(d)), Box::new(self.string(d)));
                cast(expr(ExprKind::StrCompare(op, a, b), Ty::I32), ty)
            }
            17 => cast(expr(ExprKind::StrIsNull(Box::new(self.string(d))), Ty::I32), ty),
            18 | 19 => cast(self.call(d), ty),
            20 => {
                let unit = self.random.pick(&INTS);
                let Ty::Int { bytes, .. } = unit else { return self.number_leaf(ty) };
                let bits = 1 + self.random.below(usize::from(bytes) * 8) as u8;
                let shift = self.random.below(usize::from(bytes * 8 - bits) + 1) as u8;
                let of = Box::new(self.number(unit, d));
                let Ty::Int { signed, .. } = ty else { return self.number_leaf(ty) };
                let field = Ty::Int { bytes, signed };
                cast(expr(ExprKind::BitField { of, shift, bits }, field), ty)
            }
            21 => {
                let addr = Box::new(self.address());
                let of = self.random.pick(&INTS);
                cast(expr(ExprKind::Load { addr, space: Space::User }, of), ty)
            }
            22 => match self.scratch_pointer() {
                Some(addr) => {
                    let of = self.random.pick(&INTS);
                    let space = self.random.pick(&[Space::Any, Space::User]);
                    cast(expr(ExprKind::Load { addr: Box::new(addr), space }, of), ty)
                }
                None => self.number_leaf(ty),
            },
            _ => {
                let Ty::Int { bytes, .. } = ty else { return self.number_leaf(ty) };
                let size = self.random.pick(&[8, 12, 16]);
                let of = Box::new(self.bytes(size, d));
                let offset = self.random.below((size - u32::from(bytes)) as usize + 1) as u32;
                expr(ExprKind::Extract { of, offset }, ty)
            }
        }
    }

    pub(super) fn number_leaf(&mut self, ty: Ty) -> Expr {
        match self.random.below(6) {
            0 | 1 => constant(self.random.number(), ty),
            2 => {
                let mut index = self.random.below(5) as u32;
                // The offset of the instruction that failed is the code generator's own.
                if self.errors && index == 3 {
                    index = 5;
                }
                cast(expr(ExprKind::Arg(index), Ty::I64), ty)
            }
            3 => {
                let (builtin, of) = self.random.pick(&[
                    (Builtin::Uid, Ty::Int { bytes: 4, signed: false }),
                    (Builtin::Gid, Ty::Int { bytes: 4, signed: false }),
                    (Builtin::Epid, Ty::Int { bytes: 4, signed: false }),
                    (Builtin::Id, Ty::Int { bytes: 4, signed: false }),
                    (Builtin::Errno, Ty::I32),
                    (Builtin::Ipl, Ty::Int { bytes: 4, signed: false }),
                ]);
                cast(expr(ExprKind::Builtin(builtin), of), ty)
            }
            _ => match self.place(ty, 0, true) {
                Some(place) => read(place),
                None => constant(self.random.number(), ty),
            },
        }
    }

    /// A subroutine that gives a number.
    pub(super) fn call(&mut self, depth: usize) -> Expr {
        use Subroutine::*;
        let u64_of = |generator: &mut Generator| generator.number(Ty::U64, depth);
        let (subroutine, args, ty) = match self.random.below(10) {
            0 | 1 => (Strlen, vec![self.argument(depth)], Ty::U64),
            2 | 3 => {
                let subroutine = self.random.pick(&[Index, Rindex]);
                let mut args = vec![self.argument(depth), self.argument(depth)];
                if self.random.one_in(2) {
                    args.push(cast(self.small(20), Ty::I32));
                }
                (subroutine, args, Ty::I32)
            }
            4 => {
                let mut args = vec![self.argument(depth)];
                if self.random.one_in(2) {
                    args.push(self.base());
                }
                (Strtoll, args, Ty::I64)
            }
            5 => {
                let subroutine = self.random.pick(&[Htons, Ntohs]);
                (subroutine, vec![self.number(INTS[3], depth)], INTS[3])
            }
            6 => (self.random.pick(&[Htonl, Ntohl]), vec![self.number(INTS[5], depth)], INTS[5]),
            7 => (self.random.pick(&[Htonll, Ntohll]), vec![u64_of(self)], Ty::U64),
            _ => (self.random.pick(&[Getmajor, Getminor]), vec![u64_of(self)], INTS[5]),
        };
        expr(ExprKind::Call(subroutine, args), ty)
    }

    pub(super) fn base(&mut self) -> Expr {
        match self.random.below(3) {
            0 => cast(self.small(40), Ty::I32),
            _ => constant(self.random.pick(&[2, 8, 10, 16, 36]), Ty::I32),
        }
    }

    pub(super) fn text(&mut self) -> Vec<u8> {
        let limit = (self.program.strsize as usize - 1).min(40);
        let words: [&str; 22] = [
            "",
            "a",
            "/",
            "//",
            "/usr/lib/../bin/./x/",
            "hello, world",
            "a,b;c",
            " -42 ",
            "0x1fg",
            "Mixed CASE",
            "aaaa",
            "aa",
            "..",
            "/..",
            "  ",
            "12345678",
            "1234567",
            "\u{e9}\u{ff}",
            "z",
            ",",
            "abcdefghijklmnop",
            "/a//b/",
        ];
        let mut text = self.random.pick(&words).as_bytes().to_vec();
        if self.random.one_in(4) {
            text.extend_from_slice(self.random.pick(&words).as_bytes());
        }
        text.truncate(limit);
        text
    }

    pub fn string(&mut self, depth: usize) -> Expr {
        if depth == 0 || self.random.one_in(5) {
            return self.string_leaf();
        }
        let d = depth - 1;
        use Subroutine::*;
        let mut choice = self.random.below(18);
        if self.solid && (9..=12).contains(&choice) {
            choice = 6;
        }
        let kind = match choice {
            0 => {
                let cond = Box::new(self.number(Ty::I32, d));
                ExprKind::Cond(cond, Box::new(self.string(d)), Box::new(self.string(d)))
            }
            1 => {
                let first = Box::new(self.assignment(depth));
                ExprKind::Comma(first, Box::new(self.string(d)))
            }
            2 => {
                let size = self.random.pick(&[4, 8, 12, 16]);
                ExprKind::StrOfBytes(Box::new(self.bytes(size, d)))
            }
            3 => match self.place(Ty::Str, d, false) {
                Some(place) => {
                    let value = Box::new(self.string(d));
                    ExprKind::Assign { place: Box::new(place), value }
                }
                None => return self.string_leaf(),
            },
            4 | 5 => {
                let addr = Box::new(self.address());
                let max = self.random.one_in(3).then(|| Box::new(self.small(30)));
                ExprKind::LoadStr { addr, space: Space::User, max }
            }
            6 | 7 => ExprKind::Call(Strjoin, vec![self.argument(d), self.argument(d)]),
            8 => {
                let mut args = vec![self.argument(d), cast(self.small(20), Ty::I32)];
                if self.random.one_in(2) {
                    args.push(cast(self.small(20), Ty::I32));
                }
                ExprKind::Call(Substr, args)
            }
            9 => {
                let char =
                    constant(self.random.pick(&[0, 47, 97, 44, 32, 195]), Ty::Int { bytes: 1, signed: true });
                ExprKind::Call(self.random.pick(&[Strchr, Strrchr]), vec![self.argument(d), char])
            }
            10 => ExprKind::Call(Strstr, vec![self.argument(d), self.argument(d)]),
            11 | 12 => {
                let of =
                    if self.random.one_in(2) { expr(ExprKind::StrNull, Ty::Str) } else { self.string(d) };
                let delimiters = if self.random.one_in(3) {
                    self.argument(d)
                } else {
                    let text = self.random.pick(&[",; ", "/", "a", ""]);
                    expr(ExprKind::StrConst(text.as_bytes().to_vec()), Ty::Str)
                };
                ExprKind::Call(Strtok, vec![of, delimiters])
            }
            13 => ExprKind::Call(self.random.pick(&[Basename, Dirname]), vec![self.argument(d)]),
            14 => ExprKind::Call(self.random.pick(&[Cleanpath, Strip]), vec![self.argument(d)]),
            15 => ExprKind::Call(self.random.pick(&[Toupper, Tolower]), vec![self.argument(d)]),
            _ => {
                let mut args = vec![self.number(Ty::I64, d)];
                if self.random.one_in(2) {
                    args.push(self.base());
                }
                ExprKind::Call(Lltostr, args)
            }
        };
        expr(kind, Ty::Str)
    }

    pub(super) fn string_leaf(&mut self) -> Expr {
        let kind = match self.random.below(7) {
            0 if !self.solid => ExprKind::StrNull,
            1 => ExprKind::Builtin(self.random.pick(&[
                Builtin::Execname,
                Builtin::Probeprov,
                Builtin::Probefunc,
                Builtin::Probename,
            ])),
            2 | 3 => ExprKind::StrConst(self.text()),
            _ => match self.place(Ty::Str, 0, true) {
                Some(place) if !self.solid || self.never_null(&place) => return read(place),
                _ => ExprKind::StrConst(self.text()),
            },
        };
        expr(kind, Ty::Str)
    }

    /// Is an unassigned string empty there, not NULL?
    pub(super) fn never_null(&self, place: &Place) -> bool {
        let PlaceKind::Var { var, .. } = place.kind else { return false };
        self.program.variables[var.0 as usize].scope != Scope::ThreadLocal
    }

    pub(super) fn bytes(&mut self, size: u32, depth: usize) -> Expr {
        let ty = Ty::Bytes(size);
        let d = depth.saturating_sub(1);
        let load = |generator: &mut Generator| {
            let addr = Box::new(generator.address());
            expr(ExprKind::Load { addr, space: Space::User }, ty)
        };
        match self.random.below(6) {
            0 if depth > 0 => {
                let cond = Box::new(self.number(Ty::I32, d));
                let (yes, no) = (Box::new(self.bytes(size, d)), Box::new(self.bytes(size, d)));
                expr(ExprKind::Cond(cond, yes, no), ty)
            }
            1 if depth > 0 => {
                let of = Box::new(self.bytes(size + 8, d));
                expr(ExprKind::Extract { of, offset: self.random.below(9) as u32 }, ty)
            }
            2..=4 => match self.place(ty, d, true) {
                Some(place) => read(place),
                None => load(self),
            },
            _ => load(self),
        }
    }
}
