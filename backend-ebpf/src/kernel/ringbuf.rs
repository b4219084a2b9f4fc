//! The consumer of the BPF ring buffer.
//!
//! One page with the consumer's position (ours), one with the producers', then the data twice in
//! a row so that a record never wraps (kernel/bpf/ringbuf.c). Each record has a header of eight bytes: its length
//! with two flags, and a page number. A record whose busy flag is set is still being written; those after it wait.

use super::region::Region;
use super::{Error, Map, MapKind, sys};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;

const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
const HEADER: usize = 8;

/// The consuming end of a ring buffer map. There must be only one for a map.
#[derive(Debug)]
pub struct RingBuffer {
    consumer: Region,
    producer: Region,
    data_offset: usize,
    size: usize,
    position: u64,
    map: std::os::fd::OwnedFd,
}

impl RingBuffer {
    /// Maps the buffer of a `Ringbuf` map.
    pub fn new(map: &Map) -> Result<RingBuffer, Error> {
        let spec = map.spec();
        if spec.kind != MapKind::Ringbuf {
            return Err(Error::other(format!("ring buffer {}", spec.name), "not a ring buffer map"));
        }
        let (page, size) = (sys::page_size(), spec.max_entries as usize);
        let consumer = Region::map(map.as_fd(), 0, page, true, &spec.name)?;
        let producer = Region::map(map.as_fd(), page, page + 2 * size, false, &spec.name)?;
        let position = consumer.load(0, Ordering::Acquire).unwrap_or(0);
        let map = map.as_fd().try_clone_to_owned().map_err(|error| Error::io("dup", &error))?;
        Ok(RingBuffer { consumer, producer, data_offset: page, size, position, map })
    }

    /// Bytes of data the buffer holds.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes that wait now, headers and unfinished records included.
    pub fn pending(&self) -> u64 {
        self.producer_position().saturating_sub(self.position)
    }

    fn producer_position(&self) -> u64 {
        self.producer.load(0, Ordering::Acquire).unwrap_or(self.position)
    }

    /// Hands every finished record to `record`, oldest first, and returns their number.
    ///
    /// Stops at the first unfinished record and at what had been reserved when the call
    /// began, so that a busy producer cannot keep it from returning. A record's bytes are 8-byte aligned.
    pub fn drain(&mut self, mut record: impl FnMut(&[u8])) -> usize {
        let end = self.producer_position();
        let mut count = 0;
        while self.position < end {
            let at = (self.position as usize & (self.size - 1)) + self.data_offset;
            // Acquire: the producer's writes to the record come before it clears the busy flag.
            let Some(header) = self.producer.load_u32(at, Ordering::Acquire) else { break };
            if header & BUSY != 0 {
                break;
            }
            let len = (header & !DISCARDED) as usize;
            let step = (len + HEADER).next_multiple_of(8) as u64;
            if header & DISCARDED == 0 {
                // SAFETY: the record is finished, and producers do not reuse its space before the consumer's position has passed it,
                // which happens below, after the slice's last use.
                match unsafe { self.producer.stable_bytes(at + HEADER, len) } {
                    Some(bytes) => record(bytes),
                    None => break,
                }
                count += 1;
            }
            self.position += step;
            // Release: our reads of the record come before the producers see its space free.
            if self.consumer.store(0, self.position, Ordering::Release).is_none() {
                break;
            }
        }
        count
    }
}

impl AsFd for RingBuffer {
    /// Readable (`poll`, `epoll`) when a record was submitted with a wake-up.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}
