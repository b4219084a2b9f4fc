//! The consumer of the BPF ring buffer.
//!
//! One page with the consumer's position (ours), one with the producers', then the data twice in
//! a row so that a record never wraps (kernel/bpf/ringbuf.c). Each record has a header of eight bytes: its length
//! with two flags, and a page number. A record whose busy flag is set is still being written; those after it wait.
//!
//! The data is mapped only once: every mapped page counts as resident, and a record that wraps is
//! rare enough to be joined in a copy.

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
    /// A record that wrapped, joined.
    joined: Vec<u8>,
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
        let producer = Region::map(map.as_fd(), page, page + size, false, &spec.name)?;
        let position = consumer.load(0, Ordering::Acquire).unwrap_or(0);
        let map = map.as_fd().try_clone_to_owned().map_err(|error| Error::io("dup", &error))?;
        Ok(RingBuffer { consumer, producer, data_offset: page, size, position, joined: Vec::new(), map })
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
    /// began, so that a busy producer cannot keep it from returning.
    pub fn drain(&mut self, mut record: impl FnMut(&[u8])) -> usize {
        let end = self.producer_position();
        let (mut count, mut published) = (0, self.position);
        while self.position < end {
            let from = self.position as usize & (self.size - 1);
            // Acquire: the producer's writes to the record come before it clears the busy flag.
            let Some(header) = self.producer.load_u32(self.data_offset + from, Ordering::Acquire) else {
                break;
            };
            if header & BUSY != 0 {
                break;
            }
            let len = (header & !DISCARDED) as usize;
            let step = (len + HEADER).next_multiple_of(8) as u64;
            if step > self.size as u64 {
                break;
            }
            if header & DISCARDED == 0 {
                // A header never wraps: positions are multiples of its size.
                let start = (from + HEADER) & (self.size - 1);
                let first = len.min(self.size - start);
                // SAFETY: the record is finished, and producers do not reuse its space before the consumer's
                // position has passed it, which is published below, after the slices' last use.
                let parts = unsafe {
                    (
                        self.producer.stable_bytes(self.data_offset + start, first),
                        self.producer.stable_bytes(self.data_offset, len - first),
                    )
                };
                let (Some(head), Some(tail)) = parts else { break };
                if tail.is_empty() {
                    record(head);
                } else {
                    self.joined.clear();
                    self.joined.extend_from_slice(head);
                    self.joined.extend_from_slice(tail);
                    record(&self.joined);
                }
                count += 1;
            }
            self.position += step;
            // Not for each record: the page is one that every producer reads.
            if self.position - published > self.size as u64 / 16 {
                published = self.position;
                self.publish();
            }
        }
        self.publish();
        count
    }

    /// Tells the producers how far we are.
    fn publish(&self) {
        // Release: our reads of the records come before the producers see their space free.
        let _ = self.consumer.store(0, self.position, Ordering::Release);
    }
}

impl AsFd for RingBuffer {
    /// Readable (`poll`, `epoll`) when a record was submitted with a wake-up.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}
