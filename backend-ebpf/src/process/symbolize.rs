//! Names of addresses: (pid, address) to module, function and offset.
//!
//! Stacks are printed after the fact, when the process may be gone: [`Symbolizer::remember`] keeps its mappings.

use super::kallsyms::{Kallsyms, KernelSymbol};
use super::maps::{self, Object};
use super::passing::Passing;
use crate::kernel::perf_mmap::Happening;
use crate::symbols::code::{self, SiteKind};
use crate::symbols::demangle::demangle;
use crate::symbols::elf::{Elf, FileId};
use crate::symbols::perf_map::PerfMap;
use std::collections::HashMap;
use std::sync::Arc;

/// A user address with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSymbol {
    /// Last part of the file's path; empty for code that the process made while running.
    pub module: String,
    /// `None` when no symbol covers the address.
    pub function: Option<String>,
    /// From the function's start, or, without one, the file's virtual address.
    pub offset: u64,
}

#[derive(Debug)]
struct Space {
    start_time: u64,
    objects: Vec<Object>,
    /// Names of code that the process made itself; read when the first address needs it.
    made: Option<PerfMap>,
}

/// Names addresses, with caches per file and per process.
#[derive(Debug, Default)]
pub struct Symbolizer {
    spaces: HashMap<i32, Space>,
    files: HashMap<FileId, Option<Arc<Elf>>>,
    /// Of processes whose mappings are not known: they have ended.
    made: HashMap<i32, PerfMap>,
    kernel: Option<Kallsyms>,
    /// Processes that were seen by the kernel only.
    passing: Passing,
}

impl Symbolizer {
    pub fn new() -> Symbolizer {
        Symbolizer::default()
    }

    /// Takes down the mappings of a process while it lives and opens its files; what is known of one that is
    /// gone is kept. Cheap enough for every process that a probe sees for the first time.
    pub fn remember(&mut self, pid: i32) {
        let Some(process) = super::read(pid) else { return };
        // A process that is ending has no mappings any more: keep the older ones.
        let Ok(objects) = maps::objects(pid) else { return };
        if objects.is_empty() {
            return;
        }
        for o in &objects {
            self.files.entry(o.id).or_insert_with(|| o.open(pid).ok().map(Arc::new));
        }
        let same = |space: &Space| space.start_time == process.start_time;
        let made = self.spaces.remove(&pid).filter(same).and_then(|space| space.made);
        self.spaces.insert(pid, Space { start_time: process.start_time, objects, made });
    }

    /// Takes down what a process did that may be gone before anybody looks.
    pub fn note(&mut self, happening: Happening) {
        self.passing.note(happening);
    }

    /// Adds what the kernel told of a process.
    fn adopt(&mut self, pid: i32) {
        let mut objects = self.passing.objects(pid).map(<[Object]>::to_vec).unwrap_or_default();
        if let Some(parent) = self.passing.parent(pid) {
            if !self.knows(parent) {
                self.remember(parent);
            }
            objects.extend(self.spaces.get(&parent).iter().flat_map(|space| space.objects.iter().cloned()));
        }
        if objects.is_empty() {
            return;
        }
        for o in &objects {
            // Another file of that name is not the one that was mapped.
            let open = || Elf::open(&o.path).ok().filter(|elf| elf.id().is_some_and(|id| id.ino == o.id.ino));
            self.files.entry(o.id).or_insert_with(|| open().map(Arc::new));
        }
        let space = || Space { start_time: 0, objects: Vec::new(), made: None };
        let space = self.spaces.entry(pid).or_insert_with(space);
        for object in objects {
            let known = |mapping: &maps::Mapping| {
                space.objects.iter().any(|other| other.mapping_at(mapping.start).is_some())
            };
            if !object.mappings.iter().all(known) {
                space.objects.push(object);
            }
        }
    }

    /// Is anything known of the process?
    pub fn knows(&self, pid: i32) -> bool {
        self.spaces.contains_key(&pid)
    }

    /// Forgets a process, e.g. when nothing more will be printed of it.
    pub fn forget(&mut self, pid: i32) {
        self.spaces.remove(&pid);
    }

    /// The name of a user address; `None` when no file is mapped there.
    pub fn user(&mut self, pid: i32, addr: u64) -> Option<UserSymbol> {
        let found = match self.lookup(pid, addr) {
            Some(found) => Some(found),
            // Not known, or mapped since (dlopen, exec): look again, once per question.
            None => {
                self.remember(pid);
                self.adopt(pid);
                self.lookup(pid, addr)
            }
        };
        match found {
            Some(UserSymbol { function: Some(_), .. }) => found,
            nameless => self.made(pid, addr).or(nameless),
        }
    }

