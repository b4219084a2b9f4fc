//! `profile:::profile-N` on every CPU and `profile:::tick-N` on one, made when they are named.

use super::{How, Search};
use crate::kernel::perf_event::Rate;
use duotrace_core::probe::is_glob;

/// What `-l` lists (the rates that illumos has from the start).
const CUSTOMARY: [&str; 13] = [
    "profile-97",
    "profile-199",
    "profile-499",
    "profile-997",
    "profile-1999",
    "profile-4001",
    "profile-4999",
    "tick-1",
    "tick-10",
    "tick-100",
    "tick-500",
    "tick-1000",
    "tick-5000",
];

/// Suffixes and their nanoseconds; `hz` is the one that is a rate.
const UNITS: [(&str, u64); 15] = [
    ("ns", 1),
    ("nsec", 1),
    ("us", 1_000),
    ("usec", 1_000),
    ("ms", 1_000_000),
    ("msec", 1_000_000),
    ("s", SECOND),
    ("sec", SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("hour", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
    ("day", 86_400 * SECOND),
    ("hz", 0),
];
const SECOND: u64 = 1_000_000_000;

/// Period in nanoseconds and whether on every CPU; `None` when it is no such name.
/// The shortest period of a timer, as dtrace(7) has it: what fires more often leaves no time for anything else.
const SHORTEST: u64 = SECOND / 5000;

fn parse(name: &str) -> Option<(u64, bool)> {
    let (rest, every_cpu) = match name.strip_prefix("profile-") {
        Some(rest) => (rest, true),
        None => (name.strip_prefix("tick-")?, false),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = rest.split_at_checked(digits)?;
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let unit = if unit.is_empty() { "hz" } else { unit };
    let (_, each) = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    let period = if *each == 0 { SECOND / number } else { number.checked_mul(*each)? };
    // The kernel refuses periods with the top bit set.
    (SHORTEST..1 << 63).contains(&period).then_some((period, every_cpu))
}

/// The rate of a `profile-N`; `None` when it is no such name.
pub fn rate(name: &str) -> Option<Rate> {
    parse(name).filter(|(_, every_cpu)| *every_cpu).map(|(period, _)| Rate::Nanoseconds(period))
}

pub fn find(search: &mut Search<'_>) {
    if !search.is_provider("profile") || !search.desc.matches("profile", "", "", &search.desc.name) {
        return;
    }
    let wanted = search.desc.name.clone();
    if is_glob(&wanted) {
        for name in CUSTOMARY {
            if search.desc.matches("profile", "", "", name) {
                add(search, name);
            }
        }
    } else if wanted.starts_with("profile-") || wanted.starts_with("tick-") {
        add(search, &wanted);
    }
}

fn add(search: &mut Search<'_>, name: &str) {
    match parse(name) {
        Some((period, every_cpu)) => {
            let how = How::Timer { rate: Rate::Nanoseconds(period), every_cpu };
            search.add(["profile", "", "", name], None, how);
        }
        None => {
            let units: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
            search.notes.push(format!(
                "{name}: after the dash comes a number above 0 and one of {} (hz without any); \
                 no period is shorter than 200 us",
                units.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rates() {
        for (name, want) in [
            ("profile-97", Some((10_309_278, true))),
            ("tick-1s", Some((SECOND, false))),
            ("tick-5000us", Some((5_000_000, false))),
            ("tick-20ms", Some((20_000_000, false))),
            ("tick-1sec", Some((SECOND, false))),
            ("tick-2min", Some((120 * SECOND, false))),
            ("profile-1001hz", Some((999_000, true))),
            ("tick-0", None),
            ("tick-", None),
            ("tick-1x", None),
            ("tick-99999999999999999999", None),
            ("tick-9999999999999d", None),
            ("tock-1", None),
        ] {
            assert_eq!(parse(name), want, "{name}");
        }
    }
}
