//! Processes that pass by: what they map, taken down by the kernel, so that their addresses have names when they are gone.
//!
//! A process may live for less time than it takes to look at its /proc/PID/maps. The kernel tells of each executable
//! mapping, fork and exec; that is enough to name the addresses of its code.

use super::maps::{Mapping, Object};
use crate::kernel::perf_mmap::{Happening, What};
use crate::symbols::elf::FileId;
use std::collections::HashMap;
use std::rc::Rc;

/// Processes that are kept at most; beyond that the older half goes.
const MOST: usize = 4096;

/// What is known of the processes that began while we watched.
#[derive(Debug, Default)]
pub struct Passing {
    spaces: HashMap<u32, Seen>,
    /// Counts processes, to know which are older.
    began: u64,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    began: u64,
    /// Shared with forked children until one of them maps more.
    objects: Rc<Vec<Object>>,
    /// The process, older than our watch, that it was forked from: all of what that one has mapped, it has too.
    parent: Option<u32>,
}

impl Passing {
    /// Takes down what the kernel tells.
    pub fn note(&mut self, happening: Happening) {
        let Happening { pid, tid, what, .. } = happening;
        match what {
            What::Exec { .. } if pid == tid => self.begin(pid, Rc::default(), None),
            What::Fork { parent } if pid == tid && parent != pid => {
                let known = self.spaces.get(&parent).map(|seen| (Rc::clone(&seen.objects), seen.parent));
                let (objects, parent) = known.unwrap_or_else(|| (Rc::default(), Some(parent)));
                self.begin(pid, objects, parent);
            }
            What::Map { start, len, file_offset, major, minor, inode, path } if inode != 0 => {
                let id = FileId { dev: libc::makedev(major, minor), ino: inode };
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let end = start.saturating_add(len);
                let mapping = Mapping {
                    start,
                    end,
                    offset: file_offset,
                    exec: true,
                    id,
                    path: path.clone(),
                    deleted: false,
                };
                // Of one that ran before, this is what came since.
                if !self.spaces.contains_key(&pid) {
                    self.begin(pid, Rc::default(), None);
                }
                let Some(seen) = self.spaces.get_mut(&pid) else { return };
                let objects = Rc::make_mut(&mut seen.objects);
                match objects.iter_mut().find(|object| object.id == id && object.path == path) {
                    Some(object) => object.mappings.push(mapping),
                    None => objects.push(Object {
                        id,
                        path,
                        name,
                        is_exe: objects.is_empty(),
                        deleted: false,
                        mappings: vec![mapping],
                    }),
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, pid: u32, objects: Rc<Vec<Object>>, parent: Option<u32>) {
        self.began += 1;
        if self.spaces.len() >= MOST {
            let limit = self.began.saturating_sub(MOST as u64 / 2);
            self.spaces.retain(|_, seen| seen.began > limit);
        }
        self.spaces.insert(pid, Seen { began: self.began, objects, parent });
    }

    /// The process, older than the watch, whose objects this one has as well.
    pub fn parent(&self, pid: i32) -> Option<i32> {
        self.spaces.get(&pid.cast_unsigned())?.parent.map(u32::cast_signed)
    }

    /// The objects of a process, as far as it was seen.
    pub fn objects(&self, pid: i32) -> Option<&[Object]> {
        self.spaces
            .get(&pid.cast_unsigned())
            .map(|seen| seen.objects.as_slice())
            .filter(|objects| !objects.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn happens(pid: u32, what: What) -> Happening {
        Happening { time: 0, pid, tid: pid, what }
    }

    fn map(start: u64, inode: u64) -> What {
        let path = PathBuf::from(format!("/lib/{inode}.so"));
        What::Map { start, len: 0x1000, file_offset: 0, major: 8, minor: 1, inode, path }
    }

    #[test]
    fn exec_map_fork() {
        let mut passing = Passing::default();
        assert_eq!(passing.objects(7), None);
        passing.note(happens(7, map(0x1000, 4)));
        assert_eq!(passing.objects(7).map(<[Object]>::len), Some(1));
        passing.note(happens(7, What::Exec { comm: b"x".to_vec() }));
        passing.note(happens(7, map(0x1000, 5)));
        passing.note(happens(8, What::Fork { parent: 7 }));
        passing.note(happens(8, map(0x9000, 6)));
        passing.note(happens(7, What::Exec { comm: b"y".to_vec() }));
        assert_eq!(passing.objects(7), None);
        let names: Vec<&str> =
            passing.objects(8).unwrap().iter().map(|object| object.name.as_str()).collect();
        assert_eq!(names, ["5.so", "6.so"]);
        assert!(passing.objects(8).unwrap()[0].is_exe);
    }

    #[test]
    fn children_of_an_older_process() {
        let mut passing = Passing::default();
        passing.note(happens(8, What::Fork { parent: 7 }));
        passing.note(happens(8, map(0x9000, 6)));
        passing.note(happens(9, What::Fork { parent: 8 }));
        assert_eq!((passing.parent(7), passing.parent(8), passing.parent(9)), (None, Some(7), Some(7)));
        assert_eq!(passing.objects(9).map(<[Object]>::len), Some(1));
        passing.note(happens(9, What::Exec { comm: b"x".to_vec() }));
        assert_eq!((passing.parent(9), passing.objects(9)), (None, None));
    }

    #[test]
    fn many() {
        let mut passing = Passing::default();
        for pid in 1..20_000 {
            passing.note(happens(pid, What::Exec { comm: Vec::new() }));
            passing.note(happens(pid, map(0x1000, 5)));
        }
        assert!(passing.spaces.len() <= MOST && passing.objects(19_999).is_some());
    }
}
