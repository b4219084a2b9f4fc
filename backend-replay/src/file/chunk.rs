//! Chunks: a header with two checksums, then the payload, compressed or not.

use super::crc::crc32c;
use super::{FileError, MAGIC, Machine, VERSION};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::{Read, Seek, SeekFrom, Write};

/// Bytes of the file's header and of a chunk's.
pub(super) const FILE_HEADER: usize = 32;
pub(super) const CHUNK_HEADER: usize = 24;

/// Largest payload of a chunk, compressed or not: what bounds a reader's memory.
pub(super) const LARGEST: usize = 16 << 20;

/// What a chunk holds.
pub(super) mod kind {
    /// Names and values about the recording.
    pub const META: u8 = 1;
    /// Probes and what is known of their events.
    pub const PROBES: u8 = 2;
    pub const EVENTS: u8 = 3;
    pub const SYMBOLS: u8 = 4;
    pub const LOSSES: u8 = 5;
    /// Where chunks of events are.
    pub const INDEX: u8 = 6;
    /// The recording is whole: number of events, place of the index.
    pub const END: u8 = 7;
    /// The kernel's types and symbols that the script's compiler asked for.
    pub const TYPES: u8 = 8;
}

const CHUNK_MAGIC: [u8; 4] = *b"DTCH";
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Writes the file's header.
pub(super) fn write_header(out: &mut impl Write, machine: Machine) -> std::io::Result<()> {
    let mut header = MAGIC.to_vec();
    header.extend(VERSION.0.to_le_bytes());
    header.extend(VERSION.1.to_le_bytes());
    header.extend([if machine.big_endian { 2 } else { 1 }, machine.pointer, 0, 0]);
    header.extend(machine.wall.to_le_bytes());
    header.extend([0; 4]);
    let crc = crc32c(&header);
    header.extend(crc.to_le_bytes());
    out.write_all(&header)
}

/// Reads the file's header.
pub(super) fn read_header(input: &mut impl Read) -> Result<Machine, FileError> {
    let bad = |what: &str| Err(FileError::Bad(what.to_string()));
    let mut header = [0; FILE_HEADER];
    let got = read_most(input, &mut header)?;
    if got == 0 {
        return bad("the file is empty");
    }
    if header.get(..got.min(8)) != MAGIC.get(..got.min(8)) {
        return bad("not a recording");
    }
    if got < FILE_HEADER {
        return bad("the file ends within its header");
    }
    let [.., a, b, c, d] = header;
    let [_, _, _, _, _, _, _, _, v0, v1, m0, m1, order, pointer, _, _, ..] = header;
    let (major, minor) = (u16::from_le_bytes([v0, v1]), u16::from_le_bytes([m0, m1]));
    if major != VERSION.0 {
        return Err(FileError::Bad(format!(
            "the recording has format {major}.{minor}; this program reads {}.x",
            VERSION.0
        )));
    }
    if crc32c(header.get(..FILE_HEADER - 4).unwrap_or(&[])) != u32::from_le_bytes([a, b, c, d]) {
        return bad("the file's header is damaged");
    }
    if !matches!(order, 1 | 2) || !matches!(pointer, 4 | 8) {
        return bad("the file's header names a machine that does not exist");
    }
    let wall = header.get(16..24).and_then(|wall| wall.try_into().ok()).map_or(0, i64::from_le_bytes);
    Ok(Machine { big_endian: order == 2, pointer, wall })
}

/// Writes a chunk; gives the bytes it takes.
pub(super) fn write(out: &mut impl Write, kind: u8, payload: &[u8]) -> std::io::Result<u64> {
    let packed = compress_to_vec(payload, CompressionLevel::Fastest);
    // Unpacking takes a third of the time that a replay needs: it has to be worth that.
    let worth = packed.len() < payload.len() / 3 * 2;
    let (how, stored) = if worth { (ZSTD, &packed[..]) } else { (PLAIN, payload) };
    let mut header = CHUNK_MAGIC.to_vec();
    header.extend([kind, how, 0, 0]);
    header.extend((stored.len() as u32).to_le_bytes());
    header.extend((payload.len() as u32).to_le_bytes());
    header.extend(crc32c(stored).to_le_bytes());
    let crc = crc32c(&header);
    header.extend(crc.to_le_bytes());
    out.write_all(&header)?;
    out.write_all(stored)?;
    Ok((header.len() + stored.len()) as u64)
}

