//! Distributions: `quantize`, `lquantize` and `llquantize` as bars, one bucket a
//! line, or packed into one line (`aggpack`), and `count` and `sum` as bars over
//! their keys (`agghist`).

use super::{Encoding, Settings};
use crate::aggregate::{
    AggFunc, Cell, QUANTIZE_NBUCKETS, QUANTIZE_ZEROBUCKET, normalized, quantize_bucket_value,
};

/// Columns of a bar.
const BAR: usize = 40;

/// The part of a bar that the largest count takes under `aggzoom`.
const ZOOM_PERCENT: u128 = 95;

/// What all bars of one distribution are drawn in proportion to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// Sum of the counts' magnitudes; under `aggzoom` the largest of them.
    total: u128,
    zoom: bool,
    positives: bool,
    negatives: bool,
}

impl Scale {
    /// The scale of some counts.
    pub fn of(counts: impl IntoIterator<Item = i64>, zoom: bool) -> Scale {
        let mut scale = Scale { zoom, ..Scale::default() };
        for count in counts {
            let magnitude = u128::from(count.unsigned_abs());
            scale.total = if zoom { scale.total.max(magnitude) } else { scale.total + magnitude };
            scale.positives |= count > 0;
            scale.negatives |= count < 0;
        }
        scale
    }

    /// The scale of bars over keys (`agghist`). dtrace keeps their total as an integer, so zooming rounds it down:
    /// a largest value of 6 fills the bar, one of 100 does not.
    pub fn of_keys(values: impl IntoIterator<Item = i64>, zoom: bool) -> Scale {
        let mut scale = Scale::of(values, zoom);
        if zoom {
            scale.total = scale.total * 100 / ZOOM_PERCENT;
            scale.zoom = false;
        }
        scale
    }

    /// The part of `length` that a count takes, as a fraction of whole numbers.
    fn fraction(&self, count: i64, length: usize) -> (u128, u128) {
        let percent = if self.zoom { ZOOM_PERCENT } else { 100 };
        let magnitude = u128::from(count.unsigned_abs());
        (magnitude * length as u128 * percent, (self.total * 100).max(1))
    }

    /// The same, rounded to the nearest whole number.
    fn rounded(&self, count: i64, length: usize) -> usize {
        let (numerator, denominator) = self.fraction(count, length);
        (((2 * numerator + denominator) / (2 * denominator)) as usize).min(length)
    }
}

/// Writes the bar of a count, the count and the end of the line.
pub fn bar(out: &mut Vec<u8>, settings: &Settings, count: i64, normal: u64, scale: &Scale) {
    let shown = normalized(count, normal);
    if scale.negatives && !scale.positives {
        let depth = scale.rounded(count, BAR);
        push(out, &format!("{:>BAR$}| {shown:<9}\n", "@".repeat(depth)));
    } else if scale.negatives {
        // Both signs: half the columns on either side of a centre line.
        const HALF: usize = BAR / 2;
        let marks = "@".repeat(scale.rounded(count, HALF));
        if count <= 0 {
            push(out, &format!("{marks:>HALF$}|{:HALF$} {shown:<9}\n", ""));
        } else {
            push(out, &format!("{:HALF$}|{marks:<HALF$} {shown:<9}\n", ""));
        }
    } else if settings.encoding == Encoding::Utf8 {
        let (numerator, denominator) = scale.fraction(count, BAR);
        let eighths = ((numerator * 8 / denominator) as usize).min(BAR * 8);
        let mut marks = "\u{2588}".repeat(eighths / 8);
        // U+2589 is seven eighths of a column wide, U+258F one eighth.
        marks.extend((!eighths.is_multiple_of(8)).then(|| left_block(eighths % 8)));
        push(out, &format!("|{marks:<BAR$} {shown:<9}\n"));
    } else {
        push(out, &format!("|{:<BAR$} {shown:<9}\n", "@".repeat(scale.rounded(count, BAR))));
    }
}

/// The block that fills so many eighths (1 to 7) of a column from the left.
fn left_block(eighths: usize) -> char {
    ['\u{258f}', '\u{258e}', '\u{258d}', '\u{258c}', '\u{258b}', '\u{258a}', '\u{2589}']
        .get(eighths.saturating_sub(1))
        .copied()
        .unwrap_or(' ')
}

/// The heading over bars: `what` (`value` or `key`) ends at column `width`.
pub fn heading(out: &mut Vec<u8>, what: &str, width: usize) {
    push(out, &format!("{what:>width$} {:>41} {:<9}\n", "------------- Distribution -------------", "count"));
}

