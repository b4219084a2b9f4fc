//! Finding one function or type of the kernel by name, without loading its BTF as a whole.
//!
//! A walk over `/sys/kernel/btf/vmlinux` that compares names and keeps nothing. Only called when
//! a script or a feature needs a kernel function's id; a start without that never opens the file.

use super::Error;

const PATH: &str = "/sys/kernel/btf/vmlinux";

/// What kind of thing a name stands for (the numbers are BTF's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BtfKind {
    /// A struct.
    Struct = 4,
    /// A typedef, for instance `btf_trace_NAME` of a tracepoint.
    Typedef = 8,
    /// A function: fentry targets and kfuncs.
    Func = 12,
}

/// The ids of several names in one walk, each `None` when the kernel has no such thing.
pub fn find(kind: BtfKind, names: &[&str]) -> Result<Vec<Option<u32>>, Error> {
    let blob = std::fs::read(PATH).map_err(|error| {
        Error::io(format!("read {PATH}"), &error).hint("the kernel was built without CONFIG_DEBUG_INFO_BTF")
    })?;
    walk(&blob, kind, names).ok_or_else(|| Error::other(format!("read {PATH}"), "malformed BTF"))
}

fn word(blob: &[u8], at: usize) -> Option<u32> {
    blob.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}

/// Bytes that follow a type's three words, by kind and number of members (`linux/btf.h`).
fn tail(kind: u32, members: usize) -> Option<usize> {
    Some(match kind {
        1 => 4,
        2 | 7..=12 | 16 | 18 => 0,
        3 => 12,
        4 | 5 => 12 * members,
        6 => 8 * members,
        13 => 8 * members,
        14 | 17 => 4,
        15 | 19 => 12 * members,
        _ => return None,
    })
}

fn walk(blob: &[u8], kind: BtfKind, names: &[&str]) -> Option<Vec<Option<u32>>> {
    let header = word(blob, 4)? as usize;
    let (type_off, type_len) = (word(blob, 8)? as usize, word(blob, 12)? as usize);
    let (str_off, str_len) = (word(blob, 16)? as usize, word(blob, 20)? as usize);
    let section = |off: usize, len: usize| {
        let start = header.checked_add(off)?;
        blob.get(start..start.checked_add(len)?)
    };
    let (types, strings) = (section(type_off, type_len)?, section(str_off, str_len)?);
    let mut found = vec![None; names.len()];
    let (mut at, mut id, mut missing) = (0usize, 0u32, names.len());
    while at < types.len() && missing > 0 {
        id += 1;
        let info = word(types, at + 4)?;
        let this = info >> 24 & 0x1f;
        if this == kind as u32 {
            let text = strings.get(word(types, at)? as usize..)?;
            let is = |name: &str| {
                text.get(..name.len()) == Some(name.as_bytes()) && text.get(name.len()) == Some(&0)
            };
            for (slot, name) in found.iter_mut().zip(names) {
                if slot.is_none() && is(name) {
                    *slot = Some(id);
                    missing -= 1;
                }
            }
        }
        at += 12 + tail(this, (info & 0xffff) as usize)?;
    }
    Some(found)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn broken_input_is_refused() {
        assert_eq!(walk(&[], BtfKind::Func, &["x"]), None);
        assert_eq!(walk(&[0xff; 64], BtfKind::Func, &["x"]), None);
    }

    #[test]
    fn the_running_kernel_has_the_usual_names() {
        match find(BtfKind::Struct, &["task_struct", "no_such_struct"]) {
            Ok(ids) => {
                assert!(ids[0].is_some());
                assert_eq!(ids[1], None);
            }
            Err(error) => eprintln!("SKIP: {error}"),
        }
    }
}
