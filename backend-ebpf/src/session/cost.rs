//! What the probes cost: `-x explain` shows it at the end, `-x cpulimit` takes the dearest away meanwhile.
//!
//! The kernel measures how long each program runs. What it does not measure is the way to the program: for user probes
//! that depends on the probed instruction, for which there are figures here, taken on a virtual machine with Linux 6.18.
//! They are for judging, not for billing: another machine differs by a small factor, single-stepping (which costs a
//! virtual machine two exits) by a greater one.

use super::plan::Attach;
use crate::codegen::Image;
use crate::kernel::stats::{self, Run};
use crate::kernel::{Error, Prog};
use crate::provider::Known;
use crate::provider::shelf::Shelf;
use crate::symbols::code::{SiteKind, classify};
use crate::symbols::elf::Elf;
use duotrace_core::options::{Options, opt};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// The measurement itself: two readings of the clock.
const CLOCK: f64 = 37.0;
/// How often the limit is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Nanoseconds from a probed instruction to the program and back.
fn way(kind: SiteKind) -> f64 {
    match kind {
        SiteKind::Nop5 => 250.0,
        SiteKind::Nop1 | SiteKind::Nop | SiteKind::Push | SiteKind::Jump => 550.0,
        SiteKind::Endbr64 | SiteKind::Other => 8000.0,
    }
}

fn word(kind: SiteKind) -> &'static str {
    match kind {
        SiteKind::Nop1 => "nop",
        SiteKind::Nop5 => "nop5",
        SiteKind::Nop => "long nop",
        SiteKind::Push => "push",
        SiteKind::Jump => "jump",
        SiteKind::Endbr64 => "endbr64",
        SiteKind::Other => "stepped",
    }
}

/// Where a program is attached: how many places, what they are, and what the way there costs on average.
#[derive(Clone, Debug, Default)]
struct Places {
    sites: usize,
    kinds: String,
    way: f64,
}

impl Places {
    fn of(attach: &Attach) -> Places {
        let fixed = |kinds: &str, sites, way| Places { sites, kinds: kinds.to_string(), way };
        match attach {
            Attach::Begin | Attach::End => fixed("none", 0, 0.0),
            Attach::SysEnter | Attach::SysExit => fixed("system call", 1, 60.0),
            Attach::RawTracepoint(_) | Attach::BtfTracepoint(_) => fixed("tracepoint", 1, 40.0),
            Attach::Function { .. } => fixed("function", 1, 20.0),
            Attach::Kprobes { sites, .. } => fixed("kprobe", sites.len(), 100.0),
            Attach::Timers(timers) => fixed("timer", timers.len(), 1000.0),
            Attach::Uprobes { files, .. } => {
                let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
                let (mut sites, mut sum) = (0, 0.0);
                for (path, places) in files {
                    let elf = Elf::open(path).ok();
                    for place in places {
                        let at = elf.as_ref().and_then(|elf| Some((elf, elf.offset_to_vaddr(place.offset)?)));
                        let kind = at.map_or(SiteKind::Other, |(elf, vaddr)| classify(elf, vaddr));
                        *counts.entry(word(kind)).or_default() += 1;
                        sites += 1;
                        sum += way(kind);
                    }
                }
                let kinds = match counts.len() {
                    1 => counts.keys().map(|word| (*word).to_string()).collect(),
                    _ => {
                        let each = counts.iter().map(|(word, count)| format!("{count} {word}"));
                        each.collect::<Vec<_>>().join(", ")
                    }
                };
                fixed(&kinds, sites, if sites == 0 { 0.0 } else { sum / sites as f64 })
            }
        }
    }
}

/// Statistics of a run, on from its loading.
#[derive(Debug)]
pub struct Costs {
    _stats: stats::Enabled,
    /// Hundredths of a processor.
    limit: Option<f64>,
    started: Instant,
    lasted: Option<Duration>,
    /// When the limit was looked at, and what the programs had run until then.
    looked: Instant,
    before: Vec<Run>,
    places: BTreeMap<usize, Places>,
    disabled: BTreeSet<usize>,
}

/// The probes of a group in one word, with how many more there are.
pub fn name(plan: &super::plan::Plan, known: &Shelf<Known>, group: usize) -> String {
    let mut probes = plan.probes(group);
    let first = probes.next().and_then(|id| known.get((id.0 as usize).checked_sub(1)?));
    let Some(Known { probe, .. }) = first else { return "?".to_string() };
    let name = [&probe.provider, &probe.module, &probe.function, &probe.name].map(String::as_str).join(":");
    match probes.count() {
        0 => name,
        more => format!("{name} and {more} more"),
    }
}

