//! Names as their authors wrote them: C++ and Rust symbols demangled, for printing and for probe descriptions.

use cpp_demangle::{DemangleOptions, ParseOptions};
use duotrace_core::probe::{glob_match, is_glob};
use std::fmt::{self, Write};

/// Longer symbols stay as they are: no compiler's names gain from more.
const LONGEST: usize = 4096;
/// Substitutions can make a short symbol name something endless.
const LONGEST_NAME: usize = 16 << 10;
const RECURSION: u32 = 64;

/// A string that refuses to grow beyond a limit.
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len().saturating_add(text.len()) > LONGEST_NAME {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Could it be a mangled name?
fn is_mangled(symbol: &str) -> bool {
    symbol.len() <= LONGEST && (symbol.starts_with("_Z") || symbol.starts_with("_R"))
}

/// A symbol's name in its source, with parameters (C++) and without hash (Rust); `None` for plain names.
pub fn demangle(symbol: &str) -> Option<String> {
    rust(symbol).or_else(|| cpp(symbol, DemangleOptions::new()))
}

fn rust(symbol: &str) -> Option<String> {
    if !is_mangled(symbol) {
        return None;
    }
    let name = rustc_demangle::try_demangle(symbol).ok()?;
    let mut out = Bounded::default();
    write!(out, "{name:#}").ok()?;
    // A legacy Rust symbol is a C++ one too: only the hash at its end tells them apart.
    let is_rust = symbol.starts_with("_R") || symbol.contains("17h");
    is_rust.then_some(out.0)
}

fn cpp(symbol: &str, options: DemangleOptions) -> Option<String> {
    if !is_mangled(symbol) || symbol.starts_with("_R") {
        return None;
    }
    let parsing = ParseOptions::default().recursion_limit(RECURSION);
    let parsed = cpp_demangle::Symbol::new_with_options(symbol, &parsing).ok()?;
    let mut out = Bounded::default();
    parsed.structured_demangle(&mut out, &options.recursion_limit(RECURSION)).ok()?;
    Some(out.0)
}

/// Does the function part of a probe description mean a symbol: mangled, demangled, or demangled without parameters?
pub fn is_meant(pattern: &str, symbol: &str) -> bool {
    let fits = |name: &str| if is_glob(pattern) { glob_match(pattern, name) } else { pattern == name };
    if fits(symbol) {
        return true;
    }
    if !is_mangled(symbol) {
        return false;
    }
    if let Some(name) = rust(symbol) {
        return fits(&name);
    }
    let bare = DemangleOptions::new().no_params().no_return_type();
    cpp(symbol, bare).is_some_and(|name| fits(&name))
        || cpp(symbol, DemangleOptions::new()).is_some_and(|name| fits(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |symbol| demangle(symbol);
        assert_eq!(name("_ZN3foo3barEi").as_deref(), Some("foo::bar(int)"));
        assert_eq!(name("_ZN4core3fmt5write17h0123456789abcdefE").as_deref(), Some("core::fmt::write"));
        assert_eq!(name("_RNvCskwGfYPst2Cb_3foo3bar").as_deref(), Some("foo::bar"));
        for plain in ["main", "_Z", "_ZZZZ", "_R", "_start", ""] {
            assert_eq!(name(plain), None, "{plain}");
        }
    }

    #[test]
    fn patterns() {
        for pattern in ["_ZN3foo3barEi", "foo::bar", "foo*bar", "foo*bar(int)", "_ZN3foo*"] {
            assert!(is_meant(pattern, "_ZN3foo3barEi"), "{pattern}");
        }
        assert!(!is_meant("bar", "_ZN3foo3barEi") && is_meant("twice", "_Z5twicel"));
        assert!(is_meant("core*write", "_ZN4core3fmt5write17h0123456789abcdefE"));
    }

    #[test]
    fn garbage() {
        let seed =
            b"_ZNSt8__detail9_Map_baseISsSt4pairIKSsiESaIS3_ENS_10_Select1stESt8equal_toISsESt4hashISsENS_18";
        let mut random = 88_172_645_463_325_252_u64;
        for _ in 0..20_000 {
            let mut bytes = seed.to_vec();
            for _ in 0..4 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = (random as usize >> 8) % (bytes.len() - 2) + 2;
                bytes[at] = b"SITNEKZ0123456789_abciPR"[random as usize % 24];
            }
            let text = String::from_utf8(bytes).unwrap();
            let _ = demangle(&text);
            let _ = demangle(&text.replacen("_ZN", "_RN", 1));
        }
    }
}
