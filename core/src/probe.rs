//! Probes: what the user calls them, what a backend knows of them.

use std::fmt;

/// A probe's number as `-l` shows it and `id` yields it, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(pub u32);

/// `provider:module:function:name`, each part possibly empty or a glob pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct ProbeDesc {
    pub provider: String,
    pub module: String,
    pub function: String,
    pub name: String,
    /// A bare number in place of a description.
    pub id: Option<u32>,
}

impl fmt::Display for ProbeDesc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "{id}"),
            None => write!(f, "{}:{}:{}:{}", self.provider, self.module, self.function, self.name),
        }
    }
}

/// A probe that exists.
#[derive(Clone, Debug)]
pub struct Probe {
    pub id: ProbeId,
    pub provider: String,
    pub module: String,
    pub function: String,
    pub name: String,
    /// Types of `args[0]`, `args[1]`, ...; `None` where the provider has none (pid, profile).
    pub args: Option<Vec<ProbeArg>>,
}

/// One typed argument of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeArg {
    /// The D type of `args[N]`, as D source: `"int"`, `"char *"`, `"psinfo_t *"`.
    pub ty: String,
    /// The native type when a translator makes `ty` of it. A string with `string` here is one in kernel memory; one
    /// without is in the process's.
    pub native: Option<String>,
    /// Which `argN` it is made of.
    pub from: u32,
}

/// Does `text` match the glob `pattern` as libdtrace's gmatch does? `*`, `?`,
/// `[a-z]`, `[!a-z]`, backslash takes the next character literally. An empty pattern matches all.
pub fn glob_match(pattern: &str, text: &str) -> bool {
    pattern.is_empty() || glob(pattern.as_bytes(), text.as_bytes())
}

/// Does the pattern contain a glob character?
pub fn is_glob(pattern: &str) -> bool {
    pattern.is_empty() || pattern.bytes().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'))
}

/// Iterative matcher: remembers the last star and backs up to it, so it is O(pattern * text).
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let matched = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => class(&pattern[p..], text[t]).map(|n| p + n),
            Some(b'\\') if p + 1 < pattern.len() => (pattern[p + 1] == text[t]).then_some(p + 2),
            Some(&c) => (c == text[t]).then_some(p + 1),
            None => None,
        };
        match (matched, star) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((sp, st))) => {
                star = Some((sp, st + 1));
                p = sp + 1;
                t = st + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// Matches one character class at the start of `pattern`; gives its length if `c` is in it.
fn class(pattern: &[u8], c: u8) -> Option<usize> {
    let mut i = 1;
    let negated = matches!(pattern.get(i), Some(b'!'));
    if negated {
        i += 1;
    }
    let first = i;
    let mut hit = false;
    loop {
        let lo = *pattern.get(i)?;
        if lo == b']' && i > first {
            return (hit != negated).then_some(i + 1);
        }
        if pattern.get(i + 1) == Some(&b'-') && pattern.get(i + 2).is_some_and(|&b| b != b']') {
            hit |= (lo..=pattern[i + 2]).contains(&c);
            i += 3;
        } else {
            hit |= lo == c;
            i += 1;
        }
    }
}

impl ProbeDesc {
    /// Does the description match a probe with these four names?
    pub fn matches(&self, provider: &str, module: &str, function: &str, name: &str) -> bool {
        glob_match(&self.provider, provider)
            && glob_match(&self.module, module)
            && glob_match(&self.function, function)
            && glob_match(&self.name, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_follow_gmatch() {
        for (pattern, text, want) in [
            ("", "anything", true),
            ("BEG*", "BEGIN", true),
            ("*N", "BEGIN", true),
            ("B?GIN", "BEGIN", true),
            ("[A-C]EGIN", "BEGIN", true),
            ("[!A-C]EGIN", "BEGIN", false),
            ("BEG\\*", "BEGIN", false),
            ("BEG\\*", "BEG*", true),
            ("*a*b", "xxaxxbxb", true),
            ("*a*b", "xxaxxbxc", false),
            ("[", "[", false),
            ("a**", "a", true),
        ] {
            assert_eq!(glob_match(pattern, text), want, "{pattern} {text}");
        }
    }
}