/// What a program took between two readings, in nanoseconds, by a price of the way to it.
fn took(now: &Run, before: &Run, way: f64) -> f64 {
    let count = now.count.saturating_sub(before.count) as f64;
    let ran = now.nanoseconds.saturating_sub(before.nanoseconds) as f64;
    (ran - count * CLOCK).max(0.0) + count * way
}

impl Costs {
    /// `None` where nothing of it is asked for.
    pub fn new(options: &Options) -> Result<Option<Costs>, Error> {
        let limited = options.is_set(opt::CPULIMIT);
        if !limited && !options.flag(opt::EXPLAIN) {
            return Ok(None);
        }
        let now = Instant::now();
        Ok(Some(Costs {
            _stats: stats::enable()?,
            limit: limited.then(|| options.number(opt::CPULIMIT) as f64),
            started: now,
            lasted: None,
            looked: now,
            before: Vec::new(),
            places: BTreeMap::new(),
            disabled: BTreeSet::new(),
        }))
    }

    /// Probes fire from now on.
    pub fn start(&mut self) {
        self.started = Instant::now();
        self.looked = self.started;
    }

    /// Probes fire no more.
    pub fn stop(&mut self) {
        self.lasted.get_or_insert(self.started.elapsed());
    }

    /// Is the limit exceeded? Then the group to disable, and what to say.
    pub fn exceeded(
        &mut self,
        progs: &[Prog],
        attach: &[Attach],
        name: &dyn Fn(usize) -> String,
    ) -> Option<(usize, String)> {
        let limit = self.limit?;
        let passed = self.looked.elapsed();
        if passed < PERIOD {
            return None;
        }
        self.looked = Instant::now();
        let now: Vec<Run> = progs.iter().map(|prog| stats::of(prog).unwrap_or_default()).collect();
        let before = std::mem::replace(&mut self.before, now.clone());
        let (mut all, mut dearest) = (0.0, None);
        for (group, (run, attach)) in now.iter().zip(attach).enumerate() {
            let last = before.get(group).copied().unwrap_or_default();
            if self.disabled.contains(&group) || run.count == last.count {
                continue;
            }
            let places = self.places.entry(group).or_insert_with(|| Places::of(attach));
            let share = took(run, &last, places.way) * 100.0 / passed.as_nanos() as f64;
            all += share;
            if dearest.is_none_or(|(_, most)| share > most) {
                dearest = Some((group, share));
            }
        }
        let (group, share) = dearest.filter(|_| all > limit)?;
        self.disabled.insert(group);
        let text = format!(
            "probes take {all:.1}% of a processor, the limit is {limit}%: {} disabled ({share:.1}%)",
            name(group)
        );
        Some((group, text))
    }

    /// The table of all programs, for the user.
    pub fn explain(
        &self,
        progs: &[Prog],
        attach: &[Attach],
        image: &Image,
        name: &dyn Fn(usize) -> String,
    ) -> String {
        let lasted = self.lasted.unwrap_or_else(|| self.started.elapsed());
        let mut text = format!(
            "{:<40} {:>6} {:<12} {:>6} {:>10} {:>8} {:>8} {:>7}\n",
            "PROBE", "SITES", "INSTRUCTION", "INSNS", "FIRINGS", "NS RUN", "NS ALL", "% CPU"
        );
        for (group, (prog, attach)) in progs.iter().zip(attach).enumerate() {
            let run = stats::of(prog).unwrap_or_default();
            let places = self.places.get(&group).cloned().unwrap_or_else(|| Places::of(attach));
            let program = image.programs.iter().find(|program| program.group == group);
            let insns = program.map_or("-".to_string(), |program| program.code.insns.len().to_string());
            let each = match run.count {
                0 => None,
                count => Some((run.nanoseconds as f64 / count as f64 - CLOCK).max(0.0)),
            };
            let share = took(&run, &Run::default(), places.way) * 100.0 / (lasted.as_nanos() as f64).max(1.0);
            let _ = writeln!(
                text,
                "{:<40} {:>6} {:<12} {insns:>6} {:>10} {:>8} {:>8.0} {share:>7.2}{}",
                name(group),
                places.sites,
                places.kinds,
                run.count,
                each.map_or("-".to_string(), |each| format!("{each:.0}")),
                places.way + each.unwrap_or(0.0),
                if self.disabled.contains(&group) { " disabled" } else { "" },
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firing_costs_its_way_and_its_program_without_the_clock() {
        let run = |nanoseconds, count| Run { nanoseconds, count, ..Run::default() };
        assert_eq!(took(&run(10_000, 100), &run(0, 0), 250.0), 100.0 * (100.0 - CLOCK + 250.0));
        assert_eq!(took(&run(10_000, 100), &run(10_000, 100), 250.0), 0.0, "nothing since");
        assert_eq!(took(&run(10, 1), &run(0, 0), 0.0), 0.0, "never below nothing");
    }
}
