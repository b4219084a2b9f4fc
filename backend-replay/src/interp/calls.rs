//! Subroutines. Arguments are evaluated in the order in which the kernel's code does it.

use super::arith::canonical;
use super::strings::Str;
use super::{Firing, Halt, Res, json, text};
use crate::event::Read;
use duotrace_core::backend::DropKind;
use duotrace_core::builtins::functions::subroutine_name;
use duotrace_core::ir::{Expr, ExprKind, Fault, Space, Subroutine as S, Ty};

/// `AF_INET`, everywhere the same, and `AF_INET6` of Linux, FreeBSD, illumos, macOS.
const AF_INET: u64 = 2;
const AF_INET6: [u64; 4] = [10, 28, 26, 30];
/// Kinds of hardware whose addresses `link_ntop()` shows.
const ARPHRD_ETHER: u64 = 1;
const ARPHRD_INFINIBAND: u64 = 32;

impl<'a> Firing<'a> {
    /// A subroutine's number.
    pub(super) fn call_scalar(&mut self, subroutine: S, args: &'a [Expr], ty: Ty) -> Res<u64> {
        Ok(match (subroutine, args) {
            (S::Strlen, [of]) => {
                let of = self.string_argument(of)?;
                let length = of.text().len() as u64;
                self.give_back(of);
                length
            }
            (S::CharAt, [of, index]) => {
                let of = self.string_argument(of)?;
                let index = self.scalar(index)?;
                if index >= self.strsize as u64 {
                    return Err(Halt::Fault(Fault::BadAddr, index));
                }
                let char = of.text().get(index as usize).copied().unwrap_or(0);
                self.give_back(of);
                canonical(u64::from(char), ty)
            }
            (S::Index | S::Rindex, [of, what, rest @ ..]) => {
                let backwards = subroutine == S::Rindex;
                let of = self.string_argument(of)?;
                let what = self.string_argument(what)?;
                let start = match rest.first() {
                    Some(start) => self.scalar(start)? as i64,
                    None if backwards => i64::from(i32::MAX),
                    None => 0,
                };
                let found = text::find(of.text(), what.text(), start, backwards);
                self.give_back(of);
                self.give_back(what);
                found.map_or(-1, |at| at as i64) as u64
            }
            (S::Strtoll, [of, rest @ ..]) => {
                let of = self.string_argument(of)?;
                let base = self.base(rest.first())?;
                let value = text::parse(of.text(), base);
                self.give_back(of);
                value
            }
            (S::Rand, _) => {
                let value = match self.event.complete {
                    true => self.random(),
                    false => self.answer("rand()")?,
                };
                super::arith::canonical(value, ty)
            }
            (S::Progenyof, [pid]) => {
                let pid = self.scalar(pid)?;
                match self.event.complete {
                    true => u64::from(u64::from(self.event.pid) == pid),
                    false => self.answer("progenyof()")?,
                }
            }
            (S::Htons | S::Ntohs, [value]) => {
                let value = self.scalar(value)?;
                let swapped =
                    if self.machine.config.big_endian { value as u16 } else { (value as u16).swap_bytes() };
                super::arith::canonical(u64::from(swapped), ty)
            }
            (S::Htonl | S::Ntohl, [value]) => {
                let value = self.scalar(value)?;
                let swapped =
                    if self.machine.config.big_endian { value as u32 } else { (value as u32).swap_bytes() };
                super::arith::canonical(u64::from(swapped), ty)
            }
            (S::Htonll | S::Ntohll, [value]) => {
                let value = self.scalar(value)?;
                if self.machine.config.big_endian { value } else { value.swap_bytes() }
            }
            // Linux' kernel dev_t: 12 bits of major, 20 of minor.
            (S::Getmajor, [device]) => u64::from((self.scalar(device)? as u32) >> 20),
            (S::Getminor, [device]) => self.scalar(device)? & 0xf_ffff,
            (S::Alloca, [size]) => {
                let size = self.scalar(size)?;
                self.take_scratch(size)?
            }
            (S::Copyin, [address, size]) => {
                let address = self.scalar(address)?;
                let size = self.scalar(size)?;
                self.copyin(address, size)?
            }
            (S::Copyinto, [from, size, to]) => {
                let (from, size) = (self.scalar(from)?, self.scalar(size)?);
                let to = self.scalar(to)?;
                self.copy_to_scratch(from, size, to, Space::User)?;
                0
            }
            (S::Bcopy, [from, to, size]) => {
                let (from, size) = (self.scalar(from)?, self.scalar(size)?);
                let to = self.scalar(to)?;
                self.copy_to_scratch(from, size, to, Space::Any)?;
                0
            }
            // What changes the traced process is evaluated and not done.
            (S::Copyout | S::Copyoutstr, args) => {
                for arg in args {
                    self.effects(arg)?;
                }
                0
            }
            (S::Speculation, _) => self.speculation(),
            // What the kernel's lock holds can no longer be read: what it was then.
            (other, [lock]) => {
                let address = self.scalar(lock)?;
                match self.event.complete {
                    true => 0,
                    false if self.event.read(Space::Any, address) == Read::Faulted => {
                        return Err(Halt::Fault(Fault::BadAddr, address));
                    }
                    false => self.answer(&format!("{}()", subroutine_name(other)))?,
                }
            }
            (other, args) => {
                for arg in args {
                    self.effects(arg)?;
                }
                match self.event.complete {
                    true => 0,
                    false => self.answer(&format!("{}()", subroutine_name(other)))?,
                }
            }
        })
    }

