//! What the string subroutines do to bytes: no D here, only text in and text out.
//! Strings have no NUL; the caller cuts results at the string size.

/// `substr` as illumos counts: negative starts from the end, negative lengths up to the end.
pub fn substr(text: &[u8], start: i64, length: i64) -> &[u8] {
    let len = text.len() as i64;
    let (mut start, mut length) = (start, length);
    if start < 0 {
        start = start.wrapping_add(len);
        if start < 0 && start.wrapping_add(length) > 0 {
            length = start.wrapping_add(length);
            start = 0;
        }
    }
    if start < 0 || start >= len {
        return &[];
    }
    let rest = len - start;
    if length < 0 {
        length += rest;
        if length < 0 {
            return &[];
        }
    }
    let end = start + length.min(rest);
    text.get(start as usize..end as usize).unwrap_or(&[])
}

/// `strchr`, `strrchr`: the rest from a character on; the NUL at the end counts.
pub fn from_char(text: &[u8], wanted: u8, last: bool) -> Option<&[u8]> {
    let mut all = text.iter().chain(std::iter::once(&0));
    let at = if last {
        // The NUL is the last character of all.
        if wanted == 0 { Some(text.len()) } else { text.iter().rposition(|byte| *byte == wanted) }
    } else {
        all.position(|byte| *byte == wanted)
    };
    text.get(at?..)
}

/// `index`, `rindex`: position of a string in a string. Starts outside are brought inside
/// as illumos (and perl) do; the empty string is found where the search starts.
pub fn find(text: &[u8], what: &[u8], start: i64, backwards: bool) -> Option<usize> {
    if what.is_empty() {
        return Some(start.clamp(0, text.len() as i64) as usize);
    }
    let last = text.len().checked_sub(what.len())?;
    let at = |position: usize| text.get(position..position + what.len()) == Some(what);
    if backwards {
        let start = usize::try_from(start).ok()?.min(last);
        (0..=start).rev().find(|position| at(*position))
    } else {
        let start = usize::try_from(start.max(0)).ok()?;
        (start..=last).find(|position| at(*position))
    }
}

/// `strtok`: the next word from a position on, and where to go on.
pub fn token<'a>(text: &'a [u8], from: usize, delimiters: &[u8]) -> Option<(&'a [u8], usize)> {
    let is_delimiter = |byte: &u8| delimiters.contains(byte);
    let rest = text.get(from..)?;
    let start = from + rest.iter().position(|byte| !is_delimiter(byte))?;
    let rest = text.get(start..)?;
    let end = start + rest.iter().position(is_delimiter).unwrap_or(rest.len());
    // The delimiter may not be one of the next search's.
    Some((text.get(start..end)?, end))
}

/// `lltostr`: `0x` before base 16, `0` before base 8, a sign in base 10 only.
pub fn number(value: u64, base: u32) -> Vec<u8> {
    let negative = base == 10 && (value as i64) < 0;
    let mut rest = if negative { value.wrapping_neg() } else { value };
    let base64 = u64::from(base.clamp(2, 36));
    let mut digits = Vec::new();
    while rest != 0 {
        let digit = (rest % base64) as u8;
        digits.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        rest /= base64;
    }
    match base {
        16 if value == 0 => digits.extend(b"0x0"),
        16 => digits.extend(b"x0"),
        8 => digits.push(b'0'),
        _ if value == 0 => digits.push(b'0'),
        _ => {}
    }
    if negative {
        digits.push(b'-');
    }
    digits.reverse();
    digits
}

