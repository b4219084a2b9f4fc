//! Do the arguments of a call fit its format string?

use super::{Accepts, Conversion, Format, FormatError, Style};
use crate::aggregate::AggFunc;
use crate::diagnostic::Tag;

/// What the checker says about one argument (or one key part of a `printa`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The kind of its type.
    pub ty: ArgType,
    /// The type as messages name it: `int`, `struct s *`, `string`, `aggregation`, `stack`.
    pub name: String,
}

/// Kinds of types, as far as conversions tell them apart. Typedefs are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgType {
    /// An integer or an enumeration.
    Int {
        /// 1, 2, 4 or 8.
        bytes: u8,
        /// Does it have a sign?
        signed: bool,
    },
    /// A floating point number of 4, 8 or 16 bytes.
    Float {
        /// 4, 8 or 16.
        bytes: u8,
    },
    /// A pointer of any kind, to `char` too.
    Pointer,
    /// D's `string`.
    Str,
    /// An array of `char`.
    CharArray,
    /// An array of 4-byte integers.
    WideCharArray,
    /// `stack()`, `ustack()`, `jstack()`.
    Stack,
    /// `sym()`, `func()`, `mod()`.
    Symaddr,
    /// `usym()`, `ufunc()`, `umod()`, `uaddr()`.
    Usymaddr,
    /// `@name`.
    Aggregation,
    /// Structures, other arrays, `void`, what has no fixed type.
    Other,
}

/// The call that a format string belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Name of the function in messages: `printf`, `printa`, `system`, `freopen`.
    pub function: &'a str,
    /// The number of arguments before the first value, for messages: 1 where the format comes first.
    pub before: usize,
    /// For `printa`: the function of the (first) aggregation. It may leave keys unprinted;
    /// other calls must use all arguments.
    pub aggregation: Option<AggFunc>,
}

impl Call<'_> {
    /// `printf(format, …)`.
    pub const PRINTF: Call<'static> = Call { function: "printf", before: 1, aggregation: None };

    /// `printa(format, …)` of aggregations with that function.
    pub fn printa(func: AggFunc) -> Call<'static> {
        Call { function: "printa", before: 1, aggregation: Some(func) }
    }
}

impl Format {
    /// Checks arguments (for `printa`: the key's parts) in order. The error has dtrace's tag and words.
    pub fn check(&self, call: Call<'_>, args: &[Arg]) -> Result<(), FormatError> {
        let function = call.function;
        if self.parts.is_empty() {
            return error(Tag::D_PRINTF_ARG_FMT, format!("{function}( ) format string is empty"));
        }
        // Values of aggregations are 64-bit integers; those of count() have no sign.
        let aggregated = Arg {
            ty: ArgType::Int { bytes: 8, signed: call.aggregation != Some(AggFunc::Count) },
            name: if call.aggregation == Some(AggFunc::Count) { "uint64_t" } else { "int64_t" }.into(),
        };
        let mut used = 0;
        for conversion in self.conversions() {
            let name = conversion.row.name;
            let number = conversion.number;
            for star in dynamic(conversion) {
                let Some(arg) = args.get(used) else {
                    return error(
                        Tag::D_PRINTF_DYN_PROTO,
                        format!(
                            "{function}( ) prototype mismatch: conversion #{number} (%{name}) is missing a \
                             corresponding \"{star}\" argument"
                        ),
                    );
                };
                used += 1;
                if !matches!(arg.ty, ArgType::Int { .. }) {
                    let position = used + call.before;
                    return error(
                        Tag::D_PRINTF_DYN_TYPE,
                        format!(
                            "{function}( ) argument #{position} is incompatible with conversion #{number} \
                             prototype:\n\tconversion: % {star} {name}\n\t prototype: int\n\t  argument: {}",
                            arg.name
                        ),
                    );
                }
            }
            let (arg, what) = if conversion.aggregation {
                if call.aggregation.is_none() {
                    return error(
                        Tag::D_PRINTF_AGG_CONV,
                        format!(
                            "%@ conversion requires an aggregation and is not for use with {function}( )"
                        ),
                    );
                }
                (&aggregated, "aggregating action".to_string())
            } else {
                let Some(arg) = args.get(used) else {
                    return error(
                        Tag::D_PRINTF_ARG_PROTO,
                        format!(
                            "{function}( ) prototype mismatch: conversion #{number} (%{name}) is missing a \
                             corresponding value argument"
                        ),
                    );
                };
                used += 1;
                (arg, format!("argument #{}", used + call.before))
            };
            if !accepts(conversion.row.accepts, arg.ty) {
                return error(
                    Tag::D_PRINTF_ARG_TYPE,
                    format!(
                        "{function}( ) {what} is incompatible with conversion #{number} prototype:\n\
                         \tconversion: %{name}\n\t prototype: {}\n\t  argument: {}",
                        conversion.row.prototype, arg.name
                    ),
                );
            }
        }
        if call.aggregation.is_none() && used < args.len() {
            return error(
                Tag::D_PRINTF_ARG_EXTRA,
                format!(
                    "{function}( ) prototype mismatch: only {used} arguments required by this format string"
                ),
            );
        }
        Ok(())
    }
}

