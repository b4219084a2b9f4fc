//! The pid namespace that we are in.

use crate::codegen::namespace::Namespace;
use std::os::unix::fs::MetadataExt;

/// The inode of the initial one (PROC_PID_INIT_INO of linux/proc_ns.h).
const INITIAL: u64 = 0xefff_fffc;

/// The namespace whose numbers we know processes by; `None` where these are those of the whole system.
pub fn own() -> Option<Namespace> {
    let namespace = std::fs::metadata("/proc/self/ns/pid").ok().filter(|file| file.ino() != INITIAL)?;
    let (major, minor) = (libc::major(namespace.dev()), libc::minor(namespace.dev()));
    Some(Namespace {
        dev: u64::from(major) << 20 | u64::from(minor),
        ino: u32::try_from(namespace.ino()).ok()?,
    })
}
