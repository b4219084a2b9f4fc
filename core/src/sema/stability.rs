//! Stability attributes: `Name/Data/Class`, as `-x amin` and `-v` show them.

/// The words of name and data stability, least stable first.
pub const STABILITIES: &[&str] =
    &["Internal", "Private", "Obsolete", "External", "Unstable", "Evolving", "Stable", "Standard"];

/// The words of the dependency class, least portable first.
pub const CLASSES: &[&str] = &["Unknown", "CPU", "Platform", "Group", "ISA", "Common"];

/// Ranks in the tables above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub name: u8,
    pub data: u8,
    pub class: u8,
}

impl Attributes {
    /// Of the D language itself.
    pub const STABLE: Attributes = Attributes { name: 6, data: 6, class: 5 };
    /// Of names that expose the kernel: `curthread`, kernel symbols.
    pub const KERNEL: Attributes = Attributes { name: 6, data: 1, class: 0 };

    /// Reads `Stable/Stable/Common`, any case.
    pub fn parse(text: &str) -> Option<Attributes> {
        let mut words = text.split('/');
        let mut rank = |table: &[&str]| {
            let word = words.next()?;
            table.iter().position(|t| t.eq_ignore_ascii_case(word)).map(|i| i as u8)
        };
        let attributes =
            Attributes { name: rank(STABILITIES)?, data: rank(STABILITIES)?, class: rank(CLASSES)? };
        words.next().is_none().then_some(attributes)
    }

    /// Is every attribute at least as good?
    pub fn at_least(self, other: Attributes) -> bool {
        self.name >= other.name && self.data >= other.data && self.class >= other.class
    }
}

impl std::fmt::Display for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}/{}",
            STABILITIES[self.name as usize], STABILITIES[self.data as usize], CLASSES[self.class as usize]
        )
    }
}