    /// A subroutine's string.
    pub(super) fn call_string(&mut self, subroutine: S, args: &'a [Expr]) -> Res<Str> {
        match (subroutine, args) {
            (S::Strjoin, [a, b]) => {
                let mut a = self.string_argument(a)?;
                let b = self.string_argument(b)?;
                let mut joined = a.text().to_vec();
                joined.extend_from_slice(b.text());
                joined.truncate(self.strsize - 1);
                a.set(&joined);
                self.give_back(b);
                Ok(a)
            }
            (S::Substr, [of, start, rest @ ..]) => {
                let of = self.string_argument(of)?;
                let start = self.scalar(start)? as i64;
                let length = match rest.first() {
                    Some(length) => self.scalar(length)? as i64,
                    None => self.strsize as i64,
                };
                let out = self.made(text::substr(of.text(), start, length));
                self.give_back(of);
                Ok(out)
            }
            (S::Strchr | S::Strrchr, [of, char]) => {
                let of = self.string_argument(of)?;
                let wanted = self.scalar(char)? as u8;
                Ok(self.maybe(text::from_char(of.text(), wanted, subroutine == S::Strrchr)))
            }
            (S::Strstr, [of, what]) => {
                let of = self.string_argument(of)?;
                let what = self.string_argument(what)?;
                let found = text::find(of.text(), what.text(), 0, false);
                Ok(self.maybe(found.and_then(|at| of.text().get(at..))))
            }
            (S::Strtok, [of, delimiters]) => {
                if !matches!(of.kind, ExprKind::StrNull) {
                    let of = self.string(of)?;
                    if !of.is_null() {
                        self.machine.strtok = (of, 0);
                    }
                }
                if self.machine.strtok.0.is_null() {
                    return Err(Halt::Fault(Fault::BadAddr, 0));
                }
                let delimiters = self.string_argument(delimiters)?;
                let (of, from) = &self.machine.strtok;
                let next = of.as_option().and_then(|of| text::token(of, *from, delimiters.text()));
                match next.map(|(word, next)| (word.to_vec(), next)) {
                    Some((word, next)) => {
                        self.machine.strtok.1 = next;
                        Ok(self.made(&word))
                    }
                    None => {
                        self.machine.strtok.0.set_null();
                        Ok(Str::null())
                    }
                }
            }
            (S::Basename, [of]) => self.transform(of, |text| text::basename(text).to_vec()),
            (S::Dirname, [of]) => self.transform(of, |text| text::dirname(text).to_vec()),
            (S::Toupper, [of]) => self.transform(of, <[u8]>::to_ascii_uppercase),
            (S::Tolower, [of]) => self.transform(of, <[u8]>::to_ascii_lowercase),
            (S::Strip, [of]) => self.transform(of, |text| text::strip(text).to_vec()),
            (S::Cleanpath, [of]) => {
                let most = self.strsize;
                self.transform(of, |path| text::cleanpath(path, most))
            }
            (S::Lltostr, [value, rest @ ..]) => {
                let value = self.scalar(value)?;
                let base = self.base(rest.first())?;
                Ok(self.made(&text::number(value, base)))
            }
            (S::Json, [of, selector]) => {
                let of = self.string_argument(of)?;
                let selector = self.string_argument(selector)?;
                Ok(self.maybe(json::json(of.text(), selector.text())))
            }
            (S::InetNtoa, [address]) => {
                let address = self.scalar(address)?;
                self.shown(address, 4, text::inet)
            }
            (S::InetNtoa6, [address, rest @ ..]) => {
                let strict = matches!(rest.first(), Some(Expr { kind: ExprKind::Const(n), .. }) if *n != 0);
                let address = self.scalar(address)?;
                self.shown(address, 16, |bytes| text::inet6(bytes, strict))
            }
            (S::InetNtop, [family, address]) => {
                let family = self.scalar(family)?;
                if family != AF_INET && !AF_INET6.contains(&family) {
                    return Err(Halt::Fault(Fault::IllOp, 0));
                }
                let address = self.scalar(address)?;
                match family {
                    AF_INET => self.shown(address, 4, text::inet),
                    _ => self.shown(address, 16, |bytes| text::inet6(bytes, true)),
                }
            }
            (S::LinkNtop, [kind, address]) => {
                let size = match self.scalar(kind)? {
                    ARPHRD_ETHER => 6,
                    ARPHRD_INFINIBAND => 20,
                    _ => return Err(Halt::Fault(Fault::IllOp, 0)),
                };
                let address = self.scalar(address)?;
                self.shown(address, size, text::octets)
            }
            (other, args) => {
                for arg in args {
                    self.effects(arg)?;
                }
                let mut out = self.buffer();
                let complete = self.event.complete;
                match self.event.text_answer() {
                    Some(Some(text)) => out.set(text.get(..self.strsize - 1).unwrap_or(text)),
                    Some(None) => out.set_null(),
                    None if complete => {}
                    None => return Err(Halt::Lacks(format!("{}()", subroutine_name(other)))),
                }
                Ok(out)
            }
        }
    }

