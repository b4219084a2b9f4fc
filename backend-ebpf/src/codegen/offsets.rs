//! Offsets into `struct task_struct`, found in the kernel's BTF.
//!
//! One pass over the types (a few milliseconds), so it is worth it only for a
//! script that asks for what needs it: [`KernelOffsets::wanted`]. The format is that of
//! the kernel's Documentation/bpf/btf.rst; everything is bounds-checked.

use super::KernelOffsets;
use duotrace_core::ir::{Builtin, ExprKind, Program, Subroutine};

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

/// A BTF blob's two sections.
struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

impl<'a> Btf<'a> {
    fn parse(blob: &'a [u8]) -> Option<Btf<'a>> {
        if u32_at(blob, 0)? & 0xffff != 0xeb9f {
            return None;
        }
        let header = u32_at(blob, 4)? as usize;
        let section = |at: usize| {
            let start = header.checked_add(u32_at(blob, at)? as usize)?;
            blob.get(start..start.checked_add(u32_at(blob, at + 4)? as usize)?)
        };
        Some(Btf { types: section(8)?, strings: section(16)? })
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        let text = self.strings.get(offset as usize..).unwrap_or(&[]);
        text.get(..name.len()) == Some(name.as_bytes()) && text.get(name.len()) == Some(&0)
    }

    /// Offset of the type after the one at `at`.
    fn next(&self, at: usize) -> Option<usize> {
        let info = u32_at(self.types, at + 4)?;
        let count = (info & 0xffff) as usize;
        Some(
            at + 12
                + match info >> 24 & 0x1f {
                    KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                    KIND_ARRAY => 12,
                    KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * count,
                    KIND_ENUM | KIND_FUNC_PROTO => 8 * count,
                    _ => 0,
                },
        )
    }

    /// Offset in the section of a structure by name.
    fn find_struct(&self, name: &str) -> Option<usize> {
        let mut at = 0;
        while at < self.types.len() {
            let info = u32_at(self.types, at + 4)?;
            if info >> 24 & 0x1f == KIND_STRUCT && self.is_named(u32_at(self.types, at)?, name) {
                return Some(at);
            }
            at = self.next(at)?;
        }
        None
    }

    /// Byte offset of a member of the structure at `at`; not of one in an anonymous part.
    fn member(&self, at: usize, name: &str) -> Option<u32> {
        let info = u32_at(self.types, at + 4)?;
        for index in 0..(info & 0xffff) as usize {
            let member = at + 12 + index * 12;
            if self.is_named(u32_at(self.types, member)?, name) {
                let bits = u32_at(self.types, member + 8)?;
                // With bit-fields in the structure the upper byte is a width.
                let bits = if info >> 31 == 1 { bits & 0xff_ffff } else { bits };
                return Some(bits / 8);
            }
        }
        None
    }
}

impl KernelOffsets {
    /// Does a program use anything that is better, or only, had with offsets?
    pub fn wanted(program: &Program) -> bool {
        let mut found = false;
        for clause in &program.clauses {
            let mut look = |expr: &duotrace_core::ir::Expr| {
                found |= matches!(
                    expr.kind,
                    ExprKind::Builtin(
                        Builtin::Ppid | Builtin::Vtimestamp | Builtin::Execname | Builtin::Threadname
                    ) | ExprKind::Call(Subroutine::Progenyof, _)
                );
            };
            clause.predicate.iter().for_each(|expr| super::layout::walk(expr, &mut look));
            super::layout::walk_body(&clause.body, &mut look);
        }
        found
    }

    /// Reads the offsets from a BTF blob (`/sys/kernel/btf/vmlinux`); what is not found stays `None`.
    pub fn from_btf(blob: &[u8]) -> KernelOffsets {
        let Some(btf) = Btf::parse(blob) else { return KernelOffsets::default() };
        let Some(task) = btf.find_struct("task_struct") else { return KernelOffsets::default() };
        let member = |name: &str| btf.member(task, name);
        let runtime = || {
            let entity = btf.find_struct("sched_entity")?;
            Some(member("se")? + btf.member(entity, "sum_exec_runtime")?)
        };
        KernelOffsets {
            sum_exec_runtime: runtime(),
            real_parent: member("real_parent"),
            tgid: member("tgid"),
            pid: member("pid"),
            comm: member("comm"),
            cred: member("cred"),
            uid: btf.find_struct("cred").and_then(|cred| btf.member(cred, "uid")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_them() {
        let Ok(blob) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("SKIP this_kernel_has_them: no BTF");
            return;
        };
        let offsets = KernelOffsets::from_btf(&blob);
        let all = [offsets.sum_exec_runtime, offsets.real_parent, offsets.tgid, offsets.pid, offsets.comm];
        assert!(all.iter().all(Option::is_some), "{offsets:?}");
        assert_eq!(offsets.tgid, offsets.pid.map(|pid| pid + 4));
    }

    #[test]
    fn rubbish_is_no_btf() {
        assert_eq!(KernelOffsets::from_btf(b""), KernelOffsets::default());
        let mut blob = vec![0x9f, 0xeb, 1, 0];
        blob.extend([24u32, 0, u32::MAX, 0, u32::MAX].iter().flat_map(|word| word.to_ne_bytes()));
        assert_eq!(KernelOffsets::from_btf(&blob), KernelOffsets::default());
    }
}
