//! Aggregations: programs fill one of two banks while the other is read and emptied.

use super::load::Maps;
use super::symbols::SessionSymbols;
use super::{system, values};
use crate::codegen::decode;
use crate::codegen::layout::{self, Layout};
use crate::kernel::map::{ArrayParts, MappedArray};
use crate::kernel::rcu;
use duotrace_core::aggregate::{AggError, Aggregation, Key};
use duotrace_core::backend::BackendError;
use duotrace_core::ir::{AggId, AggregationDef};
use duotrace_core::record::Value;

/// The mapped banks and what was read of them but not asked for yet.
#[derive(Debug)]
pub struct Banks {
    defs: Vec<AggregationDef>,
    slots: Option<MappedArray>,
    tables: Option<ArrayParts>,
    active: u32,
    /// By aggregation.
    waiting: Vec<Aggregation>,
    /// By aggregation: it was read with another one since the last records were delivered.
    fresh: Vec<bool>,
}

impl Banks {
    /// Maps the banks.
    pub fn new(defs: &[AggregationDef], maps: &Maps) -> Result<Banks, BackendError> {
        let mut banks = Banks {
            defs: defs.to_vec(),
            slots: None,
            tables: None,
            active: 0,
            waiting: defs.iter().map(nothing).collect(),
            fresh: vec![false; defs.len()],
        };
        banks.map(maps)?;
        Ok(banks)
    }

    /// Maps banks that were made since: a script whose probes all come later has none at first.
    pub fn map(&mut self, maps: &Maps) -> Result<(), BackendError> {
        if let (None, Some(map)) = (&self.slots, maps.get(&layout::SLOTS.0)) {
            self.slots = Some(map.mmap().map_err(system)?);
        }
        if let (None, Some(map)) = (&self.tables, maps.get(&layout::AGGS.0)) {
            self.tables = Some(map.parts().map_err(system)?);
        }
        Ok(())
    }

    /// What was read before no longer counts as new: records have been delivered since.
    pub fn outdate(&mut self) {
        self.fresh.iter_mut().for_each(|fresh| *fresh = false);
    }

    /// Merges all that has come for one aggregation.
    pub fn snapshot(
        &mut self,
        id: AggId,
        into: &mut Aggregation,
        layout: &Layout,
        control: &MappedArray,
        symbols: &SessionSymbols,
    ) -> Result<(), BackendError> {
        let index = id.0 as usize;
        if !self.fresh.get(index).copied().unwrap_or(false) {
            self.gather(layout, control, symbols, &mut Wanted { index, into })?;
        }
        if let Some(fresh) = self.fresh.get_mut(index) {
            *fresh = false;
        }
        let (Some(waiting), Some(def)) = (self.waiting.get_mut(index), self.defs.get(index)) else {
            return Ok(());
        };
        for (key, cell) in std::mem::replace(waiting, nothing(def)).cells() {
            into.merge_partial(key.to_vec(), &cell.words).map_err(refused)?;
        }
        Ok(())
    }

    /// Turns programs to the other bank, reads and empties the one they leave.
    fn gather(
        &mut self,
        layout: &Layout,
        control: &MappedArray,
        symbols: &SessionSymbols,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), BackendError> {
        if self.slots.is_none() && self.tables.is_none() {
            return Ok(());
        }
        let old = self.active;
        self.active = 1 - old;
        control.store(layout::control::BANK as usize, u64::from(self.active));
        rcu::synchronize().map_err(system)?;
        for cpu in 0..layout.ncpu {
            self.read_slots(layout, old, cpu)?;
            self.read_table(layout, old, cpu, symbols, wanted)?;
        }
        self.fresh.iter_mut().for_each(|fresh| *fresh = true);
        Ok(())
    }

    fn read_slots(&mut self, layout: &Layout, bank: u32, cpu: u32) -> Result<(), BackendError> {
        let Some(slots) = &self.slots else { return Ok(()) };
        let base = layout.slots_at(bank, cpu);
        let mut words = Vec::new();
        for (index, def) in layout.aggs.iter().enumerate() {
            let Some(slot) = def.slot else { continue };
            let at = base + slot as usize;
            words.clear();
            if decode::decode_value(def, |n| slots.load(at + n * 8), &mut words).is_some()
                && let Some(waiting) = self.waiting.get_mut(index)
            {
                waiting.merge_partial(Vec::new(), &words).map_err(refused)?;
            }
        }
        slots.region().zero(base, layout.slot_stride as usize);
        Ok(())
    }

    fn read_table(
        &mut self,
        layout: &Layout,
        bank: u32,
        cpu: u32,
        symbols: &SessionSymbols,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), BackendError> {
        let Some(tables) = &self.tables else { return Ok(()) };
        // The kernel's tables are large; what of them is not in use, and what is read, is nobody's memory but its own.
        let base = layout.table_index(bank, cpu) as usize * tables.stride();
        let taken = tables.map(base, 8).map_err(system)?.load(0).unwrap_or(0);
        if taken == 0 {
            return Ok(());
        }
        let used = decode::used_bytes(layout, taken) as usize;
        let table = tables.map(base, used).map_err(system)?;
        let (defs, waiting) = (&self.defs, &mut self.waiting);
        let mut batches: Vec<Batch> = defs.iter().map(|_| Batch::default()).collect();
        let mut done = Ok(());
        let mut flush = |index: usize, batch: &mut Batch| {
            let into = if index == wanted.index { Some(&mut *wanted.into) } else { waiting.get_mut(index) };
            if let Some(Err(error)) = into.map(|into| into.merge_many(&mut batch.keys, &batch.words)) {
                done = Err(refused(error));
            }
            batch.keys.clear();
            batch.words.clear();
            batch.len = 0;
        };
        decode::entries(
            layout,
            |n| table.load(n * 8),
            |entry| {
                let index = entry.agg as usize;
                let (Some(plan), Some(def), Some(batch)) =
                    (layout.aggs.get(index), defs.get(index), batches.get_mut(index))
                else {
                    return;
                };
                let start = batch.keys.len();
                batch.keys.resize(start + def.key.len(), Value::uint(0));
                let part = |part: usize, words| {
                    let (Some(slot), Some(ty)) = (batch.keys.get_mut(start + part), def.key.get(part)) else {
                        return;
                    };
                    let value = values::value(*ty, words);
                    if let Some(pid) = values::process(&value) {
                        symbols.remember(pid);
                    }
                    *slot = value.canonical(symbols);
                };
                if decode::decode_key(plan, entry.key, part).is_none() {
                    batch.keys.truncate(start);
                    return;
                }
                batch.words.extend_from_slice(entry.value);
                batch.len += 1;
                if batch.len == BATCH {
                    flush(index, batch);
                }
            },
        );
        batches.iter_mut().enumerate().for_each(|(index, batch)| flush(index, batch));
        table.zero(0, used);
        done
    }
}

/// An aggregation that has no elements yet.
fn nothing(def: &AggregationDef) -> Aggregation {
    Aggregation::new(0, "", def.func, def.key.len())
}

fn refused(error: AggError) -> BackendError {
    BackendError::new(error.to_string())
}

/// Entries that are merged together.
const BATCH: usize = 64;

/// Entries of one aggregation that were read and not merged yet.
#[derive(Debug, Default)]
struct Batch {
    len: usize,
    keys: Key,
    words: Vec<i64>,
}

/// The aggregation that is asked for: its values need not wait. A million keys are not kept twice.
struct Wanted<'a> {
    index: usize,
    into: &'a mut Aggregation,
}
