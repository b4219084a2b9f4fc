//! `profile:::profile-N` on every CPU and `profile:::tick-N` on one, made when they are named.

use super::{How, Search};
use crate::kernel::perf_event::Rate;
use duotrace_core::options;
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

const SECOND: u64 = 1_000_000_000;

/// The shortest period of a timer, as dtrace(7) has it: what fires more often leaves no time for anything else.
const SHORTEST: u64 = SECOND / 5000;

/// Period in nanoseconds and whether on every CPU; `None` when it is no such name.
fn parse(name: &str) -> Option<(u64, bool)> {
    let (rest, every_cpu) = match name.strip_prefix("profile-") {
        Some(rest) => (rest, true),
        None => (name.strip_prefix("tick-")?, false),
    };
    // The kernel refuses periods with the top bit set.
    options::rate(rest)
        .filter(|period| (SHORTEST..1 << 63).contains(period))
        .map(|period| (period, every_cpu))
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
            let units: Vec<&str> = options::rate_units().collect();
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
