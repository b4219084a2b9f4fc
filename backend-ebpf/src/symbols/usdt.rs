//! USDT probes: the `.note.stapsdt` section that `sys/sdt.h` leaves in a file.
//!
//! Layout: <https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>.

use super::elf::{Elf, ElfError};
use super::read::{cstr_at, notes, u64_at};
use super::recipe::Recipes;
use super::usdt_args::{self, ArgError, ArgOperand};
use std::sync::Arc;

/// The counter that a program tests before it prepares a probe's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Semaphore {
    pub vaddr: u64,
    /// Its place in the file: the uprobe's `ref_ctr_offset`.
    pub offset: u64,
}

/// One place in a file where a probe fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsdtSite {
    /// As in the note: `postgresql`, without a pid.
    pub provider: String,
    /// As D has it: `query-start` for the note's `query__start`.
    pub name: String,
    /// Address of the site, corrected for prelink.
    pub vaddr: u64,
    /// The same place in the file: where to put the uprobe.
    pub offset: u64,
    pub semaphore: Option<Semaphore>,
    /// The argument string of this site.
    pub args: String,
    /// The function holding the site, where it is given and not to be looked up: see [`UsdtSite::function`].
    pub named: Option<String>,
    /// Where the site is that of a virtual probe: what it is made of, in place of `args`.
    pub recipes: Option<Arc<Recipes>>,
    /// Of a virtual probe: where its function begins in the file.
    pub entry: u64,
}

impl UsdtSite {
    /// The function holding the site (`probefunc`), empty when no symbol covers it. A file's symbols are read for it:
    /// to be asked only of sites that a description means.
    pub fn function(&self, elf: &Elf) -> String {
        let found = || elf.function_at(self.vaddr).map(|f| f.name).unwrap_or_default();
        self.named.clone().unwrap_or_else(found)
    }

    /// The arguments of this site, each usable or refused for itself.
    pub fn operands(&self, elf: &Elf) -> Vec<Result<ArgOperand, ArgError>> {
        usdt_args::split(&self.args)
            .into_iter()
            .map(|a| usdt_args::parse(elf.machine(), a, &|s| elf.symbol_vaddr(s)))
            .collect()
    }
}

const SECTION: &str = ".note.stapsdt";
const NT_STAPSDT: u32 = 3;

/// Could the file have probes? Looks at section names only.
pub fn has_notes(elf: &Elf) -> bool {
    elf.section(SECTION).is_some()
}

/// Every site of a file, in the order of the notes. No notes: an empty list.
pub fn sites(elf: &Elf) -> Result<Vec<UsdtSite>, ElfError> {
    let Some(section) = elf.section(SECTION) else {
        return Ok(Vec::new());
    };
    let data = elf.section_data(section).ok_or_else(|| ElfError::Malformed {
        path: elf.path().to_owned(),
        what: "the notes are outside the file",
    })?;
    let base = elf.section(".stapsdt.base").map(|s| s.vaddr);
    Ok(notes(&data)
        .filter(|n| n.kind == NT_STAPSDT && n.owner == b"stapsdt")
        .filter_map(|n| site(elf, n.desc, base))
        .collect())
}

/// One note; `None` when it is malformed or points outside the file.
fn site(elf: &Elf, desc: &[u8], base: Option<u64>) -> Option<UsdtSite> {
    let (pc, noted_base, semaphore) = (u64_at(desc, 0)?, u64_at(desc, 8)?, u64_at(desc, 16)?);
    // Prelink and similar tools move sections without touching the notes: the base section tells how far.
    let moved = match base {
        Some(base) if noted_base != 0 => base.wrapping_sub(noted_base),
        _ => 0,
    };
    let text = |at: usize| {
        let s = cstr_at(desc, at)?;
        Some((String::from_utf8_lossy(s).into_owned(), at.checked_add(s.len())?.checked_add(1)?))
    };
    let (provider, at) = text(24)?;
    let (name, at) = text(at)?;
    // Old headers left the arguments out altogether.
    let args = text(at).map(|(args, _)| args).unwrap_or_default();
    let vaddr = pc.wrapping_add(moved);
    let offset = elf.vaddr_to_offset(vaddr)?;
    let semaphore = match semaphore {
        0 => None,
        s => {
            let vaddr = s.wrapping_add(moved);
            Some(Semaphore { vaddr, offset: elf.vaddr_to_offset(vaddr)? })
        }
    };
    Some(UsdtSite {
        provider,
        name: name.replace("__", "-"),
        vaddr,
        offset,
        semaphore,
        args,
        named: None,
        recipes: None,
        entry: 0,
    })
}
