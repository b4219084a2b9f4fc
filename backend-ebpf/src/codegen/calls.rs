//! Subroutines: small ones inline, the rest by a routine of `runtime`.

use super::context::{Gen, Res, slot};
use super::insn::{Alu, Cond, Helper, Insn, Reg, Size};
use super::layout::{control, drops, frame};
use super::runtime::{MAX_OCTETS, Routine};
use duotrace_core::diagnostic::Span;
use duotrace_core::ir::{Expr, ExprKind, Fault, Space, Subroutine as S, Ty};

/// Longest strings that routines going byte by byte are verified for.
const BYTEWISE: u32 = 2048;

/// `AF_INET`, everywhere the same, and Linux' `AF_INET6`.
const AF_INET: i64 = 2;
const AF_INET6: i64 = 10;

/// <linux/if_arp.h>: kinds of link layer addresses.
const ARPHRD_ETHER: i32 = 1;
const ARPHRD_INFINIBAND: i32 = 32;

/// kernel/locking/rwsem.c: bits of a semaphore's count.
const RWSEM_WRITER_LOCKED: i32 = 1;
const RWSEM_FLAG_WAITERS: i32 = 2;
const RWSEM_READER_SHIFT: i32 = 8;

impl Gen<'_> {
    /// `R0 =` a subroutine's number.
    pub fn call_scalar(&mut self, subroutine: S, args: &[Expr], expr: &Expr) -> Res {
        let mark = self.mark();
        let result = self.call_scalar_inner(subroutine, args, expr);
        self.free_temps(mark);
        result
    }

    fn call_scalar_inner(&mut self, subroutine: S, args: &[Expr], expr: &Expr) -> Res {
        let span = expr.span;
        match (subroutine, args) {
            (S::Strlen, [text]) => {
                let at = self.string_argument(text)?;
                self.frame_load(Size::DW, Reg::R0, at);
            }
            (S::CharAt, [text, index]) => {
                let at = self.string_argument(text)?;
                self.scalar(index)?;
                self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R0);
                self.fault_if(Cond::Ge, self.plan.strsize as i32, Fault::BadAddr, true);
                let end = self.asm.label();
                self.asm.mov(Reg::R1, Reg::R0);
                self.frame_load(Size::DW, Reg::R2, at);
                self.asm.mov(Reg::R0, 0);
                self.asm.jump_if(Cond::Ge, Reg::R1, Reg::R2, end);
                self.frame_ptr(Reg::R3, at + 8);
                self.alu(Alu::Add, Reg::R3, Reg::R1);
                self.asm.load(Size::B, Reg::R0, Reg::R3, 0);
                self.canonical(expr.ty);
                self.asm.bind(end);
            }
            (S::Index | S::Rindex, [text, what, rest @ ..]) => {
                self.bytewise(span, subroutine)?;
                let backwards = subroutine == S::Rindex;
                let from = self.string_argument(text)?;
                let what = self.string_argument(what)?;
                match rest.first() {
                    Some(start) => self.scalar(start)?,
                    None => self.asm.mov(Reg::R0, if backwards { i32::MAX } else { 0 }),
                }
                self.asm.mov(Reg::R4, Reg::R0);
                self.find(from, what, backwards);
            }
            (S::Strtoll, [text, rest @ ..]) => {
                let at = self.string_argument(text)?;
                let base = self.base(rest.first())?;
                let routine = self.routine(Routine::Parse);
                self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
                self.asm.mov(Reg::R2, at as i32);
                self.base_into(base, Reg::R3);
                self.asm.call_func(routine);
            }
            (S::Rand, _) => {
                self.asm.call(Helper::GetPrandomU32);
                self.alu(Alu::Lsh, Reg::R0, 32);
                self.asm.store(Size::DW, Reg::R10, slot::BUFFER, Reg::R0);
                self.asm.call(Helper::GetPrandomU32);
                self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::BUFFER);
                self.alu(Alu::Or, Reg::R0, Reg::R1);
                self.canonical(expr.ty);
            }
            (S::Htons | S::Ntohs, [value]) => self.network(value, 16, expr.ty)?,
            (S::Htonl | S::Ntohl, [value]) => self.network(value, 32, expr.ty)?,
            (S::Htonll | S::Ntohll, [value]) => self.network(value, 64, expr.ty)?,
            (S::Getmajor, [device]) => {
                // Linux' kernel dev_t: 12 bits of major, 20 of minor.
                self.scalar(device)?;
                self.emit(Insn::mov32(Reg::R0, Reg::R0));
                self.alu(Alu::Rsh, Reg::R0, 20);
            }
            (S::Getminor, [device]) => {
                self.scalar(device)?;
                self.alu(Alu::And, Reg::R0, 0xf_ffff);
            }
            (S::Progenyof, [pid]) => {
                let offsets = self.input.target.offsets;
                if offsets.real_parent.is_none() || offsets.tgid.is_none() {
                    return self.without_types(span, "progenyof()");
                }
                self.scalar(pid)?;
                let routine = self.routine(Routine::Progeny);
                let pid = self.hold()?;
                self.task_address();
                self.asm.mov(Reg::R2, Reg::R0);
                self.peek(&pid, Reg::R1);
                self.release(pid);
                self.asm.call_func(routine);
            }
            (S::Alloca, [size]) => {
                self.scalar(size)?;
                let (size, at) = self.take_scratch()?;
                self.clear_scratch(&size, &at);
                self.tagged(at);
                self.release(size);
            }
            (S::Copyin, [address, size]) => {
                self.scalar(address)?;
                let address = self.hold()?;
                self.scalar(size)?;
                let (size, at) = self.take_scratch()?;
                self.take(address, Reg::R3);
                self.asm.store(Size::DW, Reg::R10, slot::ADDRESS, Reg::R3);
                self.peek(&size, Reg::R2);
                self.frame_ptr(Reg::R1, self.plan.scratch_at);
                self.peek(&at, Reg::R4);
                self.alu(Alu::Add, Reg::R1, Reg::R4);
                self.asm.call(Helper::ProbeReadUser);
                self.fault_if(Cond::Ne, 0, Fault::BadAddr, true);
                self.tagged(at);
                self.release(size);
            }
            (S::Copyout, [from, to, size]) => self.copyout(from, to, size)?,
            (S::Copyoutstr, [text, to, most]) => self.copyoutstr(text, to, most)?,
            (S::Copyinto, [address, size, to]) => self.copy_to_scratch(address, size, to, Space::User)?,
            (S::Bcopy, [from, to, size]) => self.copy_to_scratch(from, size, to, Space::Any)?,
            (S::MutexOwned, [lock]) => {
                self.lock_word(lock)?;
                self.alu(Alu::And, Reg::R0, !7);
                let owner = self.hold()?;
                self.task_address();
                self.take(owner, Reg::R1);
                self.compare_to_value(Cond::Eq, Reg::R1);
            }
            (S::MutexOwner, [lock]) => {
                self.lock_word(lock)?;
                self.alu(Alu::And, Reg::R0, !7);
            }
            // Linux' `struct mutex` always sleeps when the owner does; spin locks are another type.
            (S::MutexTypeAdaptive, [lock]) => {
                self.lock_word(lock)?;
                self.asm.mov(Reg::R0, 1);
            }
            (S::MutexTypeSpin, [lock]) => {
                self.lock_word(lock)?;
                self.asm.mov(Reg::R0, 0);
            }
            (S::RwWriteHeld, [lock]) => {
                self.lock_word(lock)?;
                self.alu(Alu::And, Reg::R0, RWSEM_WRITER_LOCKED);
            }
            (S::RwReadHeld, [lock]) => {
                self.lock_word(lock)?;
                self.alu(Alu::Arsh, Reg::R0, RWSEM_READER_SHIFT);
                self.asm.mov(Reg::R1, 0);
                self.compare_to_value(Cond::SGt, Reg::R1);
            }
            (S::RwIswriter, [lock]) => {
                self.lock_word(lock)?;
                self.alu(Alu::And, Reg::R0, RWSEM_WRITER_LOCKED | RWSEM_FLAG_WAITERS);
                self.asm.mov(Reg::R1, 0);
                self.compare_to_value(Cond::Ne, Reg::R1);
            }
            (S::Speculation, _) => self.speculation(),
            (S::Strchr | S::Strrchr | S::Strstr | S::Strtok, _) => {
                return self.unsupported(span, "a string as a number");
            }
            _ => return self.unsupported(span, &format!("the subroutine {}()", name(subroutine))),
        }
        Ok(())
    }

    /// Writes a subroutine's string to the frame.
    pub fn call_string(&mut self, subroutine: S, args: &[Expr], to: u32, expr: &Expr) -> Res {
        let mark = self.mark();
        let result = self.call_string_inner(subroutine, args, to, expr);
        self.free_temps(mark);
        result
    }

    fn call_string_inner(&mut self, subroutine: S, args: &[Expr], to: u32, expr: &Expr) -> Res {
        let span = expr.span;
        match (subroutine, args) {
            (S::Strjoin, [a, b]) => {
                let a = self.string_argument(a)?;
                let b = self.string_argument(b)?;
                self.call_routine(Routine::Join, &[to, a, b]);
            }
            (S::Substr, [text, start, rest @ ..]) => {
                let from = self.string_argument(text)?;
                self.scalar(start)?;
                let start = self.hold()?;
                match rest.first() {
                    Some(length) => self.scalar(length)?,
                    None => self.asm.mov(Reg::R0, self.plan.strsize as i32),
                }
                self.asm.mov(Reg::R5, Reg::R0);
                self.take(start, Reg::R4);
                self.substr(to, from);
            }
            (S::Strchr | S::Strrchr, [text, char]) => {
                self.bytewise(span, subroutine)?;
                let from = self.string_argument(text)?;
                self.scalar(char)?;
                let routine = self.routine(Routine::FindChar);
                self.asm.mov(Reg::R3, Reg::R0);
                self.alu(Alu::And, Reg::R3, 0xff);
                self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
                self.asm.mov(Reg::R2, from as i32);
                self.asm.mov(Reg::R4, i32::from(subroutine == S::Strrchr));
                self.asm.call_func(routine);
                self.rest_from(to, from);
            }
            (S::Strstr, [text, what]) => {
                self.bytewise(span, subroutine)?;
                let from = self.string_argument(text)?;
                let what = self.string_argument(what)?;
                self.asm.mov(Reg::R4, 0);
                self.find(from, what, false);
                self.rest_from(to, from);
            }
            (S::Strtok, [text, delimiters]) => {
                self.bytewise(span, subroutine)?;
                if !matches!(text.kind, ExprKind::StrNull) {
                    let at = self.temp_str()?;
                    self.string(text, at)?;
                    let continues = self.asm.label();
                    self.frame_load(Size::DW, Reg::R0, at);
                    self.asm.jump_if(Cond::Eq, Reg::R0, -1, continues);
                    self.frame_copy(self.plan.strtok_at, at, self.plan.str_bytes);
                    self.frame_store_imm(frame::STRTOK_AT as u32, 0);
                    self.asm.bind(continues);
                }
                // Without a string to go on with, NULL is an address as bad as any.
                self.frame_load(Size::DW, Reg::R0, self.plan.strtok_at);
                self.fault_if(Cond::Eq, -1, Fault::BadAddr, false);
                let delimiters = self.string_argument(delimiters)?;
                self.call_routine(Routine::Token, &[to, delimiters]);
            }
            (S::Basename | S::Dirname, [path]) => {
                self.bytewise(span, subroutine)?;
                let from = self.string_argument(path)?;
                self.call_routine(Routine::PathPart, &[to, from, u32::from(subroutine == S::Dirname)]);
            }
            (S::Toupper | S::Tolower, [text]) => {
                let from = self.string_argument(text)?;
                self.call_routine(Routine::Case, &[to, from, u32::from(subroutine == S::Toupper)]);
            }
            (S::Lltostr, [value, rest @ ..]) => {
                self.scalar(value)?;
                let value = self.hold()?;
                let base = self.base(rest.first())?;
                let routine = self.routine(Routine::Number);
                self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
                self.asm.mov(Reg::R2, to as i32);
                self.base_into(base, Reg::R4);
                self.take(value, Reg::R3);
                self.asm.call_func(routine);
            }
            (S::Cleanpath | S::Strip, [path]) => {
                self.bytewise(span, subroutine)?;
                let from = self.string_argument(path)?;
                let routine = if subroutine == S::Strip { Routine::Strip } else { Routine::CleanPath };
                self.call_routine(routine, &[to, from]);
            }
            (S::InetNtoa, [address])
            | (S::InetNtop, [Expr { kind: ExprKind::Const(AF_INET), .. }, address]) => {
                self.scalar(address)?;
                self.inet4(to)?;
            }
            (S::InetNtoa6, [address, rest @ ..]) => {
                let strict = matches!(rest.first(), Some(Expr { kind: ExprKind::Const(n), .. }) if *n != 0);
                self.scalar(address)?;
                self.inet6(to, strict)?;
            }
            (S::InetNtop, [Expr { kind: ExprKind::Const(AF_INET6), .. }, address]) => {
                self.scalar(address)?;
                self.inet6(to, true)?;
            }
            (S::InetNtop, [family, address]) => {
                // Only at run time is it known which; another family is a fault.
                let (six, end) = (self.asm.label(), self.asm.label());
                self.scalar(family)?;
                let bad = self.fault(Fault::IllOp, false);
                self.asm.jump_if(Cond::Eq, Reg::R0, AF_INET6 as i32, six);
                self.asm.jump_if(Cond::Ne, Reg::R0, AF_INET as i32, bad);
                self.scalar(address)?;
                self.inet4(to)?;
                self.asm.jump(end);
                self.asm.bind(six);
                self.scalar(address)?;
                self.inet6(to, true)?;
                self.asm.bind(end);
            }
            (S::LinkNtop, [kind, address]) => {
                let (long, end) = (self.asm.label(), self.asm.label());
                self.scalar(kind)?;
                let bad = self.fault(Fault::IllOp, false);
                self.asm.jump_if(Cond::Eq, Reg::R0, ARPHRD_INFINIBAND, long);
                self.asm.jump_if(Cond::Ne, Reg::R0, ARPHRD_ETHER, bad);
                self.octets(address, to, 6)?;
                self.asm.jump(end);
                self.asm.bind(long);
                self.octets(address, to, MAX_OCTETS)?;
                self.asm.bind(end);
            }
            (S::Json, [text, selector]) => {
                self.bytewise(span, subroutine)?;
                let text = self.string_argument(text)?;
                let selector = self.string_argument(selector)?;
                let work = self.temp(super::runtime::JSON_WORK)?;
                self.call_routine(Routine::Json, &[to, text, selector, work]);
            }
            (S::DPath, [path]) => {
                self.scalar(path)?;
                self.path_name(to, span)?;
            }
            _ => return self.unsupported(span, &format!("the subroutine {}()", name(subroutine))),
        }
        Ok(())
    }

    /// `R0 =` the first word of a kernel lock: a mutex' owner, a semaphore's count.
    fn lock_word(&mut self, lock: &Expr) -> Res {
        self.scalar(lock)?;
        self.load_memory(Ty::U64, Space::Any)
    }

    /// The IPv4 address at the pointer in `R0`.
    fn inet4(&mut self, to: u32) -> Res {
        self.load_memory(Ty::Int { bytes: 4, signed: false }, Space::Any)?;
        let routine = self.routine(Routine::Inet);
        self.asm.mov(Reg::R3, Reg::R0);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        self.asm.mov(Reg::R2, to as i32);
        self.asm.call_func(routine);
        Ok(())
    }

    /// The IPv6 address at the pointer in `R0`.
    fn inet6(&mut self, to: u32, strict: bool) -> Res {
        let at = self.temp(16)?;
        self.read_memory(Space::Any, 16, Some(at))?;
        self.call_routine(Routine::Inet6, &[to, at, u32::from(strict)]);
        Ok(())
    }

    /// So many bytes at an address, in hexadecimal.
    fn octets(&mut self, address: &Expr, to: u32, count: u32) -> Res {
        self.scalar(address)?;
        let at = self.temp(MAX_OCTETS.next_multiple_of(8))?;
        self.read_memory(Space::Any, count, Some(at))?;
        self.call_routine(Routine::Octets, &[to, at, count]);
        Ok(())
    }

    /// Writes the digits of the signed number in `R0`.
    pub fn number_to_string(&mut self, to: u32, base: i32) -> Res {
        let routine = self.routine(Routine::Number);
        self.asm.mov(Reg::R3, Reg::R0);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        self.asm.mov(Reg::R2, to as i32);
        self.asm.mov(Reg::R4, base);
        self.asm.call_func(routine);
        Ok(())
    }

    /// Refuses string sizes that a routine going byte by byte would not be verified for.
    fn bytewise(&self, span: Span, subroutine: S) -> Res {
        if self.plan.strsize > BYTEWISE {
            return self.unsupported(span, &format!("{}() with strsize above {BYTEWISE}", name(subroutine)));
        }
        Ok(())
    }

    /// A number base: 2 to 36, else a fault. Held when it is computed.
    fn base(&mut self, base: Option<&Expr>) -> Res<Base> {
        match base {
            None => Ok(Base::Constant(10)),
            Some(Expr { kind: ExprKind::Const(n @ 2..=36), .. }) => Ok(Base::Constant(*n as i32)),
            Some(expr) => {
                self.scalar(expr)?;
                let bad = self.fault(Fault::IllOp, false);
                self.asm.jump_if(Cond::Lt, Reg::R0, 2, bad);
                self.asm.jump_if(Cond::Gt, Reg::R0, 36, bad);
                Ok(Base::Held(self.hold()?))
            }
        }
    }

    fn base_into(&mut self, base: Base, reg: Reg) {
        match base {
            Base::Constant(n) => self.asm.mov(reg, n),
            Base::Held(hold) => self.take(hold, reg),
        }
    }

    /// `R0 =` position of a string in another; the start is in `R4`.
    fn find(&mut self, from: u32, what: u32, backwards: bool) {
        let routine = self.routine(Routine::Find);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        self.asm.mov(Reg::R2, from as i32);
        self.asm.mov(Reg::R3, what as i32);
        self.asm.mov(Reg::R5, i32::from(backwards));
        self.asm.call_func(routine);
    }

    /// The string from position `R0` on, NULL when that is negative.
    fn rest_from(&mut self, to: u32, from: u32) {
        let (found, end) = (self.asm.label(), self.asm.label());
        self.asm.jump_if(Cond::SGe, Reg::R0, 0, found);
        self.frame_store_imm(to, -1);
        self.asm.jump(end);
        self.asm.bind(found);
        self.asm.mov(Reg::R4, Reg::R0);
        self.asm.mov(Reg::R5, self.plan.strsize as i32);
        self.substr(to, from);
        self.asm.bind(end);
    }

    /// Calls `substr`; start in `R4`, length in `R5`.
    fn substr(&mut self, to: u32, from: u32) {
        let routine = self.routine(Routine::Substr);
        self.asm.load(Size::DW, Reg::R1, Reg::R10, slot::FRAME);
        self.asm.mov(Reg::R2, to as i32);
        self.asm.mov(Reg::R3, from as i32);
        self.asm.call_func(routine);
    }

    /// `R0 =` a value's low bits in network order.
    fn network(&mut self, value: &Expr, bits: i32, ty: Ty) -> Res {
        self.scalar(value)?;
        self.emit(Insn::to_be(Reg::R0, bits));
        self.canonical(ty);
        Ok(())
    }

    /// `R0 =` a free speculation's number, 0 and a drop when there is none.
    fn speculation(&mut self) {
        let end = self.asm.label();
        for id in 1..=self.plan.nspec {
            let at = (control::SPECULATIONS + id * 8) as i32;
            self.asm.load_map_value(Reg::R1, super::layout::CONTROL, at);
            let taken = self.asm.label();
            self.asm.mov(Reg::R2, 1);
            self.emit(Insn::atomic(super::insn::Atomic::Xchg, Size::DW, Reg::R1, 0, Reg::R2));
            self.asm.jump_if(Cond::Ne, Reg::R2, 0, taken);
            self.asm.mov(Reg::R0, id as i32);
            self.asm.jump(end);
            self.asm.bind(taken);
        }
        self.count_drop(drops::SPECULATION_UNAVAILABLE);
        self.asm.mov(Reg::R0, 0);
        self.asm.bind(end);
    }
}

enum Base {
    Constant(i32),
    Held(super::context::Hold),
}

/// The D name, for messages.
fn name(subroutine: S) -> String {
    match subroutine {
        S::InetNtoa => "inet_ntoa".to_string(),
        S::InetNtoa6 => "inet_ntoa6".to_string(),
        S::InetNtop => "inet_ntop".to_string(),
        S::DPath => "d_path".to_string(),
        S::LinkNtop => "link_ntop".to_string(),
        other => {
            let mut out = String::new();
            for (index, c) in format!("{other:?}").chars().enumerate() {
                if c.is_uppercase()
                    && index > 0
                    && matches!(
                        other,
                        S::MutexOwned
                            | S::MutexOwner
                            | S::MutexTypeAdaptive
                            | S::MutexTypeSpin
                            | S::RwReadHeld
                            | S::RwWriteHeld
                            | S::RwIswriter
                    )
                {
                    out.push('_');
                }
                out.extend(c.to_lowercase());
            }
            out
        }
    }
}
