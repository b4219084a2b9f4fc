//! Events between a poll and their turn: records are copied into one buffer.

use crate::aggregate::Aggregation;
use crate::backend::{DropKind, Event, FaultEvent, Sink};
use crate::ir::{AggId, ClauseId, Program};
use crate::probe::ProbeId;
use std::ops::Range;
use std::rc::Rc;

/// A delivered record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub probe: ProbeId,
    pub clause: ClauseId,
    pub cpu: u32,
    /// Nanoseconds of `timestamp`, 0 where the backend has none.
    pub timestamp: u64,
    /// Where its data lies in the queue's buffer.
    pub data: Range<usize>,
}

/// An event without borrowed data.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Record(Record),
    Drop { kind: DropKind, cpu: u32, count: u64 },
    Fault(FaultEvent),
    TargetExited { pid: u32, status: Option<i32> },
    Warning(String),
    Program(Rc<Program>),
    Totals(AggId, Box<Aggregation>),
}

/// Events in order of delivery.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub items: Vec<Item>,
    pub bytes: Vec<u8>,
}

impl Queue {
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }
}

impl Sink for Queue {
    fn event(&mut self, event: Event<'_>) {
        self.items.push(match event {
            Event::Record { probe, clause, cpu, timestamp, data, .. } => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(data);
                Item::Record(Record { probe, clause, cpu, timestamp, data: start..self.bytes.len() })
            }
            Event::Drop { kind, cpu, count } => Item::Drop { kind, cpu, count },
            Event::Fault(fault) => Item::Fault(fault),
            Event::TargetExited { pid, status } => Item::TargetExited { pid, status },
            Event::Warning(text) => Item::Warning(text),
            Event::Program(program) => Item::Program(program),
            Event::Totals { agg, newer } => Item::Totals(agg, Box::new(newer.clone())),
        });
    }
}
