//! What did not arrive: the drop counters of the programs, and firings that the kernel kept from a program.
//!
//! As in dtrace(1M), lost records are told as they are found, everything else once in `statusrate`: a table that is full
//! stays full.

use crate::codegen::layout::{Layout, drops};
use crate::kernel::map::MappedArray;
use crate::kernel::{Prog, stats};
use duotrace_core::backend::{DropKind, Event, Sink};
use duotrace_core::ir::AggId;
use std::time::{Duration, Instant};

/// Counters, and how far they have been told.
#[derive(Debug)]
pub struct Losses {
    drops: MappedArray,
    /// By processor and counter.
    reported: Vec<u64>,
    period: Duration,
    /// When the counters of other things than records are looked at again.
    due: Instant,
}

impl Losses {
    /// From the map of drop counters; those of other things than records are told at most once a period.
    pub fn new(drops: MappedArray, period: Duration) -> Losses {
        Losses { drops, reported: Vec::new(), period, due: Instant::now() + period }
    }

    /// Tells of what was counted since the last time; at the end, of all of it.
    pub fn deliver(&mut self, layout: &Layout, end: bool, sink: &mut dyn Sink) {
        let now = Instant::now();
        let all = end || now >= self.due;
        if all {
            self.due = now + self.period;
        }
        for cpu in 0..layout.ncpu {
            let records = self.counted(layout, cpu, drops::PRINCIPAL);
            tell(DropKind::Principal, cpu, records, sink);
            if all {
                self.deliver_others(layout, cpu, sink);
            }
        }
    }

    fn deliver_others(&mut self, layout: &Layout, cpu: u32, sink: &mut dyn Sink) {
        for (index, kind) in [
            (drops::DYNAMIC, DropKind::Dynamic),
            (drops::SPECULATION, DropKind::Speculation),
            (drops::SPECULATION_UNAVAILABLE, DropKind::SpeculationUnavailable),
            (drops::SPECULATION_BUSY, DropKind::SpeculationBusy),
            (drops::NESTED, DropKind::Nested),
            (drops::STACK, DropKind::StackStringOverflow),
        ] {
            tell(kind, cpu, self.counted(layout, cpu, index), sink);
        }
        let returns = self.counted(layout, cpu, drops::RETURNS);
        if returns > 0 {
            let text = format!(
                "{returns} returns on CPU {cpu} were not traced: more than 64 traced calls were under way in a thread (-x retsites traces them)"
            );
            sink.event(Event::Warning(text));
        }
        let faults = self.counted(layout, cpu, drops::ERROR_FAULT);
        if faults > 0 {
            sink.event(Event::Warning(format!("{faults} faults in ERROR clauses on CPU {cpu}")));
        }
        // All aggregations of a processor share its table. One line for all of them.
        let lost: Vec<(u32, u64)> = (0..layout.aggs.len() as u32)
            .map(|agg| (agg, self.counted(layout, cpu, drops::AGGREGATIONS + agg)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let which = match lost.as_slice() {
            [(agg, _)] => Some(AggId(*agg)),
            _ => None,
        };
        tell(DropKind::Aggregation(which), cpu, lost.iter().map(|(_, count)| count).sum(), sink);
    }

    /// What a counter has gained since it was last asked for.
    fn counted(&mut self, layout: &Layout, cpu: u32, index: u32) -> u64 {
        let kinds = drops::AGGREGATIONS + layout.aggs.len() as u32;
        self.reported.resize((layout.ncpu * kinds) as usize, 0);
        let now = self.drops.load(layout.drop_at(cpu, index)).unwrap_or(0);
        match self.reported.get_mut((cpu * kinds + index) as usize) {
            Some(before) => now.wrapping_sub(std::mem::replace(before, now)),
            None => 0,
        }
    }

    /// Tells of firings during which the probe's program was already running on the processor: the kernel does not run
    /// it again within itself.
    pub fn missed(&self, progs: &[Prog], name: &dyn Fn(usize) -> String, sink: &mut dyn Sink) {
        for (group, prog) in progs.iter().enumerate() {
            let count = stats::of(prog).map_or(0, |run| run.missed);
            if count > 0 {
                let text = format!(
                    "{count} firings of {} came while its program was running: not traced",
                    name(group)
                );
                sink.event(Event::Warning(text));
            }
        }
    }
}

fn tell(kind: DropKind, cpu: u32, count: u64, sink: &mut dyn Sink) {
    if count > 0 {
        sink.event(Event::Drop { kind, cpu, count });
    }
}
