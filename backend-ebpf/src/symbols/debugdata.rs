//! `.gnu_debugdata`: a small ELF file, compressed by xz, with the function symbols that strip(1) took away.

use super::elf::Elf;
use std::io::{self, Write};
use std::path::Path;

/// No symbol table that anybody ships is larger; garbage may claim to be.
const LARGEST: usize = 256 << 20;

/// Bytes up to a limit.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > LARGEST {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The file within the section of that name; `None` without one.
pub(super) fn inner(elf: &Elf) -> Option<Elf> {
    let data = elf.section_data(elf.section(".gnu_debugdata")?)?;
    decompress(&data, elf.path())
}

fn decompress(data: &[u8], path: &Path) -> Option<Elf> {
    let mut out = Bounded::default();
    let mut input = data;
    lzma_rs::xz_decompress(&mut input, &mut out).ok()?;
    Elf::from_bytes(out.0, path).ok()
}
