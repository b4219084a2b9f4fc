//! Built-in variables and arguments: what the event knows, under the names that D has for it.

use super::strings::Str;
use super::{Firing, Halt, Res};
use duotrace_core::builtins::variables::{Source, VARIABLES};
use duotrace_core::ir::{Builtin, Fault};

/// Registers that `uregs[]` has on the platform with the most.
const REGISTERS: u64 = 64;

/// The D name of a built-in variable.
fn name(builtin: Builtin) -> &'static str {
    VARIABLES
        .iter()
        .find(|row| matches!(row.source, Source::Builtin(which) if which == builtin))
        .map_or("a built-in variable", |row| row.name)
}

impl Firing<'_> {
    /// A built-in variable that is a number.
    pub(super) fn builtin(&mut self, builtin: Builtin) -> Res<u64> {
        match builtin {
            Builtin::Epid => Ok(u64::from(self.epid())),
            Builtin::Id => Ok(u64::from(self.probe_id().0)),
            Builtin::Walltimestamp => {
                let own = self.event.number(builtin).filter(|_| !self.event.complete);
                Ok(own.unwrap_or(self.event.time.wrapping_add_signed(self.machine.config.wall)))
            }
            Builtin::Stackdepth | Builtin::Ustackdepth => {
                let user = builtin == Builtin::Ustackdepth;
                match self.event.number(builtin).filter(|_| !self.event.complete) {
                    Some(depth) => Ok(depth),
                    None => self
                        .event
                        .stack(user)
                        .map(|frames| frames.len() as u64)
                        .ok_or_else(|| Halt::Lacks(name(builtin).into())),
                }
            }
            other => self.event.number(other).ok_or_else(|| Halt::Lacks(name(other).into())),
        }
    }

    /// A built-in variable that is a string.
    pub(super) fn builtin_string(&mut self, builtin: Builtin) -> Res<Str> {
        let mut out = self.buffer();
        let most = self.strsize - 1;
        let cut = |text: &[u8], out: &mut Str| out.set(text.get(..most).unwrap_or(text));
        match builtin {
            Builtin::Probeprov | Builtin::Probemod | Builtin::Probefunc | Builtin::Probename => {
                let own = if self.fault.is_none() { self.event.own_text(builtin) } else { None };
                match (own, (self.probe)(self.probe_id())) {
                    (Some(text), _) => cut(text, &mut out),
                    (None, Some(probe)) => {
                        let text = match builtin {
                            Builtin::Probeprov => &probe.provider,
                            Builtin::Probemod => &probe.module,
                            Builtin::Probefunc => &probe.function,
                            _ => &probe.name,
                        };
                        cut(text.as_bytes(), &mut out);
                    }
                    (None, None) => {}
                }
            }
            Builtin::Zonename => cut(self.event.own_text(builtin).unwrap_or(b"global"), &mut out),
            Builtin::Threadname => {
                let text = self.event.own_text(builtin).or_else(|| self.event.text(Builtin::Execname));
                cut(text.ok_or_else(|| Halt::Lacks(name(builtin).into()))?, &mut out);
            }
            other => {
                let text = self.event.text(other).ok_or_else(|| Halt::Lacks(name(other).into()))?;
                cut(text, &mut out);
            }
        }
        Ok(out)
    }

    /// `argN`: of the probe, or in ERROR clauses of the fault (epid, action, offset, fault, address).
    pub(super) fn arg(&mut self, index: u32) -> Res<u64> {
        if let Some((fault, epid)) = &self.fault {
            return Ok(match index {
                1 => u64::from(*epid),
                2 => u64::from(fault.action),
                3 => u64::from(fault.offset),
                4 => u64::from(fault.fault),
                5 => fault.address,
                _ => 0,
            });
        }
        self.event.arg(index).ok_or_else(|| Halt::Lacks(format!("arg{index}")))
    }

    /// `uregs[n]`.
    pub(super) fn register(&mut self, index: u64) -> Res<u64> {
        let index = u32::try_from(index).ok().filter(|index| u64::from(*index) < REGISTERS);
        let index = index.ok_or(Halt::Fault(Fault::IllOp, 0))?;
        self.event.register(index).ok_or_else(|| Halt::Lacks(format!("uregs[{index}]")))
    }

    /// Number of this clause and this probe.
    pub(super) fn epid(&self) -> u32 {
        let first = self.machine.epids.get(self.clause.0 as usize).copied().unwrap_or(1);
        let clause = self.program.clauses.get(self.clause.0 as usize);
        let position = clause.and_then(|clause| {
            let mut ids = clause.probes.iter().flat_map(|enabling| &enabling.probes);
            ids.position(|id| *id == self.probe_id())
        });
        first + position.unwrap_or(0) as u32
    }
}
