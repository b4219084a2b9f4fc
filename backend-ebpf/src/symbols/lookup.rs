//! Finding a function by name, and saying helpfully why not.

use super::elf::{Elf, Function, TableKind};
use std::fmt;
use std::path::PathBuf;

/// Why a function was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupError {
    pub file: PathBuf,
    pub name: String,
    /// The tables that were searched; empty when the file has none.
    pub searched: Vec<TableKind>,
    /// Is the file without `.symtab`?
    pub stripped: bool,
    /// It exists, but only as an indirect function whose implementation is chosen at start.
    pub indirect: bool,
    /// Names like it, nearest first, at most three.
    pub nearest: Vec<String>,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no function {} in {}", self.name, self.file.display())?;
        if self.indirect {
            return write!(
                f,
                ": it is an indirect function, its implementation is chosen when the program starts"
            );
        }
        if self.searched.is_empty() {
            write!(f, ": the file has no symbol table")?;
        } else {
            let tables: Vec<String> = self.searched.iter().map(ToString::to_string).collect();
            write!(f, " (searched {}", tables.join(", "))?;
            write!(f, "{})", if self.stripped { "; the file is stripped" } else { "" })?;
        }
        if !self.nearest.is_empty() {
            write!(f, "; did you mean {}?", self.nearest.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for LookupError {}

/// The functions of this exact name (at least one).
pub fn function(elf: &Elf, name: &str) -> Result<Vec<Function>, LookupError> {
    let found = elf.functions_named(name);
    let direct: Vec<Function> = found.iter().filter(|f| !f.indirect).cloned().collect();
    if !direct.is_empty() {
        return Ok(direct);
    }
    Err(LookupError {
        file: elf.path().to_owned(),
        name: name.to_owned(),
        searched: elf.searched(),
        stripped: elf.is_stripped(),
        indirect: !found.is_empty(),
        nearest: nearest(elf, name),
    })
}

/// Up to three names at a small edit distance.
fn nearest(elf: &Elf, name: &str) -> Vec<String> {
    let limit = (name.len() / 3).clamp(1, 4);
    let close = elf.functions_where(|n| n.len().abs_diff(name.len()) <= limit && n.len() < 200);
    let mut ranked: Vec<(usize, String)> = close
        .into_iter()
        .filter_map(|f| Some((distance(name, &f.name, limit)?, f.name)))
        .filter(|(d, _)| *d > 0)
        .collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().take(3).map(|(_, n)| n).collect()
}

/// Edit distance in bytes; `None` above `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut best = left;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, cb) in row.iter_mut().skip(1).zip(b) {
            let up = *cell;
            left = (diagonal + usize::from(ca != *cb)).min(up + 1).min(left + 1);
            diagonal = up;
            *cell = left;
            best = best.min(left);
        }
        if best > limit {
            return None;
        }
    }
    row.last().copied().filter(|d| *d <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("main", "mian", 3), Some(2));
        assert_eq!(distance("malloc", "maloc", 3), Some(1));
        assert_eq!(distance("abc", "abc", 1), Some(0));
        assert_eq!(distance("abc", "xyzzy", 2), None);
        assert_eq!(distance("", "ab", 2), Some(2));
    }
}
