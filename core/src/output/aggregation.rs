//! The default layout of aggregations: keys and values in columns.

use super::histogram::{self, Packed, Scale};
use super::number::Spec;
use super::{Context, symbol, trace};
use crate::aggregate::{AggFunc, Aggregation, Row, Rows, joined};
use crate::record::Value;

/// What dtrace prints when tracing ends, after an empty line that the consumer writes: every aggregation
/// that no `printa` has shown, in order of their numbers, elements sorted.
pub fn print_unprinted(out: &mut Vec<u8>, context: &Context<'_>, aggregations: &[&Aggregation]) {
    let mut left: Vec<&Aggregation> = aggregations.iter().copied().filter(|a| !a.printed()).collect();
    left.sort_by_key(|aggregation| aggregation.id());
    if context.settings.order.reverse {
        left.reverse();
    }
    let start = out.len();
    for aggregation in left {
        let distance = if out.len() > start { Distance::Far } else { Distance::Near };
        print_one(out, context, aggregation, distance);
    }
}

/// What stands above an aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distance {
    /// The empty line that comes before all aggregations at the end.
    Near,
    /// A `printa`'s empty line, or another aggregation.
    Far,
}

/// One aggregation.
pub(super) fn print_one(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    aggregation: &Aggregation,
    above: Distance,
) {
    let rows = joined(&[aggregation], &context.settings.order);
    let layout = Layout::of(context, &rows);
    layout.heading(out, &rows, above);
    for row in rows.iter() {
        layout.row(out, context, &row);
    }
}

/// Several aggregations, joined by their keys.
pub(super) fn print_joined(out: &mut Vec<u8>, context: &Context<'_>, aggregations: &[&Aggregation]) {
    for row in joined(aggregations, &context.settings.order).iter() {
        Layout::Columns.row(out, context, &row);
    }
}

/// How the rows of one aggregation are laid out.
enum Layout {
    /// Values in columns, distributions on lines of their own.
    Columns,
    /// `agghist`: one bar a row.
    Bars(Scale),
    /// `aggpack`: one distribution a row.
    Packed(Packed),
}

impl Layout {
    fn of(context: &Context<'_>, rows: &Rows<'_>) -> Layout {
        let settings = context.settings;
        let cells = || rows.iter().filter_map(|row| row.cells.into_iter().next());
        let is_bar = || cells().next().is_some_and(|c| matches!(c.func, AggFunc::Count | AggFunc::Sum));
        if settings.agg_hist && is_bar() {
            let values: Vec<i64> = cells().filter_map(|cell| cell.words.first().copied()).collect();
            return Layout::Bars(Scale::of_keys(values, settings.agg_zoom));
        }
        match settings.agg_pack.then(|| Packed::of(&cells().collect::<Vec<_>>())).flatten() {
            Some(packed) => Layout::Packed(packed),
            None => Layout::Columns,
        }
    }

    /// The heading that the rows share, if there are rows and they share one. An empty line of its own comes before
    /// it, but for bars at the end, which stand right under the line that is there.
    fn heading(&self, out: &mut Vec<u8>, rows: &Rows<'_>, above: Distance) {
        let Some(row) = rows.get(0) else { return };
        match self {
            Layout::Columns => return,
            Layout::Bars(_) if above == Distance::Near => {}
            Layout::Bars(_) | Layout::Packed(_) => out.push(b'\n'),
        }
        let width: usize = row.key.iter().map(|value| packed_width(value) + 1).sum();
        match (self, row.cells.first()) {
            (Layout::Bars(_), _) if width == 0 => histogram::heading(out, "value", 16),
            (Layout::Bars(_), _) => histogram::heading(out, "key", width),
            (Layout::Packed(packed), Some(cell)) => packed.heading(out, &cell.func, width),
            _ => {}
        }
    }

    fn row(&self, out: &mut Vec<u8>, context: &Context<'_>, row: &Row<'_>) {
        let is_packed = !matches!(self, Layout::Columns);
        for value in row.key {
            key(out, context, value, is_packed);
        }
        match (self, row.cells.first()) {
            (Layout::Bars(scale), Some(cell)) => {
                out.push(b' ');
                let count = cell.words.first().copied().unwrap_or(0);
                histogram::bar(out, context.settings, count, cell.normal, scale);
            }
            (Layout::Packed(packed), Some(cell)) => packed.line(out, context.settings, cell),
            _ => {
                for cell in &row.cells {
                    match cell.scalar() {
                        Some(number) => out.extend_from_slice(format!(" {number:>16}").as_bytes()),
                        None => histogram::histogram(out, context.settings, cell),
                    }
                }
                out.push(b'\n');
            }
        }
    }
}

/// Columns of a key part in a packed row, without the space before it.
fn packed_width(value: &Value) -> usize {
    match value {
        Value::Int { bytes: 1, .. } => 3,
        Value::Int { bytes: 2, .. } => 5,
        Value::Int { bytes: 4, .. } => 8,
        _ => 16,
    }
}

