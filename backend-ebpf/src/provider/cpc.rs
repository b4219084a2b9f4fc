//! `cpc:::EVENT-MODE-COUNT`: every so many events of the processor's counters, or of the kernel's own.
//!
//! EVENT is a name of PAPI (`PAPI_tot_ins`), one of perf's with `_` for `-` (`cpu_clock`, `L1_dcache_load_misses`), or
//! `rHEX`, the number of an event of this processor. MODE is `user`, `kernel` or `all`. Probes are made when they are
//! named; a listing shows one for each event that this machine counts.

use super::{How, Search};
use crate::kernel::perf_event::{self, Counter};
use duotrace_core::probe::is_glob;
use std::borrow::Cow;

/// Types of events (`enum perf_type_id`).
const HARDWARE: u32 = 0;
const SOFTWARE: u32 = 1;
const CACHE: u32 = 3;
const RAW: u32 = 4;

/// The smallest count of a processor's event, as illumos has it (dcpc-min-overflow).
const FEWEST: u64 = 5_000;
/// The smallest count of a clock, which counts nanoseconds: what fires more often leaves no time for anything else.
const SHORTEST: u64 = 100_000;
/// The count in a listing, as Oracle's has it.
const LISTED: u64 = 1_000_000_000;

/// Names, types and numbers; the first name of an event is the one in a listing.
const EVENTS: [(&str, u32, u64); 44] = [
    ("cpu_cycles", HARDWARE, 0),
    ("cycles", HARDWARE, 0),
    ("PAPI_tot_cyc", HARDWARE, 0),
    ("instructions", HARDWARE, 1),
    ("PAPI_tot_ins", HARDWARE, 1),
    ("cache_references", HARDWARE, 2),
    ("PAPI_l3_tca", HARDWARE, 2),
    ("cache_misses", HARDWARE, 3),
    ("PAPI_l3_tcm", HARDWARE, 3),
    ("branch_instructions", HARDWARE, 4),
    ("branches", HARDWARE, 4),
    ("PAPI_br_ins", HARDWARE, 4),
    ("branch_misses", HARDWARE, 5),
    ("PAPI_br_msp", HARDWARE, 5),
    ("bus_cycles", HARDWARE, 6),
    ("stalled_cycles_frontend", HARDWARE, 7),
    ("stalled_cycles_backend", HARDWARE, 8),
    ("PAPI_res_stl", HARDWARE, 8),
    ("ref_cycles", HARDWARE, 9),
    ("PAPI_ref_cyc", HARDWARE, 9),
    ("cpu_clock", SOFTWARE, 0),
    ("task_clock", SOFTWARE, 1),
    ("page_faults", SOFTWARE, 2),
    ("faults", SOFTWARE, 2),
    ("context_switches", SOFTWARE, 3),
    ("cs", SOFTWARE, 3),
    ("cpu_migrations", SOFTWARE, 4),
    ("migrations", SOFTWARE, 4),
    ("minor_faults", SOFTWARE, 5),
    ("major_faults", SOFTWARE, 6),
    ("alignment_faults", SOFTWARE, 7),
    ("emulation_faults", SOFTWARE, 8),
    ("PAPI_l1_dca", CACHE, cache(0, 0, 0)),
    ("PAPI_l1_dcm", CACHE, cache(0, 0, 1)),
    ("PAPI_l1_ldm", CACHE, cache(0, 0, 1)),
    ("PAPI_l1_dcw", CACHE, cache(0, 1, 0)),
    ("PAPI_l1_stm", CACHE, cache(0, 1, 1)),
    ("PAPI_l1_ica", CACHE, cache(1, 0, 0)),
    ("PAPI_l1_icm", CACHE, cache(1, 0, 1)),
    ("PAPI_l3_dcr", CACHE, cache(2, 0, 0)),
    ("PAPI_l3_ldm", CACHE, cache(2, 0, 1)),
    ("PAPI_l3_dcw", CACHE, cache(2, 1, 0)),
    ("PAPI_tlb_dm", CACHE, cache(3, 0, 1)),
    ("PAPI_tlb_im", CACHE, cache(4, 0, 1)),
];

/// The number of a cache's event: which cache, what is done (read, write, prefetch), and whether it misses.
const fn cache(cache: u64, operation: u64, miss: u64) -> u64 {
    cache | operation << 8 | miss << 16
}

/// perf's names of caches and of what is done there, in the order of their numbers.
const CACHES: [&str; 7] = ["L1_dcache", "L1_icache", "LLC", "dTLB", "iTLB", "branch", "node"];
const OPERATIONS: [(&str, &str); 3] =
    [("loads", "load_misses"), ("stores", "store_misses"), ("prefetches", "prefetch_misses")];

/// `L1_dcache_load_misses` and its like.
fn cache_events() -> impl Iterator<Item = (String, u64)> {
    (0u64..).zip(CACHES).flat_map(|(number, name)| {
        (0u64..).zip(OPERATIONS).flat_map(move |(operation, (hits, misses))| {
            (0u64..)
                .zip([hits, misses])
                .map(move |(miss, word)| (format!("{name}_{word}"), cache(number, operation, miss)))
        })
    })
}

