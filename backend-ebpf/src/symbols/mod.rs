//! What is in a file: functions, USDT notes, instructions.
//!
//! Everything is read lazily with `pread` (never mapped: a file truncated under us must not
//! kill the tool), every offset is checked, and hostile input ends in an [`elf::ElfError`].

pub mod code;
mod debugdata;
pub mod demangle;
pub mod elf;
pub mod frames;
pub mod go;
mod index;
pub mod lookup;
pub mod perf_map;
mod read;
pub mod recipe;
pub mod usdt;
pub mod usdt_args;
pub mod x86;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod stripped_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