/// `strtoll`: blanks, a sign, `0x` in base 16, digits of the base; wraps.
pub fn parse(text: &[u8], base: u32) -> u64 {
    let mut rest = text.iter().copied().skip_while(|byte| is_blank(*byte)).peekable();
    let mut negative = false;
    if let Some(sign @ (b'+' | b'-')) = rest.peek().copied() {
        negative = sign == b'-';
        rest.next();
    }
    let mut rest: Vec<u8> = rest.collect();
    if base == 16 && matches!(rest.get(..2), Some(b"0x" | b"0X")) {
        rest.drain(..2);
    }
    let mut value = 0u64;
    for byte in rest {
        let Some(digit) = char::from(byte).to_digit(36).filter(|digit| *digit < base) else { break };
        value = value.wrapping_mul(u64::from(base)).wrapping_add(u64::from(digit));
    }
    if negative { value.wrapping_neg() } else { value }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

/// `strip`: without the blanks at either end.
pub fn strip(text: &[u8]) -> &[u8] {
    let Some(start) = text.iter().position(|byte| !is_blank(*byte)) else { return &[] };
    let end = text.iter().rposition(|byte| !is_blank(*byte)).unwrap_or(start);
    text.get(start..=end).unwrap_or(&[])
}

/// `basename`.
pub fn basename(path: &[u8]) -> &[u8] {
    let Some(end) = path.iter().rposition(|byte| *byte != b'/') else {
        return if path.is_empty() { b"." } else { b"/" };
    };
    let start = path.get(..end).and_then(|head| head.iter().rposition(|byte| *byte == b'/'));
    path.get(start.map_or(0, |slash| slash + 1)..=end).unwrap_or(&[])
}

/// `dirname`.
pub fn dirname(path: &[u8]) -> &[u8] {
    let Some(end) = path.iter().rposition(|byte| *byte != b'/') else {
        return if path.is_empty() { b"." } else { b"/" };
    };
    let Some(slash) = path.get(..end).and_then(|head| head.iter().rposition(|byte| *byte == b'/')) else {
        return b".";
    };
    match path.get(..slash).and_then(|head| head.iter().rposition(|byte| *byte != b'/')) {
        Some(last) => path.get(..=last).unwrap_or(&[]),
        None => b"/",
    }
}

/// `cleanpath` as illumos does it: no empty components, no `.`, each `..` takes the component before
/// it away. `most` is the string size: a path that grows close to it is cut.
pub fn cleanpath(path: &[u8], most: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    // How much of "/.." has been read but not written.
    let mut pending = 0;
    let back_up = |out: &mut Vec<u8>| out.truncate(out.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
    let cut = most.saturating_sub(5).max(1);
    for byte in path.iter().chain(std::iter::once(&0)) {
        if out.len() >= cut {
            return out;
        }
        match (*byte, pending) {
            (0, 3) => {
                back_up(&mut out);
                out.push(b'/');
            }
            (0, pending) => out.extend(b"/.".iter().take(pending)),
            (b'/', before) => {
                if before == 3 {
                    back_up(&mut out);
                }
                pending = 1;
            }
            (b'.', 1 | 2) => pending += 1,
            (byte, before) => {
                out.extend(b"/..".iter().take(before));
                out.push(byte);
                pending = 0;
            }
        }
    }
    out
}

/// `inet_ntoa`: four bytes in network order.
pub fn inet(address: &[u8]) -> Vec<u8> {
    let parts: Vec<String> = address.iter().take(4).map(u8::to_string).collect();
    parts.join(".").into_bytes()
}

/// `inet_ntop`, `inet_ntoa6`: sixteen bytes in network order, the longest run of zeroes as `::`. An IPv4 address within
/// (`::ffff:a.b.c.d`, `::a.b.c.d`) is dotted; without `strict` it is all that is shown.
pub fn inet6(address: &[u8], strict: bool) -> Vec<u8> {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(address) {
        *to = *from;
    }
    let number = u128::from_be_bytes(bytes);
    let prefix = match number >> 32 {
        0xffff => "::ffff:",
        0 if number > 1 => "::",
        _ => return std::net::Ipv6Addr::from(bytes).to_string().into_bytes(),
    };
    let mut shown = if strict { prefix.as_bytes().to_vec() } else { Vec::new() };
    shown.extend(inet(bytes.get(12..).unwrap_or(&[])));
    shown
}

/// `link_ntop`: bytes as two digits each, colons between them.
pub fn octets(address: &[u8]) -> Vec<u8> {
    let parts: Vec<String> = address.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_strings() {
        assert_eq!(substr(b"hello", 1, 3), b"ell");
        assert_eq!(substr(b"hello", -3, 2), b"ll");
        assert_eq!(substr(b"hello", 1, -1), b"ell");
        assert_eq!(substr(b"hello", -9, 6), b"he");
        assert_eq!(substr(b"hello", 5, 1), b"");
        assert_eq!(substr(b"hello", i64::MIN, 9), b"");
        assert_eq!(from_char(b"a/b/c", b'/', true), Some(&b"/c"[..]));
        assert_eq!(from_char(b"abc", 0, false), Some(&b""[..]));
        assert_eq!(find(b"abcabc", b"bc", 2, false), Some(4));
        assert_eq!(find(b"abcabc", b"bc", 3, true), Some(1));
        assert_eq!(find(b"abc", b"", 9, false), Some(3));
        assert_eq!(token(b"a,b", 0, b","), Some((&b"a"[..], 1)));
        assert_eq!(token(b",,", 0, b","), None);
        assert_eq!(strip(b" \ta b\n"), b"a b");
    }

    #[test]
    fn numbers() {
        assert_eq!(number(0, 16), b"0x0");
        assert_eq!(number(255, 16), b"0xff");
        assert_eq!(number(8, 8), b"010");
        assert_eq!(number(0, 8), b"0");
        assert_eq!(number(-5i64 as u64, 10), b"-5");
        assert_eq!(parse(b"  -0x1F", 16), -31i64 as u64);
        assert_eq!(parse(b"12ab", 10), 12);
    }

    #[test]
    fn addresses() {
        let within =
            |six: &str| six.parse::<std::net::Ipv6Addr>().map(|address| address.octets()).expect("v6");
        for (six, strict, plain) in [
            ("::", "::", "::"),
            ("::1", "::1", "::1"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4", "1.2.3.4"),
            ("::1.2.3.4", "::1.2.3.4", "1.2.3.4"),
            ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1", "2001:db8::1:0:0:1"),
            ("fe80::", "fe80::", "fe80::"),
        ] {
            assert_eq!(inet6(&within(six), true), strict.as_bytes(), "{six}");
            assert_eq!(inet6(&within(six), false), plain.as_bytes(), "{six}");
        }
        assert_eq!(octets(&[0x52, 0x54, 0, 0xab, 0xc, 1]), b"52:54:00:ab:0c:01");
    }

    #[test]
    fn paths() {
        for (path, base, directory) in [
            ("/a/b", "b", "/a"),
            ("a", "a", "."),
            ("", ".", "."),
            ("//", "/", "/"),
            ("/a//", "a", "/"),
            ("a//b/", "b", "a"),
        ] {
            assert_eq!(basename(path.as_bytes()), base.as_bytes(), "{path}");
            assert_eq!(dirname(path.as_bytes()), directory.as_bytes(), "{path}");
        }
        assert_eq!(cleanpath(b"/a/./b/../c", 256), b"/a/c");
        assert_eq!(cleanpath(b"/..", 256), b"/");
    }
}
