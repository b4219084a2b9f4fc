//! Addresses by name, and stacks of them.

use super::Context;
use super::number::{Spec, pad, text};
use crate::record::{SymKind, SymValue, Symbol, UserStack, Value};

/// `%a` of a kernel address: ``module`function+0x1f``.
pub fn kernel_address(context: &Context<'_>, addr: u64) -> String {
    with_offset(context.symbols.kernel(addr), addr)
}

/// `%A` and frames of user stacks: ``object`function+0x1f``.
pub fn user_address(context: &Context<'_>, pid: u32, addr: u64) -> String {
    with_offset(context.symbols.user(pid, addr), addr)
}

/// What `sym()`, `mod()`, `usym()`, `umod()` and `uaddr()` print, without padding.
pub fn sym_text(context: &Context<'_>, sym: &SymValue) -> String {
    let SymValue { kind, pid, addr } = *sym;
    match kind {
        SymKind::Sym => without_offset(context.symbols.kernel(addr), addr),
        SymKind::Usym => without_offset(context.symbols.user(pid, addr), addr),
        SymKind::Uaddr => user_address(context, pid, addr),
        SymKind::Mod => module(context.symbols.kernel(addr), addr),
        SymKind::Umod => module(context.symbols.user(pid, addr), addr),
    }
}

/// The same, in the column that `trace` and default printing of aggregations give it.
pub fn sym_column(out: &mut Vec<u8>, context: &Context<'_>, sym: &SymValue) {
    out.extend_from_slice(b"  ");
    let spec = Spec { left: true, width: 50, ..Spec::default() };
    pad(out, sym_text(context, sym).as_bytes(), &spec);
}

fn with_offset(symbol: Option<Symbol>, addr: u64) -> String {
    match symbol {
        // Code that a process made while running is no module's.
        Some(Symbol { module, name: Some(name), offset, .. }) if module.is_empty() => match offset {
            0 => name,
            _ => format!("{name}+{offset:#x}"),
        },
        Some(Symbol { module, name: Some(name), offset: 0, .. }) => format!("{module}`{name}"),
        Some(Symbol { module, name: Some(name), offset, .. }) => format!("{module}`{name}+{offset:#x}"),
        Some(Symbol { module, name: None, .. }) => format!("{module}`{addr:#x}"),
        None => format!("{addr:#x}"),
    }
}

fn without_offset(symbol: Option<Symbol>, addr: u64) -> String {
    with_offset(symbol.map(|symbol| Symbol { offset: 0, ..symbol }), addr)
}

fn module(symbol: Option<Symbol>, addr: u64) -> String {
    symbol.map_or_else(|| format!("{addr:#x}"), |symbol| symbol.module)
}

/// A stack: a new line, then one frame a line. `indent` columns come before each frame;
/// `spec` is that of a `%k` conversion and pads every frame. Values of other kinds print nothing.
pub fn stack(out: &mut Vec<u8>, context: &Context<'_>, value: &Value, indent: usize, spec: &Spec) {
    match value {
        Value::KStack(frames) => {
            out.push(b'\n');
            for &pc in frames.iter().take_while(|&&pc| pc != 0) {
                frame(out, kernel_address(context, pc).as_bytes(), indent, spec);
            }
        }
        Value::UStack(user) => user_stack(out, context, user, indent, spec),
        _ => {}
    }
}

fn user_stack(out: &mut Vec<u8>, context: &Context<'_>, user: &UserStack, indent: usize, spec: &Spec) {
    out.push(b'\n');
    for (i, &pc) in user.frames.iter().take_while(|&&pc| pc != 0).enumerate() {
        let helper = user.helper.get(i).map_or(&b""[..], Vec::as_slice);
        // A helper's text starting with `@` is an annotation of the frame, not its name.
        let annotation = helper.strip_prefix(b"@");
        let symbol = context.symbols.user(user.pid, pc);
        if annotation.is_none() && !helper.is_empty() && symbol.as_ref().is_none_or(|s| s.name.is_none()) {
            frame(out, helper, indent, spec);
        } else {
            frame(out, with_offset(symbol, pc).as_bytes(), indent, spec);
        }
        if let Some(annotation) = annotation {
            let text = [b"  [ ", annotation, b" ]"].concat();
            frame(out, &text, indent, spec);
        }
    }
}

fn frame(out: &mut Vec<u8>, name: &[u8], indent: usize, spec: &Spec) {
    pad(out, b"", &Spec { width: indent, ..Spec::default() });
    text(out, name, spec);
    out.push(b'\n');
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::output::{Settings, Utc};
    use crate::record::Symbols;

    /// One function `main` at 0x1000 to 0x1fff of `a.out`, `vmlinux` above without symbols.
    pub(crate) struct Table;

    impl Symbols for Table {
        fn kernel(&self, addr: u64) -> Option<Symbol> {
            match addr {
                0x1000..0x2000 => Some(Symbol {
                    module: "vmlinux".into(),
                    name: Some("schedule".into()),
                    offset: addr - 0x1000,
                    module_base: 0x1000,
                }),
                0x2000..0x3000 => {
                    Some(Symbol { module: "mod".into(), name: None, offset: 0, module_base: 0x2000 })
                }
                _ => None,
            }
        }
        fn user(&self, _: u32, addr: u64) -> Option<Symbol> {
            self.kernel(addr).map(|s| Symbol { module: "a.out".into(), ..s })
        }
    }

    fn context(settings: &Settings) -> Context<'_> {
        Context { settings, environment: &Utc, symbols: &Table }
    }

    #[test]
    fn addresses_by_kind() {
        let settings = Settings::default();
        let text = |kind, addr| sym_text(&context(&settings), &SymValue { kind, pid: 1, addr });
        assert_eq!(text(SymKind::Sym, 0x101f), "vmlinux`schedule");
        assert_eq!(text(SymKind::Usym, 0x101f), "a.out`schedule");
        assert_eq!(text(SymKind::Uaddr, 0x101f), "a.out`schedule+0x1f");
        assert_eq!(text(SymKind::Mod, 0x101f), "vmlinux");
        assert_eq!(text(SymKind::Umod, 0x9999), "0x9999");
        assert_eq!(text(SymKind::Sym, 0x2abc), "mod`0x2abc");
        let mut out = Vec::new();
        sym_column(&mut out, &context(&settings), &SymValue { kind: SymKind::Mod, pid: 0, addr: 0x1000 });
        assert_eq!(out, format!("  {:<50}", "vmlinux").as_bytes());
    }

    #[test]
    fn stacks_end_at_zero_and_take_helper_names() {
        let settings = Settings::default();
        let mut out = Vec::new();
        let value = Value::KStack(vec![0x1000, 0x1004, 0x5000, 0, 0x1000]);
        stack(&mut out, &context(&settings), &value, 14, &Spec::default());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\n              vmlinux`schedule\n              vmlinux`schedule+0x4\n              0x5000\n"
        );
        let user = UserStack {
            pid: 1,
            frames: vec![0x1000, 0x7000, 0x7001],
            helper: vec![b"ignored".to_vec(), b"java.lang.String".to_vec(), b"@line 7".to_vec()],
        };
        let mut out = Vec::new();
        stack(&mut out, &context(&settings), &Value::UStack(Box::new(user)), 2, &Spec::default());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\n  a.out`schedule\n  java.lang.String\n  0x7001\n    [ line 7 ]\n"
        );
    }
}