    /// The name of code that the process made itself: it has no module.
    fn made(&mut self, pid: i32, addr: u64) -> Option<UserSymbol> {
        let map = match self.spaces.get_mut(&pid) {
            Some(space) => space.made.get_or_insert_with(|| PerfMap::of(pid)),
            None => self.made.entry(pid).or_insert_with(|| PerfMap::of(pid)),
        };
        if map.find(addr).is_none() && !map.refresh(pid) {
            return None;
        }
        let (name, offset) = map.find(addr)?;
        Some(UserSymbol { module: String::new(), function: Some(name.to_owned()), offset })
    }

    /// The object (path, load bias) at an address, for operands that are relative to it.
    pub fn object(&mut self, pid: i32, addr: u64) -> Option<&Object> {
        if !self.knows(pid) {
            self.remember(pid);
        }
        self.spaces.get(&pid)?.objects.iter().find(|o| o.mapping_at(addr).is_some())
    }

    /// Start time of the process whose mappings are known under a pid.
    pub fn start_time(&self, pid: i32) -> Option<u64> {
        self.spaces.get(&pid).map(|s| s.start_time)
    }

    fn lookup(&self, pid: i32, addr: u64) -> Option<UserSymbol> {
        let space = self.spaces.get(&pid)?;
        let (object, mapping) = space.objects.iter().find_map(|o| Some((o, o.mapping_at(addr)?)))?;
        let module = object.name.clone();
        let elf = self.files.get(&object.id)?.as_ref();
        let file_offset = addr.wrapping_sub(mapping.start).wrapping_add(mapping.offset);
        let Some(vaddr) = elf.and_then(|e| {
            Some(addr.wrapping_sub(e.load_bias(mapping.start, mapping.offset, mapping.exec)?))
        }) else {
            return Some(UserSymbol { module, function: None, offset: file_offset });
        };
        let found = elf.and_then(|e| e.function_at(vaddr));
        Some(match found {
            Some(f) => UserSymbol {
                module,
                // An entry probe stands behind the landing pad that a function may begin with: that is its entry.
                offset: match vaddr.wrapping_sub(f.vaddr) {
                    4 if elf.is_some_and(|e| code::classify(e, f.vaddr) == SiteKind::Endbr64) => 0,
                    offset => offset,
                },
                function: Some(demangle(&f.name).unwrap_or(f.name)),
            },
            None => UserSymbol { module, function: None, offset: vaddr },
        })
    }

    /// The name of a kernel address. /proc/kallsyms is read at the first question.
    pub fn kernel(&mut self, addr: u64) -> Option<KernelSymbol<'_>> {
        self.kernel.get_or_insert_with(Kallsyms::read).find(addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_functions_have_names() {
        let pid = std::process::id().cast_signed();
        let mut s = Symbolizer::new();
        let addr = own_functions_have_names as fn() as usize as u64;
        let symbol = s.user(pid, addr + 1).unwrap();
        assert!(symbol.function.unwrap().contains("own_functions_have_names"));
        assert_eq!(symbol.offset, 1);
        assert_eq!(s.user(pid, 8), None);
    }

    #[test]
    fn a_process_that_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let pid = child.id().cast_signed();
        let mut s = Symbolizer::new();
        // Until the exec the child is a copy of this process.
        let mut addr = 0;
        for _ in 0..500 {
            std::thread::sleep(std::time::Duration::from_millis(10));
            let objects = maps::objects(pid).unwrap();
            let libc = objects.iter().find(|o| o.name.starts_with("libc.so"));
            if let (Some(true), Some(libc)) =
                (objects.first().map(|o| o.name.contains("sleep") || o.name == "coreutils"), libc)
            {
                let elf = libc.open(pid).unwrap();
                addr = libc.load_bias(&elf).unwrap() + elf.functions_named("getppid")[0].vaddr;
                break;
            }
        }
        s.remember(pid);
        child.kill().unwrap();
        child.wait().unwrap();
        s.remember(pid);
        let symbol = s.user(pid, addr + 2).unwrap();
        assert_eq!((symbol.function.as_deref(), symbol.offset), (Some("getppid"), 2));
    }
}
