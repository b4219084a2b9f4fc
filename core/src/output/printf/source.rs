//! From a parsed format back to a format string.

use super::{Conversion, Format, Part};

impl Format {
    /// A format string that parses to this format.
    pub fn source(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Conversion(conversion) => conversion.source(&mut out),
            }
        }
        out
    }
}

impl Conversion {
    fn source(&self, out: &mut Vec<u8>) {
        out.push(b'%');
        let flags = [
            (self.aggregation, b'@'),
            (self.spec.alternate, b'#'),
            (self.spec.plus, b'+'),
            (self.spec.space, b' '),
            (self.spec.left, b'-'),
            (self.spec.zero, b'0'),
            (self.dynamic_width, b'*'),
        ];
        out.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag));
        if self.spec.width != 0 {
            out.extend(self.spec.width.to_string().bytes());
        }
        if self.dynamic_precision {
            out.extend(b".*");
        } else if let Some(precision) = self.spec.precision {
            out.extend(format!(".{precision}").bytes());
        }
        out.extend(self.row.name.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_come_back() {
        for text in ["a %d b", "%-10s|%#x %% %@8d", "%*.*s %5.3f %+d % d %010llx", "%?p%Y"] {
            let format = Format::parse(text).expect(text);
            assert_eq!(Format::parse(format.source()).as_ref(), Ok(&format), "{text}");
        }
    }
}
