//! Numbers and strings in a chunk: LEB128, lengths before bytes. Reading never goes beyond the end.

use super::FileError;
use std::ops::Range;

/// Appends a number, seven bits to the byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number: small ones of either sign are short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value << 1 ^ value >> 63) as u64);
}

/// Appends bytes with their number before them.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads a chunk.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

type Res<T> = Result<T, FileError>;

/// The lower seven bits of each byte, side by side.
#[inline]
fn gather(word: u64) -> u64 {
    let pairs = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Cursor<'a> {
        Cursor { bytes, at }
    }

    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[cold]
    pub fn bad<T>(&self, what: &str) -> Res<T> {
        Err(FileError::Bad(format!("{what} (byte {} of the chunk)", self.at)))
    }

    #[inline]
    pub fn byte(&mut self) -> Res<u8> {
        match self.bytes.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => self.bad("the chunk ends too early"),
        }
    }

    #[inline(always)]
    pub fn number(&mut self) -> Res<u64> {
        let Some(word) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()) else {
            return self.long_number();
        };
        let word = u64::from_le_bytes(*word);
        // Most numbers are small, and those of one field are alike.
        let (bytes, value) = if word & 0x80 == 0 {
            (1, word & 0x7f)
        } else if word & 0x8000 == 0 {
            (2, word & 0x7f | word >> 1 & 0x3f80)
        } else {
            let ends = !word & 0x8080_8080_8080_8080;
            if ends == 0 {
                return self.long_number();
            }
            (ends.trailing_zeros() as usize / 8 + 1, gather(word & (ends ^ ends.wrapping_sub(1))))
        };
        self.at += bytes;
        Ok(value)
    }

    #[cold]
    fn long_number(&mut self) -> Res<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        self.bad("a number is too long")
    }

    #[inline(always)]
    pub fn signed(&mut self) -> Res<i64> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    #[inline(always)]
    pub fn small(&mut self) -> Res<u32> {
        let value = self.number()?;
        u32::try_from(value).or_else(|_| self.bad("a number is too large"))
    }

    /// Where a string lies.
    #[inline]
    pub fn range(&mut self) -> Res<Range<usize>> {
        let length = self.number()?;
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        match end.filter(|end| *end <= self.bytes.len()) {
            Some(end) => {
                let range = self.at..end;
                self.at = end;
                Ok(range)
            }
            None => self.bad("a string is longer than the chunk"),
        }
    }

    pub fn bytes(&mut self) -> Res<&'a [u8]> {
        let range = self.range()?;
        Ok(self.bytes.get(range).unwrap_or(&[]))
    }

    pub fn text(&mut self) -> Res<String> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let powers = (0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, u64::MAX >> bit]);
        for value in powers.chain([0x1234_5678, 0x0102_0304_0506_0708]) {
            // Also where something follows.
            for after in [0, 1, 7, 8] {
                let mut out = Vec::new();
                put(&mut out, value);
                put_signed(&mut out, value as i64);
                out.extend([0xff, 0x80, 0x7f, 0, 1, 0xff, 0xff, 0xff].iter().take(after));
                let mut cursor = Cursor::new(&out, 0);
                assert_eq!(cursor.number().ok(), Some(value));
                assert_eq!(cursor.signed().ok(), Some(value as i64));
                assert_eq!(cursor.at, out.len() - after);
            }
        }
    }
}