    fn transform(&mut self, of: &'a Expr, change: impl Fn(&[u8]) -> Vec<u8>) -> Res<Str> {
        let of = self.string_argument(of)?;
        let changed = change(of.text());
        self.give_back(of);
        Ok(self.made(&changed))
    }

    fn maybe(&mut self, text: Option<&[u8]>) -> Str {
        match text {
            Some(text) => self.made(text),
            None => Str::null(),
        }
    }

    /// So many bytes at an address, as text.
    fn shown(&mut self, address: u64, size: usize, text: impl Fn(&[u8]) -> Vec<u8>) -> Res<Str> {
        let shown = text(self.memory(address, Space::Any, size)?);
        Ok(self.made(&shown))
    }

    /// A number base: 2 to 36, else a fault.
    fn base(&mut self, base: Option<&'a Expr>) -> Res<u32> {
        match base {
            None => Ok(10),
            Some(base) => match self.scalar(base)? {
                base @ 2..=36 => Ok(base as u32),
                _ => Err(Halt::Fault(Fault::IllOp, 0)),
            },
        }
    }

    /// A free speculation's number, 0 and a drop when there is none.
    fn speculation(&mut self) -> u64 {
        match self.machine.speculations.iter_mut().position(|used| !std::mem::replace(used, true)) {
            Some(index) => index as u64 + 1,
            None => {
                self.count_drop(DropKind::SpeculationUnavailable);
                0
            }
        }
    }

    fn answer(&mut self, what: &str) -> Res<u64> {
        self.event.answer().ok_or_else(|| Halt::Lacks(what.into()))
    }

    /// xorshift64*: the same numbers in every run.
    fn random(&mut self) -> u64 {
        let mut state = self.machine.random;
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.machine.random = state;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
