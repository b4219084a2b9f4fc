//! What did not arrive: the drop counters of the programs, and firings that the kernel kept from a program.

use crate::codegen::layout::{Layout, drops};
use crate::kernel::map::MappedArray;
use crate::kernel::{Prog, stats};
use duotrace_core::backend::{DropKind, Event, Sink};
use duotrace_core::ir::AggId;

/// Counters, and how far they have been told.
#[derive(Debug)]
pub struct Losses {
    drops: MappedArray,
    /// By processor and counter.
    reported: Vec<u64>,
}

impl Losses {
    /// From the map of drop counters.
    pub fn new(drops: MappedArray) -> Losses {
        Losses { drops, reported: Vec::new() }
    }

    /// Tells of what was counted since the last time.
    pub fn deliver(&mut self, layout: &Layout, sink: &mut dyn Sink) {
        let kinds = drops::AGGREGATIONS + layout.aggs.len() as u32;
        self.reported.resize((layout.ncpu * kinds) as usize, 0);
        let mut reported = self.reported.iter_mut();
        for cpu in 0..layout.ncpu {
            for index in 0..kinds {
                let now = self.drops.load(layout.drop_at(cpu, index)).unwrap_or(0);
                let Some(before) = reported.next() else { return };
                let count = now.wrapping_sub(*before);
                *before = now;
                if count == 0 {
                    continue;
                }
                let kind = match index {
                    drops::PRINCIPAL => DropKind::Principal,
                    drops::DYNAMIC => DropKind::Dynamic,
                    drops::SPECULATION => DropKind::Speculation,
                    drops::SPECULATION_UNAVAILABLE => DropKind::SpeculationUnavailable,
                    drops::SPECULATION_BUSY => DropKind::SpeculationBusy,
                    drops::NESTED => DropKind::Nested,
                    drops::STACK => DropKind::StackStringOverflow,
                    drops::RETURNS => {
                        let text = format!(
                            "{count} returns on CPU {cpu} were not traced: more than 64 traced calls were under way in a thread (-x retsites traces them)"
                        );
                        sink.event(Event::Warning(text));
                        continue;
                    }
                    drops::ERROR_FAULT => {
                        sink.event(Event::Warning(format!("{count} faults in ERROR clauses on CPU {cpu}")));
                        continue;
                    }
                    _ => DropKind::Aggregation(Some(AggId(index - drops::AGGREGATIONS))),
                };
                sink.event(Event::Drop { kind, cpu, count });
            }
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