/// A distribution on lines of its own, an empty line first. Other functions' cells print nothing.
pub fn histogram(out: &mut Vec<u8>, settings: &Settings, cell: &Cell<'_>) {
    let words = &cell.words[..];
    let labels = Labels::of(&cell.func);
    let Some((first, last)) = shown_range(&cell.func, words, &labels) else { return };
    let shown = words.get(first..=last).unwrap_or_default();
    let scale = Scale::of(shown.iter().copied(), settings.agg_zoom);
    out.push(b'\n');
    heading(out, "value", 16);
    for (bucket, &count) in (first..).zip(shown) {
        push(out, &format!("{:>16} ", labels.of_bucket(bucket)));
        bar(out, settings, count, cell.normal, &scale);
    }
}

/// The buckets to show: those with counts, and an empty one on either side where there is one.
fn shown_range(func: &AggFunc, words: &[i64], labels: &Labels) -> Option<(usize, usize)> {
    let is_llquantize = matches!(func, AggFunc::Llquantize(_));
    let end = words.len().checked_sub(1)?;
    let Some((first, last)) = occupied(words) else {
        // Cleared, or only weights of zero: something around zero, or the first buckets.
        return match labels {
            Labels::None => None,
            Labels::Powers => Some((QUANTIZE_ZEROBUCKET - 1, QUANTIZE_ZEROBUCKET + 1)),
            Labels::Bounds(_) if is_llquantize => Some((0, end.min(1))),
            Labels::Bounds(_) => Some((0, end.min(2))),
        };
    };
    Some((first.saturating_sub(1), (last + 1).min(end)))
}

/// The first and the last bucket with a count.
fn occupied(words: &[i64]) -> Option<(usize, usize)> {
    let first = words.iter().position(|&count| count != 0)?;
    let last = words.iter().rposition(|&count| count != 0)?;
    Some((first, last))
}

/// What stands before the bar of a bucket.
enum Labels {
    None,
    Powers,
    /// Below the first value, from each value on, and at or above the last.
    Bounds(Vec<i64>),
}

impl Labels {
    fn of(func: &AggFunc) -> Labels {
        match func {
            AggFunc::Quantize => Labels::Powers,
            AggFunc::Lquantize(l) => {
                Labels::Bounds((0..=usize::from(l.levels)).map(|level| l.level_start(level)).collect())
            }
            AggFunc::Llquantize(l) => Labels::Bounds(l.bounds()),
            _ => Labels::None,
        }
    }

    fn of_bucket(&self, bucket: usize) -> String {
        match self {
            Labels::None => String::new(),
            Labels::Powers => quantize_bucket_value(bucket).to_string(),
            Labels::Bounds(bounds) => match (bucket.checked_sub(1), bounds.first()) {
                (None, Some(first)) => format!("< {first}"),
                (Some(at), _) => match bounds.get(at) {
                    Some(bound) if at + 1 == bounds.len() => format!(">= {bound}"),
                    Some(bound) => bound.to_string(),
                    None => String::new(),
                },
                (None, None) => String::new(),
            },
        }
    }
}

/// The buckets that packed lines of one aggregation all show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    first: usize,
    last: usize,
}

