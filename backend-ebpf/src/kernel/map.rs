//! Maps: created by kind, read and written with lengths checked, closed when dropped.
//!
//! `libbpf_rs::MapHandle` owns them. Its first creation costs two probe programs of libbpf's own (memory
//! accounting, names), under 0.1 ms together. Values are moved here as one flat buffer, also those of per-CPU
//! maps, and read in batches without an allocation per entry: what `MapCore` does not offer.

use super::bpf::{self, Batch, Sizes};
use super::region::Region;
use super::{Error, btf_blob, cpus, error, sys};
use libbpf_rs::{MapCore, MapHandle, MapType};
use libbpf_sys as raw;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// The kinds of map that the backend uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MapKind {
    /// Values by index, zero at first, addressable directly by programs.
    Array,
    /// An array that user space can map into its memory (`MappedArray`).
    MmapArray,
    /// One array for each CPU.
    PercpuArray,
    /// A hash table with all entries allocated beforehand.
    Hash,
    /// A hash table with a value for each CPU.
    PercpuHash,
    /// A hash table that forgets its least used entries when full.
    LruHash,
    /// Records for user space; `max_entries` is the size in bytes, a power of two of whole pages.
    Ringbuf,
    /// A value for each thread, made on demand; no `max_entries`.
    TaskStorage,
    /// Stacks by id; the value is `8 * depth` bytes.
    StackTrace,
    /// Programs, for tail calls.
    ProgArray,
}

impl MapKind {
    fn map_type(self) -> MapType {
        match self {
            MapKind::Array | MapKind::MmapArray => MapType::Array,
            MapKind::PercpuArray => MapType::PercpuArray,
            MapKind::Hash => MapType::Hash,
            MapKind::PercpuHash => MapType::PercpuHash,
            MapKind::LruHash => MapType::LruHash,
            MapKind::Ringbuf => MapType::RingBuf,
            MapKind::TaskStorage => MapType::TaskStorage,
            MapKind::StackTrace => MapType::StackTrace,
            MapKind::ProgArray => MapType::ProgArray,
        }
    }

    fn flags(self) -> u32 {
        match self {
            MapKind::MmapArray => raw::BPF_F_MMAPABLE,
            MapKind::TaskStorage => raw::BPF_F_NO_PREALLOC,
            _ => 0,
        }
    }

    /// Does user space see one value for each possible CPU?
    pub fn is_percpu(self) -> bool {
        matches!(self, MapKind::PercpuArray | MapKind::PercpuHash)
    }
}

/// What a map shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Its kind.
    pub kind: MapKind,
    /// A name for `bpftool`; the kernel keeps 15 characters.
    pub name: String,
    /// Bytes of a key (arrays, stacks, storage: 4; ring buffers: 0).
    pub key_size: u32,
    /// Bytes of a value on one CPU.
    pub value_size: u32,
    /// Entries, or bytes of a ring buffer.
    pub max_entries: u32,
}

impl MapSpec {
    /// An array-like map: keys are 32-bit indexes.
    pub fn array(kind: MapKind, name: &str, value_size: u32, entries: u32) -> MapSpec {
        MapSpec { kind, name: name.to_string(), key_size: 4, value_size, max_entries: entries }
    }

    /// A hash table.
    pub fn hash(kind: MapKind, name: &str, key_size: u32, value_size: u32, entries: u32) -> MapSpec {
        MapSpec { kind, name: name.to_string(), key_size, value_size, max_entries: entries }
    }

    /// A ring buffer of at least `bytes`: rounded up to a power of two of at least a page.
    pub fn ringbuf(name: &str, bytes: u32) -> MapSpec {
        let bytes = bytes.clamp(sys::page_size() as u32, 1 << 31).next_power_of_two();
        MapSpec {
            kind: MapKind::Ringbuf,
            name: name.to_string(),
            key_size: 0,
            value_size: 0,
            max_entries: bytes,
        }
    }

    /// Storage of `value_size` bytes in each thread.
    pub fn task_storage(name: &str, value_size: u32) -> MapSpec {
        MapSpec {
            kind: MapKind::TaskStorage,
            name: name.to_string(),
            key_size: 4,
            value_size,
            max_entries: 0,
        }
    }
}

/// The 15 characters of a name that the kernel keeps; others than letters, digits, `_` and `.` become `_`.
pub(super) fn object_name(name: &str) -> [u8; 16] {
    let mut out = [0u8; 16];
    for (to, from) in out.iter_mut().take(15).zip(name.bytes()) {
        *to = if from.is_ascii_alphanumeric() || from == b'_' || from == b'.' { from } else { b'_' };
    }
    out
}

