//! Aggregations: programs fill one of two banks while the other is read and emptied.

use super::load::Maps;
use super::symbols::SessionSymbols;
use super::{system, values};
use crate::codegen::decode;
use crate::codegen::layout::{self, Layout};
use crate::kernel::map::MappedArray;
use crate::kernel::rcu;
use duotrace_core::aggregate::{Aggregation, Key};
use duotrace_core::backend::BackendError;
use duotrace_core::ir::{AggId, AggregationDef};
use std::collections::HashMap;

/// The mapped banks and what was read of them but not asked for yet.
#[derive(Debug)]
pub struct Banks {
    defs: Vec<AggregationDef>,
    slots: Option<MappedArray>,
    tables: Option<MappedArray>,
    active: u32,
    /// By aggregation.
    waiting: Vec<HashMap<Key, Vec<i64>>>,
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
            waiting: vec![HashMap::new(); defs.len()],
            fresh: vec![false; defs.len()],
        };
        banks.map(maps)?;
        Ok(banks)
    }

    /// Maps banks that were made since: a script whose probes all come later has none at first.
    pub fn map(&mut self, maps: &Maps) -> Result<(), BackendError> {
        for (id, area) in [(layout::SLOTS, &mut self.slots), (layout::AGGS, &mut self.tables)] {
            if area.is_none()
                && let Some(map) = maps.get(&id.0)
            {
                *area = Some(map.mmap().map_err(system)?);
            }
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
            self.gather(layout, control, symbols, &mut Wanted { index, into, refused: None })?;
        }
        if let Some(fresh) = self.fresh.get_mut(index) {
            *fresh = false;
        }
        let Some(waiting) = self.waiting.get_mut(index) else { return Ok(()) };
        for (key, words) in std::mem::take(waiting) {
            into.merge_partial(key, &words).map_err(|error| BackendError::new(error.to_string()))?;
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
            self.read_slots(layout, old, cpu);
            self.read_table(layout, old, cpu, symbols, wanted);
        }
        if let Some(error) = wanted.refused.take() {
            return Err(error);
        }
        self.fresh.iter_mut().for_each(|fresh| *fresh = true);
        Ok(())
    }

    fn read_slots(&mut self, layout: &Layout, bank: u32, cpu: u32) {
        let Some(slots) = &self.slots else { return };
        let base = layout.slots_at(bank, cpu);
        for (index, def) in layout.aggs.iter().enumerate() {
            let Some(slot) = def.slot else { continue };
            let at = base + slot as usize;
            if let Some(words) = decode::decode_value(def, |n| slots.load(at + n * 8))
                && let Some(waiting) = self.waiting.get_mut(index)
            {
                merge(waiting, &def.func, Vec::new(), &words);
            }
        }
        slots.region().zero(base, layout.slot_stride as usize);
    }

    fn read_table(
        &mut self,
        layout: &Layout,
        bank: u32,
        cpu: u32,
        symbols: &SessionSymbols,
        wanted: &mut Wanted<'_>,
    ) {
        let Some(tables) = &self.tables else { return };
        let base = layout.table_index(bank, cpu) as usize * tables.stride();
        let taken = tables.load(base).unwrap_or(0);
        if taken == 0 {
            return;
        }
        let (defs, waiting) = (&self.defs, &mut self.waiting);
        decode::entries(
            layout,
            |n| tables.load(base + n * 8),
            |entry| {
                let index = entry.agg as usize;
                let (Some(plan), Some(def), Some(waiting)) =
                    (layout.aggs.get(index), defs.get(index), waiting.get_mut(index))
                else {
                    return;
                };
                let Some(parts) = decode::decode_key(plan, &entry.key) else { return };
                let key: Key = parts
                    .into_iter()
                    .zip(&def.key)
                    .map(|(part, ty)| {
                        let value = values::value(*ty, part);
                        if let Some(pid) = values::process(&value) {
                            symbols.remember(pid);
                        }
                        value.canonical(symbols)
                    })
                    .collect();
                match index == wanted.index {
                    true => wanted.merge(key, &entry.value),
                    false => merge(waiting, &plan.func, key, &entry.value),
                }
            },
        );
        tables.region().zero(base, decode::used_bytes(layout, taken) as usize);
    }
}

/// The aggregation that is asked for: its values need not wait. A million keys are not kept twice.
struct Wanted<'a> {
    index: usize,
    into: &'a mut Aggregation,
    refused: Option<BackendError>,
}

impl Wanted<'_> {
    fn merge(&mut self, key: Key, words: &[u64]) {
        let words: Vec<i64> = words.iter().map(|word| word.cast_signed()).collect();
        if let Err(error) = self.into.merge_partial(key, &words) {
            self.refused.get_or_insert_with(|| BackendError::new(error.to_string()));
        }
    }
}

fn merge(
    waiting: &mut HashMap<Key, Vec<i64>>,
    func: &duotrace_core::aggregate::AggFunc,
    key: Key,
    words: &[u64],
) {
    let words: Vec<i64> = words.iter().map(|word| word.cast_signed()).collect();
    func.merge(waiting.entry(key).or_insert_with(|| func.identity()), &words);
}
