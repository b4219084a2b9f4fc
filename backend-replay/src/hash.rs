//! A fast hash for tables that events go through.

use std::hash::{BuildHasherDefault, Hasher};

/// For `HashMap`: as fast as hashing gets, no defence against keys that are made to collide.
pub(crate) type Fast = BuildHasherDefault<KeyHasher>;

/// Multiply and rotate by words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if rest.is_empty() {
            return;
        }
        // What is left, with some of what went before where there is that: one word instead of a loop.
        self.write_u64(match bytes.last_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        });
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Lengths before contents: no more than something to tell them apart by.
    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.0 ^= word as u64;
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }
}
