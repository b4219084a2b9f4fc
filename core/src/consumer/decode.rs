//! Fields of a record to values. Every access is checked: a short record gives
//! zeros, never a panic.

use crate::ir::{Field, SymbolKind, Ty};
use crate::record::{SymKind, SymValue, UserStack, Value};

/// Reads `N` bytes at `offset`; zeros where the data ends.
fn bytes<const N: usize>(data: &[u8], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(from) = data.get(offset..) {
        let n = from.len().min(N);
        out[..n].copy_from_slice(&from[..n]);
    }
    out
}

fn word(data: &[u8], offset: usize) -> u64 {
    u64::from_ne_bytes(bytes(data, offset))
}

/// The value of a field: see [`Field`] for the layouts.
pub(super) fn field(data: &[u8], field: &Field) -> Value {
    let at = field.offset as usize;
    match field.ty {
        Ty::Int { bytes: width, signed } => {
            let raw = match width {
                1 => bytes::<1>(data, at)[0] as u64,
                2 => u16::from_ne_bytes(bytes(data, at)) as u64,
                4 => u32::from_ne_bytes(bytes(data, at)) as u64,
                _ => word(data, at),
            };
            Value::int_of(raw, width, signed)
        }
        Ty::Str => {
            let len = word(data, at);
            let text = data.get(at + 8..).unwrap_or(&[]);
            let len = if len == u64::MAX { 0 } else { usize::try_from(len).unwrap_or(0).min(text.len()) };
            Value::string(&text[..len])
        }
        Ty::Bytes(n) => {
            let end = (at + n as usize).min(data.len());
            Value::Bytes(data.get(at..end).unwrap_or(&[]).to_vec())
        }
        Ty::Stack(spec) => {
            let (pid, first) = if spec.user { (word(data, at + 8) as u32, at + 16) } else { (0, at + 8) };
            let count = (word(data, at) as usize).min(spec.frames as usize);
            let frames = (0..count).map(|i| word(data, first + i * 8)).collect();
            if spec.user {
                Value::UStack(Box::new(UserStack { pid, frames, helper: Vec::new() }))
            } else {
                Value::KStack(frames)
            }
        }
        Ty::Symbol(kind) => {
            let user = !matches!(kind, SymbolKind::Sym | SymbolKind::Mod | SymbolKind::Func);
            let (pid, addr) =
                if user { (word(data, at) as u32, word(data, at + 8)) } else { (0, word(data, at)) };
            let kind = match kind {
                SymbolKind::Sym | SymbolKind::Func => SymKind::Sym,
                SymbolKind::Mod => SymKind::Mod,
                SymbolKind::Usym | SymbolKind::Ufunc => SymKind::Usym,
                SymbolKind::Umod => SymKind::Umod,
                SymbolKind::Uaddr => SymKind::Uaddr,
            };
            Value::Sym(SymValue { kind, pid, addr })
        }
        Ty::Void => Value::int(0),
    }
}

/// Was action number `action` reached?
pub(super) fn present(data: &[u8], action: usize) -> bool {
    word(data, action / 64 * 8) >> (action % 64) & 1 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_records_give_zeros() {
        let f = Field { offset: 100, ty: Ty::Str };
        assert_eq!(field(&[1, 2, 3], &f), Value::string(b""));
        let f = Field { offset: 2, ty: Ty::Int { bytes: 8, signed: true } };
        assert_eq!(field(&[1, 2, 3], &f), Value::int_of(3, 8, true));
    }
}