/// The arguments that a conversion takes before its value, in order.
fn dynamic(conversion: &Conversion) -> impl Iterator<Item = &'static str> {
    let width = conversion.dynamic_width.then_some("*");
    let precision = conversion.dynamic_precision.then_some(".*");
    width.into_iter().chain(precision)
}

fn error(tag: Tag, message: String) -> Result<(), FormatError> {
    Err(FormatError { tag, message })
}

fn accepts(accepts: Accepts, ty: ArgType) -> bool {
    match accepts {
        Accepts::Nothing => false,
        Accepts::Integer => matches!(ty, ArgType::Int { .. }),
        Accepts::SmallInteger => matches!(ty, ArgType::Int { bytes: 0..=4, .. }),
        Accepts::Exactly { bytes, signed } => match ty {
            ArgType::Int { bytes: b, signed: s } => b == bytes && signed.is_none_or(|signed| s == signed),
            _ => false,
        },
        Accepts::Float => matches!(ty, ArgType::Float { .. }),
        Accepts::LongDouble => matches!(ty, ArgType::Float { bytes: 16 }),
        Accepts::Address => matches!(ty, ArgType::Int { .. } | ArgType::Pointer),
        Accepts::KernelAddress => {
            matches!(ty, ArgType::Int { .. } | ArgType::Pointer | ArgType::Symaddr)
        }
        Accepts::UserAddress => {
            matches!(ty, ArgType::Int { .. } | ArgType::Pointer | ArgType::Usymaddr)
        }
        Accepts::Stack => ty == ArgType::Stack,
        Accepts::Text => matches!(ty, ArgType::Str | ArgType::CharArray),
        Accepts::WideText => ty == ArgType::WideCharArray,
    }
}

