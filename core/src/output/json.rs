//! JSON Lines (`-x oformat=json`): objects built by hand, because strings of a traced system need not be UTF-8 and
//! integers need all their 64 bits. The schema is in `docs/json.md`.

use super::{Context, symbol};
use crate::aggregate::{self, AggFunc, Aggregation, Cell, quantize_bucket_value};
use crate::record::{UserStack, Value};

/// Version of the schema, in every object; rises when a member changes its meaning.
pub const SCHEMA: u32 = 1;

/// An object or array being written: puts the commas.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    end: u8,
}

impl<'a> Writer<'a> {
    /// Starts an object; [`Writer::end`] closes it.
    pub fn object(out: &'a mut Vec<u8>) -> Writer<'a> {
        out.push(b'{');
        Writer { out, first: true, end: b'}' }
    }

    /// Starts an array.
    pub fn array(out: &'a mut Vec<u8>) -> Writer<'a> {
        out.push(b'[');
        Writer { out, first: true, end: b']' }
    }

    /// Starts one line of output: an object with the schema's version and its type.
    pub fn line(out: &'a mut Vec<u8>, kind: &str) -> Writer<'a> {
        let mut line = Writer::object(out);
        line.number("schema", SCHEMA);
        line.text("type", kind.as_bytes());
        line
    }

    /// The place of the next element of an array.
    pub fn element(&mut self) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out
    }

    /// The place of a member's value.
    pub fn member(&mut self, name: &str) -> &mut Vec<u8> {
        let out = self.element();
        string(out, name);
        out.push(b':');
        out
    }

    /// A member that is a number.
    pub fn number(&mut self, name: &str, number: impl std::fmt::Display) {
        let number = number.to_string();
        self.member(name).extend_from_slice(number.as_bytes());
    }

    /// A member that is a string.
    pub fn text(&mut self, name: &str, bytes: &[u8]) {
        text(self.member(name), bytes);
    }

    /// Closes the object or array.
    pub fn end(self) {
        self.out.push(self.end);
    }

    /// Closes a line.
    pub fn end_line(self) {
        self.out.extend_from_slice(b"}\n");
    }
}

/// A string with JSON's escapes.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            // DEL and the separators that some readers take for ends of lines, too.
            '\0'..=' ' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' if c != ' ' => {
                out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes());
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// A string, or where the bytes are no UTF-8 `{"string_bytes":"ff00"}`.
pub fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => hex(out, "string_bytes", bytes),
    }
}

fn hex(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut object = Writer::object(out);
    object.text(name, digits.as_bytes());
    object.end();
}

/// A value by its type: number, string, `{"bytes": hex}`, array of frames, name of a symbol.
pub fn value(out: &mut Vec<u8>, context: &Context<'_>, value: &Value) {
    match value {
        Value::Int { raw, signed: true, .. } => out.extend_from_slice((*raw as i64).to_string().as_bytes()),
        Value::Int { raw, signed: false, .. } => out.extend_from_slice(raw.to_string().as_bytes()),
        Value::Str(bytes) => text(out, bytes),
        Value::Bytes(bytes) => hex(out, "bytes", bytes),
        Value::KStack(frames) => {
            let mut array = Writer::array(out);
            for &pc in frames.iter().take_while(|&&pc| pc != 0) {
                string(array.element(), &symbol::kernel_address(context, pc));
            }
            array.end();
        }
        Value::UStack(stack) => user_stack(out, context, stack),
        Value::Sym(sym) => string(out, &symbol::sym_text(context, sym)),
    }
}

fn user_stack(out: &mut Vec<u8>, context: &Context<'_>, stack: &UserStack) {
    let mut array = Writer::array(out);
    for (at, &pc) in stack.frames.iter().take_while(|&&pc| pc != 0).enumerate() {
        let helper = stack.helper.get(at).map_or(&b""[..], Vec::as_slice);
        let named = context.symbols.user(stack.pid, pc).is_some_and(|symbol| symbol.name.is_some());
        if helper.is_empty() || helper.starts_with(b"@") || named {
            string(array.element(), &symbol::user_address(context, stack.pid, pc));
        } else {
            text(array.element(), helper);
        }
    }
    array.end();
}

/// Values as an array.
pub fn values(out: &mut Vec<u8>, context: &Context<'_>, list: &[Value]) {
    let mut array = Writer::array(out);
    for item in list {
        value(array.element(), context, item);
    }
    array.end();
}

/// The members `name`, `function` and `entries` of an aggregation, elements in the order that printing has.
pub fn aggregation(object: &mut Writer<'_>, context: &Context<'_>, aggregation: &Aggregation) {
    object.text("name", aggregation.name().as_bytes());
    object.text("function", aggregation.func().name().as_bytes());
    let mut entries = Writer::array(object.member("entries"));
    for row in aggregate::joined(&[aggregation], &context.settings.order).iter() {
        let mut entry = Writer::object(entries.element());
        values(entry.member("key"), context, row.key);
        if let Some(cell) = row.cells.first() {
            match cell.scalar() {
                Some(number) => entry.number("value", number),
                None => buckets(entry.member("buckets"), cell),
            }
        }
        entry.end();
    }
    entries.end();
}