impl Packed {
    /// All buckets of an `lquantize`; for a `quantize` those that any element of the aggregation uses, with an empty
    /// one on either side. `None` if the function cannot be packed.
    pub fn of(cells: &[Cell<'_>]) -> Option<Packed> {
        let func = cells.first()?.func;
        let ranges = cells.iter().filter_map(|cell| occupied(&cell.words));
        let range = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        match func {
            AggFunc::Quantize => {
                let (first, last) = range.unwrap_or((QUANTIZE_ZEROBUCKET, QUANTIZE_ZEROBUCKET));
                // Zero is a natural edge: no room is left below it.
                let first = if first == QUANTIZE_ZEROBUCKET { first } else { first.saturating_sub(1) };
                Some(Packed { first, last: (last + 1).min(QUANTIZE_NBUCKETS - 1) })
            }
            AggFunc::Lquantize(l) => Some(Packed { first: 0, last: l.words() - 1 }),
            _ => None,
        }
    }

    /// What stands on either side of the distribution: the least and the greatest value, in columns.
    fn edges(&self, func: &AggFunc) -> (String, String) {
        match func {
            AggFunc::Lquantize(_) => {
                let labels = Labels::of(func);
                (
                    format!("{:>8}", labels.of_bucket(self.first)),
                    format!("{:<8}", labels.of_bucket(self.last)),
                )
            }
            _ => {
                let edge = quantize_bucket_value;
                (format!(" {:>4}", edge(self.first)), format!("{:<4}", edge(self.last)))
            }
        }
    }

    /// The heading of packed lines; `width` is that of the keys, 0 without.
    pub fn heading(&self, out: &mut Vec<u8>, func: &AggFunc, width: usize) {
        let (least, greatest) = self.edges(func);
        let (least, greatest) = (least.len(), greatest.len());
        let key = if width > 0 { "key" } else { "" };
        let line = "-".repeat(self.last.saturating_sub(self.first) + 1);
        push(out, &format!("{key:>width$}{:>least$} .{line}. {:<greatest$} | count\n", "min", "max"));
    }

    /// One distribution in a line, after its key.
    pub fn line(&self, out: &mut Vec<u8>, settings: &Settings, cell: &Cell<'_>) {
        let (least, greatest) = self.edges(&cell.func);
        let shown = cell.words.get(self.first..=self.last).unwrap_or_default();
        let scale = Scale::of(shown.iter().copied(), settings.agg_zoom);
        let packed: String = shown.iter().map(|&count| glyph(settings, count, &scale)).collect();
        let total = shown.iter().fold(0i64, |sum, &count| sum.wrapping_add(count));
        push(out, &format!("{least} :{packed}: {greatest} | {total}\n"));
    }
}

/// One character as tall as a count.
fn glyph(settings: &Settings, count: i64, scale: &Scale) -> char {
    let levels = |glyphs: &[char]| {
        let level = scale.rounded(count, glyphs.len().saturating_sub(1));
        glyphs.get(level).copied().unwrap_or(' ')
    };
    match (count, settings.encoding) {
        (0, _) => ' ',
        (i64::MIN..0, _) => levels(&['v', 'v', 'v', 'v', 'V', 'V']),
        (_, Encoding::Ascii) => levels(&['_', '_', 'x', 'x', 'x', 'x', 'X', 'X']),
        (_, Encoding::Utf8) => levels(&[
            '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}',
        ]),
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Llquantize, Lquantize};

    fn cell(func: AggFunc, firings: &[(i64, i64)]) -> Cell<'static> {
        let mut words = func.identity();
        firings.iter().for_each(|&(value, weight)| func.update(&mut words, value, weight));
        Cell { func, words: words.into(), normal: 1 }
    }

    fn shown(settings: &Settings, cell: &Cell<'_>) -> String {
        let mut out = Vec::new();
        histogram(&mut out, settings, cell);
        String::from_utf8(out).unwrap()
    }

    /// The lines after the heading, without the padding at their ends.
    fn lines(func: AggFunc, firings: &[(i64, i64)]) -> Vec<String> {
        let text = shown(&Settings::default(), &cell(func, firings));
        let mut all = text.lines();
        assert_eq!(all.next(), Some(""));
        assert_eq!(all.next(), Some("           value  ------------- Distribution ------------- count    "));
        all.map(|line| line.trim_end().to_string()).collect()
    }

    #[test]
    fn powers_of_two_with_an_empty_row_around() {
        assert_eq!(
            lines(AggFunc::Quantize, &[(1, 123), (3, 247)]),
            [
                "               0 |                                         0",
                "               1 |@@@@@@@@@@@@@                            123",
                "               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@              247",
                "               4 |                                         0",
            ]
        );
        let text = shown(&Settings::default(), &cell(AggFunc::Quantize, &[(1, 5)]));
        assert!(text.ends_with("               2 |                                         0        \n"));
    }

    #[test]
    fn no_counts_show_the_rows_around_zero() {
        assert_eq!(
            lines(AggFunc::Quantize, &[]),
            [
                "              -1 |                                         0",
                "               0 |                                         0",
                "               1 |                                         0",
            ]
        );
        let l = AggFunc::Lquantize(Lquantize::new(-10, 10, 1).unwrap());
        let rows: Vec<String> = lines(l, &[]).iter().map(|row| row[..16].trim().to_string()).collect();
        assert_eq!(rows, ["< -10", "-10", "-9"]);
    }

    #[test]
    fn negative_weights_grow_to_the_left() {
        assert_eq!(
            lines(AggFunc::Quantize, &[(1, -123)]),
            [
                "               0                                         | 0",
                "               1 @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@| -123",
                "               2                                         | 0",
            ]
        );
        assert_eq!(
            lines(AggFunc::Quantize, &[(-1, -123), (0, -123), (1, 246)]),
            [
                "              -2                     |                     0",
                "              -1                @@@@@|                     -123",
                "               0                @@@@@|                     -123",
                "               1                     |@@@@@@@@@@           246",
                "               2                     |                     0",
            ]
        );
    }

    #[test]
    fn linear_buckets_name_what_lies_outside() {
        let l = AggFunc::Lquantize(Lquantize::new(0, 20, 10).unwrap());
        assert_eq!(
            lines(l, &[(-5, 1), (99, 1)]),
            [
                "             < 0 |@@@@@@@@@@@@@@@@@@@@                     1",
                "               0 |                                         0",
                "              10 |                                         0",
                "           >= 20 |@@@@@@@@@@@@@@@@@@@@                     1",
            ]
        );
    }