/// A map. Dropping it closes the descriptor; the kernel keeps the map while a program uses it.
#[derive(Debug)]
pub struct Map {
    handle: MapHandle,
    spec: MapSpec,
    sizes: Sizes,
}

impl Map {
    /// Creates a map.
    pub fn create(spec: MapSpec) -> Result<Map, Error> {
        let call = || format!("bpf(BPF_MAP_CREATE, {:?} {})", spec.kind, spec.name);
        let mut options = raw::bpf_map_create_opts {
            sz: size_of::<raw::bpf_map_create_opts>() as _,
            map_flags: spec.kind.flags(),
            ..Default::default()
        };
        // The kernel wants to know the value's type, and copies what it needs of it.
        let types = match spec.kind {
            MapKind::TaskStorage => Some(btf_blob::map_types(spec.value_size)?),
            _ => None,
        };
        if let Some(types) = &types {
            options.btf_fd = types.fd.as_raw_fd() as u32;
            options.btf_key_type_id = types.key;
            options.btf_value_type_id = types.value;
        }
        let name = object_name(&spec.name);
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let handle = MapHandle::create(
            spec.kind.map_type(),
            Some(OsStr::from_bytes(name)),
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            &options,
        )
        .map_err(|error| {
            let error = error::from_libbpf(call(), &error);
            match error.errno {
                libc::ENOMEM => error.hint(format!(
                    "{} entries of {}+{} bytes do not fit in kernel memory",
                    spec.max_entries, spec.key_size, spec.value_size
                )),
                _ => error.with_privileges(),
            }
        })?;
        let value = if spec.kind.is_percpu() {
            (spec.value_size as usize).next_multiple_of(8) * cpus::possible()?.len()
        } else {
            spec.value_size as usize
        };
        let sizes = Sizes { key: spec.key_size as usize, value };
        Ok(Map { handle, spec, sizes })
    }

    /// What the map was created as.
    pub fn spec(&self) -> &MapSpec {
        &self.spec
    }

    /// The descriptor's number, as instructions name it.
    pub fn raw_fd(&self) -> i32 {
        self.handle.as_fd().as_raw_fd()
    }

    /// Bytes of a value as user space sees it: per-CPU maps have one part, rounded up to 8 bytes, for each possible CPU.
    pub fn value_len(&self) -> usize {
        self.sizes.value
    }

    /// Reads a value into `value` (exactly [`Map::value_len`] bytes); `false` when there is no such key.
    pub fn lookup_into(&self, key: &[u8], value: &mut [u8]) -> Result<bool, Error> {
        bpf::lookup(self.handle.as_fd(), self.sizes, key, value)
    }

