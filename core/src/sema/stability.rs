//! Stability attributes: `Name/Data/Class`, as `-x amin` and `-v` show them.

use crate::probe::{ProbeDesc, is_glob};

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
    pub const KERNEL: Attributes = Attributes { name: 6, data: 1, class: 5 };

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

    /// Of what nobody vouches for.
    pub const UNSTABLE: Attributes = Attributes { name: 4, data: 4, class: 5 };
    /// Of the insides of a system.
    pub const PRIVATE: Attributes = Attributes { name: 1, data: 1, class: 0 };
    pub const EVOLVING: Attributes = Attributes { name: 5, data: 5, class: 5 };
    const EVOLVING_ISA: Attributes = Attributes { name: 5, data: 5, class: 4 };
    const PRIVATE_ISA: Attributes = Attributes { name: 1, data: 1, class: 4 };

    /// The lesser of each.
    pub fn least(self, other: Attributes) -> Attributes {
        Attributes {
            name: self.name.min(other.name),
            data: self.data.min(other.data),
            class: self.class.min(other.class),
        }
    }

    /// The word of each.
    pub fn words(self) -> [&'static str; 3] {
        [
            STABILITIES[usize::from(self.name)],
            STABILITIES[usize::from(self.data)],
            CLASSES[usize::from(self.class)],
        ]
    }

    /// Is every attribute at least as good?
    pub fn at_least(self, other: Attributes) -> bool {
        self.name >= other.name && self.data >= other.data && self.class >= other.class
    }
}

impl std::fmt::Display for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words().join("/"))
    }
}

/// What a provider vouches for: its own name, those of modules, functions and probes, and arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouched {
    pub provider: Attributes,
    pub module: Attributes,
    pub function: Attributes,
    pub name: Attributes,
    pub args: Attributes,
}

impl Vouched {
    const fn of(own: Attributes, function: Attributes, args: Attributes) -> Vouched {
        Vouched { provider: own, module: Attributes::PRIVATE, function, name: own, args }
    }

    /// As the DTrace guide has it for its providers; of others' nothing is known.
    pub fn by(provider: &str) -> Vouched {
        use Attributes as A;
        const ROWS: &[(&str, Vouched)] = &[
            ("dtrace", Vouched::of(A::STABLE, A::PRIVATE, A::STABLE)),
            ("profile", Vouched::of(A::EVOLVING, A::PRIVATE, A::EVOLVING)),
            ("syscall", Vouched::of(A::EVOLVING, A::PRIVATE_ISA, A::PRIVATE_ISA)),
            ("fbt", Vouched::of(A::EVOLVING, A::PRIVATE, A::PRIVATE_ISA)),
            ("lockstat", Vouched::of(A::EVOLVING, A::PRIVATE, A::EVOLVING)),
            ("cpc", Vouched::of(A::EVOLVING, A::PRIVATE, A::EVOLVING)),
            ("pid", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::PRIVATE)),
            ("plockstat", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("sdt", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::PRIVATE_ISA)),
            ("rawtp", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::PRIVATE_ISA)),
            ("proc", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("sched", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("io", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("ip", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("tcp", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("udp", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("vminfo", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
            ("sysinfo", Vouched::of(A::EVOLVING_ISA, A::PRIVATE, A::EVOLVING_ISA)),
        ];
        // Those of a process have its number behind their name.
        let name = provider.trim_end_matches(|c: char| c.is_ascii_digit());
        let unknown = Vouched {
            provider: Attributes::UNSTABLE,
            module: Attributes::UNSTABLE,
            function: Attributes::UNSTABLE,
            name: Attributes::UNSTABLE,
            args: Attributes::UNSTABLE,
        };
        ROWS.iter().find(|(known, _)| *known == name).map_or(unknown, |(_, row)| *row)
    }

    /// Of the arguments of what a description means: none are known where any provider will do.
    pub fn arguments(desc: &ProbeDesc) -> Attributes {
        if is_glob(&desc.provider) { Attributes::UNSTABLE } else { Vouched::by(&desc.provider).args }
    }

    /// Of a probe description: what it names counts, what it leaves open does not; an open provider is unstable.
    pub fn description(desc: &ProbeDesc) -> Attributes {
        let own = Vouched::by(&desc.provider);
        let provider = if is_glob(&desc.provider) { Attributes::UNSTABLE } else { own.provider };
        [(&desc.module, own.module), (&desc.function, own.function), (&desc.name, own.name)]
            .into_iter()
            .filter(|(part, _)| !is_glob(part))
            .fold(provider, |least, (_, attributes)| least.least(attributes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_as_stable_as_what_they_name() {
        let of = |provider: &str, module: &str, function: &str, name: &str| {
            let text = |part: &str| part.to_string();
            let desc = ProbeDesc {
                provider: text(provider),
                module: text(module),
                function: text(function),
                name: text(name),
                id: None,
            };
            Vouched::description(&desc).to_string()
        };
        assert_eq!(of("dtrace", "", "", "BEGIN"), "Stable/Stable/Common");
        assert_eq!(of("", "", "", "BEGIN"), "Unstable/Unstable/Common");
        assert_eq!(of("syscall", "", "read", "entry"), "Private/Private/ISA");
        assert_eq!(of("syscall", "", "*", "entry"), "Evolving/Evolving/Common");
        assert_eq!(of("syscall", "vmlinux", "read", "entry"), "Private/Private/Unknown");
        assert_eq!(of("pid123", "", "", "entry"), "Evolving/Evolving/ISA");
        assert_eq!(of("postgresql5", "", "", "query-start"), "Unstable/Unstable/Common");
    }
}