    #[test]
    fn log_linear_buckets() {
        let l = AggFunc::Llquantize(Llquantize { factor: 10, low: 0, high: 2, nsteps: 10 });
        let rows = lines(l, &[(3, 1), (25, 1), (27, 1)]);
        assert_eq!(rows.len(), 11);
        assert_eq!(rows[0], "               2 |                                         0");
        assert_eq!(rows[1], "               3 |@@@@@@@@@@@@@                            1");
        assert_eq!(rows[9], "              20 |@@@@@@@@@@@@@@@@@@@@@@@@@@@              2");
        assert_eq!(rows[10], "              30 |                                         0");
        let empty: Vec<String> = lines(l, &[]).iter().map(|row| row[..16].trim().to_string()).collect();
        assert_eq!(empty, ["< 1", "1"]);
        let rows = lines(l, &[(0, 1), (1000, 1)]);
        assert!(rows[0].starts_with("             < 1 |@@@"));
        assert!(rows.last().unwrap().starts_with("         >= 1000 |@@@"));
    }

    #[test]
    fn normalising_divides_counts_not_bars() {
        let mut cell = cell(AggFunc::Quantize, &[(1, 100), (2, 300)]);
        cell.normal = 10;
        let text = shown(&Settings::default(), &cell);
        assert!(
            text.contains("               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@           30       \n"),
            "{text}"
        );
    }

    #[test]
    fn zooming_scales_to_the_largest() {
        let settings = Settings { agg_zoom: true, ..Settings::default() };
        let text = shown(&settings, &cell(AggFunc::Quantize, &[(1, 1), (2, 2)]));
        let marks: Vec<usize> = text.lines().skip(3).map(|row| row.matches('@').count()).collect();
        assert_eq!(marks, [19, 38, 0]);
    }

    #[test]
    fn blocks_are_drawn_in_eighths() {
        let settings = Settings { encoding: Encoding::Utf8, ..Settings::default() };
        let text = shown(&settings, &cell(AggFunc::Quantize, &[(1, 1), (2, 319)]));
        let row = text.lines().nth(3).unwrap();
        assert_eq!(row, format!("               1 |{:<40} 1        ", '\u{258f}'));
        assert!(text.lines().nth(4).unwrap().contains(&("\u{2588}".repeat(39) + "\u{2589}")));
    }

    #[test]
    fn packed_lines_share_their_edges() {
        let settings = Settings::default();
        let a = cell(AggFunc::Quantize, &[(1, 1), (4, 7)]);
        let b = cell(AggFunc::Quantize, &[(-1, 1)]);
        let packed = Packed::of(&[a.clone(), b.clone()]).unwrap();
        let mut out = Vec::new();
        packed.heading(&mut out, &AggFunc::Quantize, 17);
        packed.line(&mut out, &settings, &a);
        packed.line(&mut out, &settings, &b);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "              key  min .-------. max  | count\n   -2 :   _ X : 8    | 8\n   -2 : X     : 8    | 1\n"
        );
        assert_eq!(Packed::of(&[cell(AggFunc::Sum, &[])]), None);
    }

    #[test]
    fn packed_lquantize_shows_every_bucket() {
        let l = AggFunc::Lquantize(Lquantize::new(-10, 20, 1).unwrap());
        let c = cell(l, &[(-10, -1), (-5, 1), (0, 1)]);
        let shown = |zoom, encoding| {
            let settings = Settings { agg_zoom: zoom, encoding, ..Settings::default() };
            let packed = Packed::of(std::slice::from_ref(&c)).unwrap();
            let mut out = Vec::new();
            packed.heading(&mut out, &l, 0);
            packed.line(&mut out, &settings, &c);
            String::from_utf8(out).unwrap()
        };
        let heading = "     min .--------------------------------. max      | count\n";
        let line = "   < -10 : V    X    X                    : >= 20    | 1\n";
        assert_eq!(shown(true, Encoding::Ascii), format!("{heading}{line}"));
        let line = "   < -10 : v    x    x                    : >= 20    | 1\n";
        assert_eq!(shown(false, Encoding::Ascii), format!("{heading}{line}"));
        assert!(shown(false, Encoding::Utf8).contains(": v    \u{2583}    \u{2583}  "));
    }

    #[test]
    fn extreme_counts_do_not_overflow() {
        for settings in [Settings::default(), Settings { agg_zoom: true, ..Settings::default() }] {
            let words = vec![i64::MIN; QUANTIZE_NBUCKETS];
            let cell = Cell { func: AggFunc::Quantize, words: words.into(), normal: u64::MAX };
            assert_eq!(shown(&settings, &cell).lines().count(), QUANTIZE_NBUCKETS + 2);
        }
    }
}
