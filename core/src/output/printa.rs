//! `printa`: every element of one aggregation, or of several joined by their keys.

use super::printf::Format;
use super::{Context, aggregation};
use crate::aggregate::{Aggregation, joined};

/// `printa(@a)`, `printa(format, @a, …)`. Without a format the default layout follows an empty line.
/// An aggregation without elements prints nothing (but for that line). The caller notes with
/// [`Aggregation::set_printed`] that they have been shown.
pub fn printa(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    format: Option<&Format>,
    aggregations: &[&Aggregation],
) {
    match (format, aggregations) {
        (None, [one]) => {
            out.push(b'\n');
            aggregation::print_one(out, context, one, aggregation::Distance::Far);
        }
        (None, several) => {
            out.push(b'\n');
            aggregation::print_joined(out, context, several);
        }
        (Some(format), aggregations) => {
            for row in joined(aggregations, &context.settings.order).iter() {
                format.write_row(out, context, row.key, &row.cells);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{AggFunc, Lquantize};
    use crate::output::{Settings, test_context};
    use crate::record::Value;

    fn table(func: AggFunc, firings: &[(&str, i64)]) -> Aggregation {
        let mut aggregation = Aggregation::new(1, "t", func, 1);
        for (key, value) in firings {
            aggregation.update(vec![Value::string(key)], *value, 1).unwrap();
        }
        aggregation
    }

    fn shown(format: &str, aggregations: &[&Aggregation]) -> String {
        let settings = Settings::default();
        let mut out = Vec::new();
        let format = (!format.is_empty()).then(|| Format::parse(format).unwrap());
        printa(&mut out, &test_context(&settings), format.as_ref(), aggregations);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn with_a_format() {
        let t = table(AggFunc::Sum, &[("b", 25), ("a", 10)]);
        assert_eq!(shown("%s %@d\n", &[&t]), "a 10\nb 25\n");
        assert_eq!(shown("text\n", &[&t]), "text\ntext\n");
        let mut t = t;
        t.normalize(5).unwrap();
        assert_eq!(shown("%@d ", &[&t]), "2 5 ");
        t.trunc(None);
        assert_eq!(shown("%@d ", &[&t]), "");
    }

    #[test]
    fn several_at_once() {
        let c = table(AggFunc::Count, &[("x", 0), ("y", 0)]);
        let s = table(AggFunc::Sum, &[("x", 10), ("z", 20)]);
        assert_eq!(shown("%s %@d %@d\n", &[&c, &s]), "z 0 20\ny 1 0\nx 1 10\n");
        assert_eq!(
            shown("", &[&c, &s]).lines().nth(3).unwrap(),
            "  x                                                                 1               10"
        );
    }

    #[test]
    fn a_missing_distribution_prints_empty() {
        let s = table(AggFunc::Sum, &[("x", 10)]);
        let l = Aggregation::new(2, "l", AggFunc::Lquantize(Lquantize::new(-10, 10, 1).unwrap()), 1);
        let text = shown("%s %@d %@d\n", &[&s, &l]);
        assert!(text.starts_with("x 10 \n           value"), "{text}");
        assert!(text.contains("\n           < -10 |  "), "{text}");
        assert!(text.ends_with("0        \n\n"));
    }

    #[test]
    fn without_a_format_an_empty_line_comes_first() {
        let t = table(AggFunc::Sum, &[("k", 7)]);
        assert_eq!(shown("", &[&t]), format!("\n  {:<50} {:>16}\n", "k", 7));
        assert_eq!(shown("", &[&Aggregation::new(9, "e", AggFunc::Sum, 1)]), "\n");
    }
}