/// One part of a key. Integers print as dtrace prints them: those of 1 and 2 bytes without sign, wider ones
/// with, whatever their type says.
fn key(out: &mut Vec<u8>, context: &Context<'_>, value: &Value, is_packed: bool) {
    match value {
        Value::Int { raw, bytes, .. } => {
            let number = match bytes {
                1 => i64::from(*raw as u8),
                2 => i64::from(*raw as u16),
                4 => i64::from(*raw as i32),
                _ => *raw as i64,
            };
            let width = packed_width(value);
            out.extend_from_slice(format!(" {number:>width$}").as_bytes());
        }
        Value::Str(text) => trace::text_column(out, text, if is_packed { 16 } else { -50 }),
        Value::Bytes(bytes) => {
            trace::bytes_column(out, context.settings, bytes, if is_packed { 16 } else { -50 });
        }
        Value::KStack(_) | Value::UStack(_) => {
            symbol::stack(out, context, value, context.settings.stack_indent, &Spec::default());
        }
        Value::Sym(sym) => symbol::sym_column(out, context, sym),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Key, SortOrder};
    use crate::output::{Settings, test_context};

    fn table(id: u32, func: AggFunc, firings: &[(Key, i64)]) -> Aggregation {
        let arity = firings.first().map_or(0, |(key, _)| key.len());
        let mut aggregation = Aggregation::new(id, "t", func, arity);
        for (key, value) in firings {
            aggregation.update(key.clone(), *value, 1).unwrap();
        }
        aggregation
    }

    fn shown(settings: &Settings, aggregations: &[&Aggregation]) -> String {
        let mut out = Vec::new();
        print_unprinted(&mut out, &test_context(settings), aggregations);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_and_values_in_columns() {
        let t = table(1, AggFunc::Sum, &[(vec![Value::string("k")], 7)]);
        assert_eq!(
            shown(&Settings::default(), &[&t]),
            "  k                                                                 7\n"
        );
        let key = |bytes| Value::int_of(u64::MAX - 1, bytes, true);
        let t = table(1, AggFunc::Sum, &[(vec![key(1), key(2), key(4), key(8)], -2)]);
        assert_eq!(
            shown(&Settings::default(), &[&t]),
            format!(" 254 65534 {:>8} {:>16} {:>16}\n", -2, -2, -2)
        );
        let t = table(1, AggFunc::Avg, &[(vec![], -900), (vec![], 0)]);
        assert_eq!(shown(&Settings::default(), &[&t]), "             -450\n");
    }

    #[test]
    fn distributions_and_stacks_take_lines_of_their_own() {
        let stack = Value::KStack(vec![0xabc]);
        let t = table(1, AggFunc::Quantize, &[(vec![Value::string("a"), stack], 1)]);
        let text = shown(&Settings::default(), &[&t]);
        assert!(
            text.starts_with(&format!("  {:<50}\n              0xabc\n\n           value", "a")),
            "{text}"
        );
        assert!(text.ends_with(" 0        \n\n"), "{text}");
    }

    #[test]
    fn aggregations_follow_their_numbers_and_printed_ones_are_left_out() {
        let one = |id, value| table(id, AggFunc::Sum, &[(vec![], value)]);
        let (a, b, mut c) = (one(2, 20), one(1, 10), one(3, 30));
        c.set_printed();
        let line = |n| format!(" {n:>16}\n");
        assert_eq!(shown(&Settings::default(), &[&a, &b, &c]), line(10) + &line(20));
        let reverse = SortOrder { reverse: true, ..SortOrder::default() };
        let settings = Settings { order: reverse, ..Settings::default() };
        assert_eq!(shown(&settings, &[&a, &b]), line(20) + &line(10));
    }

    #[test]
    fn agghist_draws_keys_against_each_other() {
        let settings = Settings { agg_hist: true, ..Settings::default() };
        let t = table(1, AggFunc::Sum, &[(vec![Value::string("a")], 1), (vec![Value::string("b")], 3)]);
        assert_eq!(
            shown(&settings, &[&t]),
            format!(
                "{:>17}  ------------- Distribution ------------- count    \n\
                 {:>17} |{:<40} {:<9}\n{:>17} |{:<40} {:<9}\n",
                "key",
                "a",
                "@".repeat(10),
                1,
                "b",
                "@".repeat(30),
                3
            )
        );
        let bars = |values: &[i64], zoom| {
            let rows: Vec<(Key, i64)> = values.iter().map(|&v| (vec![Value::int(v)], v)).collect();
            let settings = Settings { agg_zoom: zoom, ..settings.clone() };
            let text = shown(&settings, &[&table(1, AggFunc::Sum, &rows)]);
            text.lines().skip(1).map(|line| line.matches('@').count()).collect::<Vec<_>>()
        };
        assert_eq!(bars(&[-10, 10, 20], false), [5, 5, 10]);
        assert_eq!(bars(&[-10, 10, 20], true), [10, 10, 19]);
        assert_eq!(bars(&[1, 5, 6], true), [7, 33, 40]);
        assert_eq!(bars(&[-100, -20, -5], true), [38, 8, 2]);
        let max = table(1, AggFunc::Max, &[(vec![], 5)]);
        assert_eq!(shown(&settings, &[&max]), "                5\n", "only counts and sums");
    }

    #[test]
    fn aggpack_puts_a_distribution_in_a_line() {
        let settings = Settings { agg_pack: true, ..Settings::default() };
        let t = table(1, AggFunc::Quantize, &[(vec![Value::string("a")], 1)]);
        assert_eq!(
            shown(&settings, &[&t, &t]),
            "\n              key  min .---. max  | count\n                a    0 : X : 2    | 1\n\
             \n              key  min .---. max  | count\n                a    0 : X : 2    | 1\n"
        );
    }
}