/// What reading a chunk gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Its kind; the payload is in the buffer.
    Whole(u8),
    /// Its payload is damaged; the next one can be read.
    Damaged(u8),
    /// The file ends here, between chunks.
    End,
    /// The file ends within a chunk: so many bytes of it are there.
    Cut(u64),
}

/// What unpacking works with, kept from chunk to chunk.
pub(super) struct Unpacker {
    stored: Vec<u8>,
    decoder: FrameDecoder,
}

impl Unpacker {
    pub fn new() -> Unpacker {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(LARGEST as u64);
        Unpacker { stored: Vec::new(), decoder }
    }
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").field("stored", &self.stored.len()).finish_non_exhaustive()
    }
}

/// Reads a chunk into `payload`. `position` is where it starts, for messages.
pub(super) fn read(
    input: &mut impl Read,
    position: u64,
    unpacker: &mut Unpacker,
    payload: &mut Vec<u8>,
) -> Result<(Chunk, u64), FileError> {
    let Unpacker { stored, decoder } = unpacker;
    let mut header = [0; CHUNK_HEADER];
    let got = read_most(input, &mut header)?;
    if got == 0 {
        return Ok((Chunk::End, 0));
    }
    if got < CHUNK_HEADER {
        return Ok((Chunk::Cut(got as u64), got as u64));
    }
    let word = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default())
    };
    if header.get(..4) != Some(&CHUNK_MAGIC) || crc32c(header.get(..20).unwrap_or(&[])) != word(20) {
        return Err(FileError::Bad(format!("no chunk where one should begin, at byte {position}")));
    }
    let [_, _, _, _, kind, how, ..] = header;
    let (length, raw, crc) = (word(8) as usize, word(12) as usize, word(16));
    if length > LARGEST || raw > LARGEST {
        return Err(FileError::Bad(format!("the chunk at byte {position} is too large")));
    }
    stored.resize(length, 0);
    let got = read_most(input, stored)?;
    let taken = (CHUNK_HEADER + got) as u64;
    if got < length {
        return Ok((Chunk::Cut(taken), taken));
    }
    payload.clear();
    if crc32c(stored) != crc {
        return Ok((Chunk::Damaged(kind), taken));
    }
    let fine = match how {
        PLAIN => {
            std::mem::swap(stored, payload);
            payload.len() == raw
        }
        ZSTD => {
            match StreamingDecoder::new_with_decoder(&stored[..], decoder) {
                Ok(mut decoder) => {
                    payload.reserve(raw + 1);
                    // One byte more than there should be shows a payload that is longer.
                    let read = decoder.by_ref().take(raw as u64 + 1).read_to_end(payload);
                    read.is_ok() && payload.len() == raw
                }
                Err(_) => false,
            }
        }
        _ => {
            return Err(FileError::Bad(format!("the chunk at byte {position} is packed in an unknown way")));
        }
    };
    Ok((if fine { Chunk::Whole(kind) } else { Chunk::Damaged(kind) }, taken))
}

/// Reads until the buffer is full or the input ends.
fn read_most(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// Passes over a chunk if it is whole and of this kind; gives its bytes.
pub(super) fn pass_over<R: Read + Seek>(input: &mut R, kind: u8) -> std::io::Result<Option<u64>> {
    let start = input.stream_position()?;
    let mut header = [0; CHUNK_HEADER];
    let got = read_most(input, &mut header)?;
    let [_, _, _, _, found, _, _, _, a, b, c, d, ..] = header;
    let [.., e, f, g, h] = header;
    let sound = header.get(..4) == Some(&CHUNK_MAGIC)
        && crc32c(header.get(..20).unwrap_or(&[])) == u32::from_le_bytes([e, f, g, h]);
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if got == CHUNK_HEADER && sound && found == kind && length > 0 {
        // The last byte must be there: otherwise the chunk is cut off, which reading it says.
        input.seek(SeekFrom::Current(length as i64 - 1))?;
        if read_most(input, &mut [0])? == 1 {
            return Ok(Some(CHUNK_HEADER as u64 + length));
        }
    }
    input.seek(SeekFrom::Start(start))?;
    Ok(None)
}