/// Type and number of an event; names of PAPI are taken in any case.
fn event(name: &str) -> Option<(u32, u64)> {
    let papi = name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("PAPI_"));
    let same = |known: &str| known == name || papi && known.eq_ignore_ascii_case(name);
    if let Some((_, type_, config)) = EVENTS.iter().find(|(known, _, _)| same(known)) {
        return Some((*type_, *config));
    }
    if let Some((_, config)) = cache_events().find(|(known, _)| known == name) {
        return Some((CACHE, config));
    }
    let hex = name.strip_prefix('r').filter(|hex| !hex.is_empty())?;
    u64::from_str_radix(hex, 16).ok().map(|config| (RAW, config))
}

/// What a name means, or what is wrong with it.
fn parse(name: &str) -> Result<Counter, Cow<'static, str>> {
    let form = || Cow::Borrowed("a name is EVENT-MODE-COUNT, where MODE is user, kernel or all");
    let mut parts = name.splitn(3, '-');
    let (Some(event_name), Some(mode), Some(count)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(form());
    };
    let (user, kernel) = match mode {
        "all" => (true, true),
        "user" => (true, false),
        "kernel" => (false, true),
        _ => return Err(form()),
    };
    let Some((type_, config)) = event(event_name) else {
        return Err(format!(
            "there is no event {event_name}; duotrace -l -P cpc lists those of this machine"
        )
        .into());
    };
    if count.contains('-') {
        return Err(
            "attributes of events are not supported: give the event's number with them, as rHEX".into()
        );
    }
    let Some(period) = count.parse().ok().filter(|count| *count > 0 && *count < 1 << 63) else {
        return Err(form());
    };
    let least = match (type_, config) {
        (SOFTWARE, 0 | 1) => SHORTEST,
        (SOFTWARE, _) => 1,
        _ => FEWEST,
    };
    if period < least {
        return Err(format!("a count of {event_name} must be at least {least}").into());
    }
    Ok(Counter { type_, config, period, user, kernel })
}

/// Why this machine does not count an event.
fn refusal(name: &str, counter: Counter) -> Option<String> {
    let error = perf_event::counter(counter, 0).err()?;
    let none = matches!(error.errno, libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV | libc::EINVAL);
    Some(match counter.type_ {
        SOFTWARE => format!("{name}: {error}"),
        _ if none && !has_pmu() => {
            format!(
                "{name}: this machine has no performance counters of the processor (no PMU; virtual machines often lack it)"
            )
        }
        _ if none => format!("{name}: this processor does not count that"),
        _ => format!("{name}: {error}"),
    })
}

/// Has the kernel a driver for the processor's counters?
fn has_pmu() -> bool {
    ["cpu", "cpu_core", "armv8_pmuv3"]
        .iter()
        .any(|name| std::path::Path::new("/sys/bus/event_source/devices").join(name).exists())
}

pub fn find(search: &mut Search<'_>) {
    let wanted = search.desc.name.clone();
    if !search.is_provider("cpc") || !search.desc.matches("cpc", "", "", &wanted) {
        return;
    }
    if is_glob(&wanted) {
        return list(search);
    }
    // Without the provider it may be anything.
    let named = !search.desc.provider.is_empty();
    match parse(&wanted) {
        Ok(counter) => match refusal(&wanted, counter) {
            None => search.add(["cpc", "", "", &wanted], None, How::Counter(counter)),
            Some(note) => search.notes.push(note),
        },
        Err(note) if named => search.notes.push(format!("{wanted}: {note}")),
        Err(_) => {}
    }
}

/// The events that this machine counts.
fn list(search: &mut Search<'_>) {
    let mut seen = Vec::new();
    let plain = EVENTS.iter().map(|(name, type_, config)| (name.to_string(), *type_, *config));
    // By perf's names.
    let caches = cache_events().map(|(name, config)| (name, CACHE, config));
    let pmu = has_pmu();
    for (event, type_, config) in plain.filter(|(_, type_, _)| *type_ != CACHE).chain(caches) {
        let name = format!("{event}-all-{LISTED}");
        if seen.contains(&(type_, config)) || !search.desc.matches("cpc", "", "", &name) {
            continue;
        }
        seen.push((type_, config));
        let counter = Counter { type_, config, period: LISTED, user: true, kernel: true };
        if (type_ == SOFTWARE || pmu) && refusal(&name, counter).is_none() {
            search.add(["cpc", "", "", &name], None, How::Counter(counter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_events_modes_and_counts() {
        let counter =
            |type_, config, period, user, kernel| Ok(Counter { type_, config, period, user, kernel });
        assert_eq!(parse("cpu_clock-all-1000000"), counter(SOFTWARE, 0, 1_000_000, true, true));
        assert_eq!(parse("PAPI_tot_ins-user-10000"), counter(HARDWARE, 1, 10_000, true, false));
        assert_eq!(parse("papi_TOT_INS-kernel-10000"), counter(HARDWARE, 1, 10_000, false, true));
        assert_eq!(parse("LLC_load_misses-all-50000"), counter(CACHE, 0x1_0002, 50_000, true, true));
        assert_eq!(parse("r1c2-all-5000"), counter(RAW, 0x1c2, 5_000, true, true));
        assert_eq!(parse("page_faults-all-1"), counter(SOFTWARE, 2, 1, true, true));
        for wrong in [
            "",
            "cpu_clock",
            "cpu_clock-all",
            "cpu_clock-all-",
            "cpu_clock-all-0",
            "cpu_clock-all-99999",
            "cpu_clock-some-1000000",
            "instructions-all-4999",
            "nothing-all-1000000",
            "instructions-all-0xff-5000",
            "r-all-5000",
            "page_faults-all-9223372036854775808",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
