//! Raw key parts of aggregations as values.

use crate::codegen::decode::KeyValue;
use duotrace_core::ir::{SymbolKind, Ty};
use duotrace_core::record::{SymKind, SymValue, UserStack, Value};

/// The value of one key part of a type; a part that does not fit its type is a number or empty.
pub fn value(ty: Ty, part: KeyValue<'_>) -> Value {
    let words = match part {
        KeyValue::Str(text) => return Value::Str(text),
        KeyValue::Words(words) => words,
    };
    let word = |n: usize| words.get(n).copied().unwrap_or(0);
    match ty {
        Ty::Int { bytes, signed } => Value::int_of(word(0), bytes, signed),
        Ty::Str | Ty::Void => Value::Str(Vec::new()),
        Ty::Bytes(size) => {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            bytes.truncate(size as usize);
            Value::Bytes(bytes)
        }
        Ty::Stack(spec) => {
            let count = usize::try_from(word(0)).unwrap_or(0);
            let frames: Vec<u64> =
                words.iter().skip(1 + usize::from(spec.user)).take(count).copied().collect();
            match spec.user {
                true => {
                    Value::UStack(Box::new(UserStack { pid: word(1) as u32, frames, helper: Vec::new() }))
                }
                false => Value::KStack(frames),
            }
        }
        Ty::Symbol(kind) => {
            let (kind, user) = match kind {
                SymbolKind::Sym | SymbolKind::Func => (SymKind::Sym, false),
                SymbolKind::Mod => (SymKind::Mod, false),
                SymbolKind::Usym | SymbolKind::Ufunc => (SymKind::Usym, true),
                SymbolKind::Umod => (SymKind::Umod, true),
                SymbolKind::Uaddr => (SymKind::Uaddr, true),
            };
            let (pid, addr) = if user { (word(0) as u32, word(1)) } else { (0, word(0)) };
            Value::Sym(SymValue { kind, pid, addr })
        }
    }
}

/// The process that a value's addresses lie in.
pub fn process(value: &Value) -> Option<u32> {
    match value {
        Value::UStack(stack) => Some(stack.pid),
        Value::Sym(sym) if sym.pid != 0 => Some(sym.pid),
        _ => None,
    }
}

/// Do values of this type hold addresses of processes?
pub fn is_user(ty: Ty) -> bool {
    match ty {
        Ty::Stack(spec) => spec.user,
        Ty::Symbol(kind) => !matches!(kind, SymbolKind::Sym | SymbolKind::Mod | SymbolKind::Func),
        _ => false,
    }
}