impl Conversion {
    /// Does it print a stack?
    pub fn is_stack(&self) -> bool {
        self.row.style == Style::Stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT: ArgType = ArgType::Int { bytes: 4, signed: true };
    const LONG: ArgType = ArgType::Int { bytes: 8, signed: true };
    const SHORT: ArgType = ArgType::Int { bytes: 2, signed: true };

    fn arg(ty: ArgType) -> Arg {
        let name = match ty {
            ArgType::Int { .. } => "int",
            ArgType::Str => "string",
            ArgType::Pointer => "char *",
            ArgType::Aggregation => "aggregation",
            ArgType::Stack => "stack",
            _ => "other",
        };
        Arg { ty, name: name.into() }
    }

    fn check(text: &str, call: Call<'_>, types: &[ArgType]) -> Result<(), (Tag, String)> {
        let args: Vec<Arg> = types.iter().map(|&ty| arg(ty)).collect();
        Format::parse(text).unwrap().check(call, &args).map_err(|e| (e.tag, e.message))
    }

    fn printf(text: &str, types: &[ArgType]) -> Result<(), (Tag, String)> {
        check(text, Call::PRINTF, types)
    }

    fn fails(text: &str, types: &[ArgType], tag: Tag, message: &str) {
        let (found, text) = printf(text, types).unwrap_err();
        assert_eq!((found.name(), text.as_str()), (tag.name(), message));
    }

    #[test]
    fn what_fits() {
        assert_eq!(printf("%d %s %p %x%%", &[INT, ArgType::Str, ArgType::Pointer, LONG]), Ok(()));
        assert_eq!(printf("%hd %ld %lld %hx %lx", &[SHORT, LONG, LONG, SHORT, LONG]), Ok(()));
        assert_eq!(printf("%*d %.*s", &[INT, LONG, INT, ArgType::CharArray]), Ok(()));
        assert_eq!(printf("%a %A %k", &[ArgType::Symaddr, ArgType::Usymaddr, ArgType::Stack]), Ok(()));
        assert_eq!(printf("%Y %T %P", &[LONG, LONG, SHORT]), Ok(()));
        assert_eq!(printf("text", &[]), Ok(()));
    }

    #[test]
    fn what_does_not() {
        fails(
            "x = %d y = %d\n",
            &[INT, INT, INT],
            Tag::D_PRINTF_ARG_EXTRA,
            "printf( ) prototype mismatch: only 2 arguments required by this format string",
        );
        fails(
            "%% %s",
            &[],
            Tag::D_PRINTF_ARG_PROTO,
            "printf( ) prototype mismatch: conversion #2 (%s) is missing a corresponding value argument",
        );
        fails(
            "%d %*d",
            &[INT],
            Tag::D_PRINTF_DYN_PROTO,
            "printf( ) prototype mismatch: conversion #2 (%d) is missing a corresponding \"*\" argument",
        );
        fails(
            "%.*d",
            &[ArgType::Str, INT],
            Tag::D_PRINTF_DYN_TYPE,
            "printf( ) argument #2 is incompatible with conversion #1 prototype:\n\
             \tconversion: % .* d\n\t prototype: int\n\t  argument: string",
        );
        fails(
            "hello %d %d",
            &[INT, ArgType::Aggregation],
            Tag::D_PRINTF_ARG_TYPE,
            "printf( ) argument #3 is incompatible with conversion #2 prototype:\n\
             \tconversion: %d\n\t prototype: char, short, int, long, or long long\n\t  argument: aggregation",
        );
        fails(
            "hello %@d",
            &[INT],
            Tag::D_PRINTF_AGG_CONV,
            "%@ conversion requires an aggregation and is not for use with printf( )",
        );
        fails("", &[], Tag::D_PRINTF_ARG_FMT, "printf( ) format string is empty");
    }

    #[test]
    fn types_that_do_not_fit() {
        for (text, ty) in [
            ("%s", ArgType::Pointer),
            ("%s", INT),
            ("%d", ArgType::Str),
            ("%d", ArgType::Pointer),
            ("%c", LONG),
            ("%Y", INT),
            ("%f", INT),
            ("%hd", INT),
            ("%ld", INT),
            ("%p", ArgType::Stack),
            ("%k", LONG),
        ] {
            assert_eq!(printf(text, &[ty]).unwrap_err().0, Tag::D_PRINTF_ARG_TYPE, "{text}");
        }
    }

    #[test]
    fn printa_may_leave_keys_and_take_values_anywhere() {
        let call = Call::printa(AggFunc::Sum);
        assert_eq!(check("%@d %s %@8x\n", call, &[ArgType::Str, INT]), Ok(()));
        assert_eq!(check("%-*d %@d", call, &[INT, INT]), Ok(()));
        assert_eq!(check("%@s", call, &[]).unwrap_err().0, Tag::D_PRINTF_ARG_TYPE);
        assert_eq!(check("%s %d", call, &[ArgType::Str]).unwrap_err().0, Tag::D_PRINTF_ARG_PROTO);
        let (_, message) = check("%p\n", call, &[ArgType::Stack]).unwrap_err();
        assert!(message.ends_with("\t  argument: stack"), "{message}");
    }
}