    /// Reads a value.
    pub fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut value = vec![0; self.sizes.value];
        Ok(self.lookup_into(key, &mut value)?.then_some(value))
    }

    /// Writes a value, whether or not the key exists.
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        bpf::update(self.handle.as_fd(), self.sizes, key, value, 0)
    }

    /// Deletes a key; `false` when it was not there.
    pub fn delete(&self, key: &[u8]) -> Result<bool, Error> {
        match self.handle.delete(key) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == libbpf_rs::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error::from_libbpf("bpf(BPF_MAP_DELETE_ELEM)", &error)),
        }
    }

    /// All keys, one system call each ([`Map::for_each`] is the fast way to read a map).
    pub fn keys(&self) -> impl Iterator<Item = Vec<u8>> {
        self.handle.keys()
    }

    /// The map as libbpf-rs knows it.
    pub fn handle(&self) -> &MapHandle {
        &self.handle
    }

    /// Calls `entry` with every key and value, read in large steps; deletes them too if asked.
    /// An entry that programs insert or delete meanwhile may be missed, none comes twice. Returns how many there were.
    ///
    /// Deleting needs a hash map.
    pub fn for_each(&self, delete: bool, mut entry: impl FnMut(&[u8], &[u8])) -> Result<usize, Error> {
        let Sizes { key: key_len, value: value_len } = self.sizes;
        let mut room = (self.spec.max_entries as usize).clamp(1, 65_536);
        // Per-CPU values can be large; keep a step under 32 MiB.
        room = room.min((32 << 20) / (key_len + value_len).max(1)).max(1);
        let mut keys = vec![0; room * key_len];
        let mut values = vec![0; room * value_len];
        let mut mark: Option<Vec<u8>> = None;
        let mut total = 0;
        loop {
            let batch = Batch { after: mark.as_mut(), keys: &mut keys, values: &mut values, delete };
            let (count, next, last) = match bpf::lookup_batch(self.handle.as_fd(), self.sizes, batch) {
                // One hash bucket holds more than the buffers: nothing was taken, so retry with larger ones.
                Err(error) if error.errno == libc::ENOSPC && room < 1 << 24 => {
                    room *= 2;
                    keys.resize(room * key_len, 0);
                    values.resize(room * value_len, 0);
                    continue;
                }
                result => result?,
            };
            let pairs = keys.chunks_exact(key_len.max(1)).zip(values.chunks_exact(value_len.max(1)));
            for (key, value) in pairs.take(count) {
                entry(key, value);
            }
            total += count;
            if last {
                return Ok(total);
            }
            mark = Some(next);
        }
    }

    /// Forbids user space to change the map from now on.
    pub fn freeze(&self) -> Result<(), Error> {
        self.handle.freeze().map_err(|error| error::from_libbpf("bpf(BPF_MAP_FREEZE)", &error))
    }

    /// Puts a program into a `ProgArray`.
    pub fn set_program(&self, index: u32, prog: BorrowedFd<'_>) -> Result<(), Error> {
        self.update(&index.to_ne_bytes(), &prog.as_raw_fd().to_ne_bytes())
    }

    /// Maps a `MmapArray` into memory.
    pub fn mmap(&self) -> Result<MappedArray, Error> {
        let stride = (self.spec.value_size as usize).next_multiple_of(8);
        let len = stride.saturating_mul(self.spec.max_entries as usize);
        let region = Region::map(
            self.handle.as_fd(),
            0,
            len.next_multiple_of(sys::page_size()),
            true,
            &self.spec.name,
        )?;
        Ok(MappedArray { region, stride, len })
    }

    /// A handle of an array that can be mapped in parts.
    pub fn parts(&self) -> Result<ArrayParts, Error> {
        let stride = (self.spec.value_size as usize).next_multiple_of(8);
        let len = stride.saturating_mul(self.spec.max_entries as usize);
        let name = self.spec.name.clone();
        let fd = self.as_fd().try_clone_to_owned();
        let fd = fd.map_err(|error| Error::io(format!("dup({name})"), &error))?;
        Ok(ArrayParts { fd, name, stride, len })
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// An array map of which only what is looked at is in this process's memory: all that is mapped counts as its own,
/// whether it was touched or not.
#[derive(Debug)]
pub struct ArrayParts {
    fd: OwnedFd,
    name: String,
    stride: usize,
    len: usize,
}

impl ArrayParts {
    /// Bytes from one value to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Maps `len` bytes from a byte offset on, or as many as there are.
    pub fn map(&self, offset: usize, len: usize) -> Result<ArrayPart, Error> {
        let page = sys::page_size();
        let start = offset / page * page;
        let end = offset.saturating_add(len).min(self.len).next_multiple_of(page);
        let region = Region::map(self.fd.as_fd(), start, end.saturating_sub(start), true, &self.name)?;
        Ok(ArrayPart { region, skip: offset - start })
    }
}

/// A part of an array map.
#[derive(Debug)]
pub struct ArrayPart {
    region: Region,
    /// The part begins so many bytes behind the start of the first page.
    skip: usize,
}

impl ArrayPart {
    /// The `u64` at a byte offset in the part; `None` out of bounds or unaligned.
    pub fn load(&self, offset: usize) -> Option<u64> {
        self.region.load(self.skip.checked_add(offset)?, std::sync::atomic::Ordering::Relaxed)
    }

    /// Stores a `u64`; `None` as for [`Self::load`]. Programs see it before anything stored later.
    pub fn store(&self, offset: usize, value: u64) -> Option<()> {
        self.region.store(self.skip.checked_add(offset)?, value, std::sync::atomic::Ordering::SeqCst)
    }

    /// Sets bytes to zero; `None` out of bounds.
    pub fn zero(&self, offset: usize, len: usize) -> Option<()> {
        self.region.zero(self.skip.checked_add(offset)?, len)
    }
}

/// An array map in this process's memory, shared with the programs that write it.
#[derive(Debug)]
pub struct MappedArray {
    region: Region,
    stride: usize,
    len: usize,
}

impl MappedArray {
    /// Bytes from one value to the next: the value size rounded up to 8.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Bytes of all values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Has the array no bytes?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The memory, for atomic words and copies at byte offsets.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The `u64` at a byte offset (`index * stride + field`); `None` out of bounds or unaligned.
    pub fn load(&self, offset: usize) -> Option<u64> {
        self.region.load(offset, std::sync::atomic::Ordering::Relaxed)
    }

    /// Stores a `u64` at a byte offset; programs see it before anything stored later.
    pub fn store(&self, offset: usize, value: u64) -> Option<()> {
        self.region.store(offset, value, std::sync::atomic::Ordering::SeqCst)
    }
}