/// Buckets that counted something: least and greatest value (left out where there is no bound), count.
fn buckets(out: &mut Vec<u8>, cell: &Cell<'_>) {
    let mut array = Writer::array(out);
    let last = cell.words.len().saturating_sub(1);
    let bounds: Vec<i64> = match &cell.func {
        AggFunc::Lquantize(l) => (0..=usize::from(l.levels)).map(|level| l.level_start(level)).collect(),
        AggFunc::Llquantize(l) => l.bounds(),
        _ => Vec::new(),
    };
    for (at, &count) in cell.words.iter().enumerate().filter(|(_, count)| **count != 0) {
        let (least, greatest) = match &cell.func {
            AggFunc::Quantize => match quantize_bucket_value(at) {
                0 => (Some(0), Some(0)),
                edge if edge > 0 => (Some(edge), (at != last).then(|| edge * 2 - 1)),
                edge => ((at != 0).then(|| edge * 2 + 1), Some(edge)),
            },
            _ => (
                at.checked_sub(1).and_then(|below| bounds.get(below)).copied(),
                bounds.get(at).map(|above| above.saturating_sub(1)),
            ),
        };
        let mut bucket = Writer::object(array.element());
        if let Some(least) = least {
            bucket.number("min", least);
        }
        if let Some(greatest) = greatest {
            bucket.number("max", greatest);
        }
        bucket.number("count", aggregate::normalized(count, cell.normal));
        bucket.end();
    }
    array.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Llquantize, Lquantize};
    use crate::output::symbol::tests::Table;
    use crate::output::{Settings, Utc};

    fn shown(write: impl FnOnce(&mut Vec<u8>, &Context<'_>)) -> String {
        let settings = Settings::default();
        let mut out = Vec::new();
        write(&mut out, &Context { settings: &settings, environment: &Utc, symbols: &Table });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_by_type() {
        let show = |v: Value| shown(|out, context| value(out, context, &v));
        assert_eq!(show(Value::int(-1)), "-1");
        assert_eq!(show(Value::uint(u64::MAX)), "18446744073709551615");
        assert_eq!(show(Value::string("a\"b\\\n\u{1}\u{e9}")), "\"a\\\"b\\\\\\n\\u0001\u{e9}\"");
        assert_eq!(show(Value::string([b'a', 0xff])), r#"{"string_bytes":"61ff"}"#);
        assert_eq!(show(Value::Bytes(vec![0, 10])), r#"{"bytes":"000a"}"#);
        assert_eq!(
            show(Value::KStack(vec![0x1000, 0x1004, 0])),
            r#"["vmlinux`schedule","vmlinux`schedule+0x4"]"#
        );
        let stack = UserStack { pid: 1, frames: vec![0x1000, 0x7000], helper: vec![vec![], b"J.f".to_vec()] };
        assert_eq!(show(Value::UStack(Box::new(stack))), r#"["a.out`schedule","J.f"]"#);
    }

    fn entries(func: AggFunc, values: &[i64]) -> String {
        let mut table = Aggregation::new(0, "a", func, 1);
        for &v in values {
            table.update(vec![Value::string("k")], v, 1).unwrap();
        }
        shown(|out, context| {
            let mut object = Writer::object(out);
            aggregation(&mut object, context, &table);
            object.end();
        })
    }

    #[test]
    fn aggregations_with_typed_keys_and_buckets() {
        assert_eq!(
            entries(AggFunc::Sum, &[3, 4]),
            r#"{"name":"a","function":"sum","entries":[{"key":["k"],"value":7}]}"#
        );
        let buckets = |func, values: &[i64]| {
            let text = entries(func, values);
            text[text.find("[{\"m").unwrap()..text.len() - 3].to_string()
        };
        assert_eq!(
            buckets(AggFunc::Quantize, &[-3, 0, 5, 5, i64::MIN, i64::MAX]),
            "[{\"max\":-4611686018427387904,\"count\":1},{\"min\":-3,\"max\":-2,\"count\":1},\
             {\"min\":0,\"max\":0,\"count\":1},{\"min\":4,\"max\":7,\"count\":2},\
             {\"min\":4611686018427387904,\"count\":1}]"
        );
        let linear = AggFunc::Lquantize(Lquantize::new(0, 20, 10).unwrap());
        assert_eq!(
            buckets(linear, &[-1, 9, 10, 20]),
            "[{\"max\":-1,\"count\":1},{\"min\":0,\"max\":9,\"count\":1},\
             {\"min\":10,\"max\":19,\"count\":1},{\"min\":20,\"count\":1}]"
        );
        let logarithmic = AggFunc::Llquantize(Llquantize { factor: 10, low: 0, high: 1, nsteps: 10 });
        assert_eq!(
            buckets(logarithmic, &[0, 1, 25, 100]),
            "[{\"max\":0,\"count\":1},{\"min\":1,\"max\":1,\"count\":1},\
             {\"min\":20,\"max\":29,\"count\":1},{\"min\":100,\"count\":1}]"
        );
    }
}
