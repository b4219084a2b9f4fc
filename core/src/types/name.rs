//! Names of types as C (and dtrace's messages) spell them.

use super::{Qualifier, Type, TypeId, Types};

impl Types {
    /// `int`, `struct s *`, `char [12]`, `int (*)(int, char *)`.
    pub fn name(&self, id: TypeId) -> String {
        self.declare(id, "")
    }

    /// A declaration of `inner` with the type: `declare(int[3], "x")` is `int x[3]`.
    fn declare(&self, id: TypeId, inner: &str) -> String {
        let plain = |name: &str| match inner {
            "" => name.to_string(),
            _ => format!("{name} {inner}"),
        };
        match self.get(id) {
            Type::Void => plain("void"),
            Type::Int(int) => plain(int.name),
            Type::Float { name, .. } => plain(name),
            Type::Composite(c) => {
                let kind = if c.union { "union" } else { "struct" };
                plain(&if c.tag.is_empty() {
                    format!("{kind} (anonymous)")
                } else {
                    format!("{kind} {}", c.tag)
                })
            }
            Type::Enum(e) if e.tag.is_empty() => plain("enum (anonymous)"),
            Type::Enum(e) => plain(&format!("enum {}", e.tag)),
            Type::Typedef { name, .. } => plain(name),
            Type::String => plain("string"),
            Type::Dyn => plain("<DYN>"),
            Type::Stack => plain("stack"),
            Type::Symaddr => plain("_symaddr"),
            Type::Usymaddr => plain("_usymaddr"),
            Type::Pointer(to) => {
                let wrapped = matches!(self.get(*to), Type::Array { .. } | Type::Function { .. });
                let star = format!("*{inner}");
                self.declare(*to, &if wrapped { format!("({star})") } else { star })
            }
            Type::Array { of, len } => {
                let space = if inner.is_empty() { " " } else { "" };
                let suffix =
                    if *len == 0 { format!("{inner}{space}[]") } else { format!("{inner}{space}[{len}]") };
                self.declare(*of, suffix.trim_start())
            }
            Type::Function { ret, params, varargs } => {
                let mut list: Vec<String> = params.iter().map(|&p| self.name(p)).collect();
                if *varargs {
                    list.push("...".to_string());
                }
                if list.is_empty() {
                    list.push("void".to_string());
                }
                self.declare(*ret, &format!("{inner}({})", list.join(", ")))
            }
            Type::Qualified { qualifier, to } => {
                let word = match qualifier {
                    Qualifier::Const => "const",
                    Qualifier::Volatile => "volatile",
                    Qualifier::Restrict => "restrict",
                    Qualifier::Userland => "userland",
                };
                match self.get(*to) {
                    Type::Pointer(_) => self.declare(
                        *to,
                        &if inner.is_empty() { word.into() } else { format!("{word} {inner}") },
                    ),
                    _ => format!("{word} {}", self.declare(*to, inner)),
                }
            }
        }
    }
}
