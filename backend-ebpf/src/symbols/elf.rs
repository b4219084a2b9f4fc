//! ELF files: segments, sections, function symbols, addresses.
//!
//! Uprobes want FILE OFFSETS, symbols have virtual addresses: the conversion lives here.
//! Layouts are those of elf(5), 64-bit little-endian only (x86-64, aarch64).

use super::index::Index;
use super::read::{Source, cstr_at, notes, u16_at, u32_at, u64_at};
use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file's identity, whatever its path: device and inode number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    pub dev: u64,
    pub ino: u64,
}

/// Why a file could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// It could not be opened or read.
    Io { path: PathBuf, error: String },
    /// It is not an ELF file.
    NotElf { path: PathBuf },
    /// It is an ELF file of another kind than 64-bit little-endian.
    Unsupported { path: PathBuf, what: &'static str },
    /// Its headers contradict its length.
    Malformed { path: PathBuf, what: &'static str },
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElfError::Io { path, error } => write!(f, "failed to read {}: {error}", path.display()),
            ElfError::NotElf { path } => write!(f, "{} is not an ELF file", path.display()),
            ElfError::Unsupported { path, what } => {
                write!(f, "{}: {what} ELF files are not supported", path.display())
            }
            ElfError::Malformed { path, what } => {
                write!(f, "{}: malformed ELF file ({what})", path.display())
            }
        }
    }
}

impl std::error::Error for ElfError {}

/// The instruction set of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    X86_64,
    Aarch64,
    /// `e_machine` of something else: symbols work, instructions and operands do not.
    Other(u16),
}

/// One `PT_LOAD` segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub offset: u64,
    pub vaddr: u64,
    /// Bytes in the file.
    pub filesz: u64,
    /// Bytes in memory.
    pub memsz: u64,
    pub exec: bool,
}

/// One section header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub kind: u32,
    pub vaddr: u64,
    pub offset: u64,
    pub size: u64,
    link: u32,
}

/// A function symbol. Aliases of one address are separate functions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// Without a symbol version (`memcpy@@GLIBC_2.14` is `memcpy`).
    pub name: String,
    pub vaddr: u64,
    /// Bytes; 0 when the symbol does not say (assembly).
    pub size: u64,
    /// Where its first instruction is in the file.
    pub offset: u64,
    /// `STT_GNU_IFUNC`: the address is that of the resolver, not of the function.
    pub indirect: bool,
}

/// A symbol table that can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableKind {
    /// `.symtab`, removed by strip(1).
    Symtab,
    /// `.dynsym`: what is exported or imported.
    Dynsym,
    /// `.symtab` of the separate debug file of the same build-id.
    Debug,
    /// `.symtab` of the compressed file in `.gnu_debugdata`.
    Debugdata,
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TableKind::Symtab => ".symtab",
            TableKind::Dynsym => ".dynsym",
            TableKind::Debug => "debug file",
            TableKind::Debugdata => ".gnu_debugdata",
        })
    }
}

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PF_X: u32 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const SHT_SYMTAB: u32 = 2;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const SYM_SIZE: usize = 24;
const NT_GNU_BUILD_ID: u32 = 3;

/// One symbol table in memory: entries and their strings.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) kind: TableKind,
    symbols: Vec<u8>,
    strings: Vec<u8>,
}

/// A raw symbol, its name still bytes.
pub(super) struct RawSymbol<'a> {
    pub(super) name: &'a [u8],
    pub(super) vaddr: u64,
    pub(super) size: u64,
    kind: u8,
    defined: bool,
}

impl RawSymbol<'_> {
    pub(super) fn is_function(&self) -> bool {
        self.defined && matches!(self.kind, 2 | 10) && !self.name.is_empty()
    }

    pub(super) fn indirect(&self) -> bool {
        self.kind == 10
    }
}

impl Table {
    pub(super) fn iter(&self) -> impl Iterator<Item = RawSymbol<'_>> {
        self.symbols.chunks_exact(SYM_SIZE).filter_map(|s| self.symbol(s))
    }

    fn symbol(&self, s: &[u8]) -> Option<RawSymbol<'_>> {
        let name = cstr_at(&self.strings, u32_at(s, 0)? as usize)?;
        // A version follows an at sign; a name never begins with one.
        let end = name.iter().skip(1).position(|&c| c == b'@').map_or(name.len(), |p| p + 1);
        Some(RawSymbol {
            name: name.get(..end)?,
            vaddr: u64_at(s, 8)?,
            size: u64_at(s, 16)?,
            kind: s.get(4)? & 0xf,
            defined: u16_at(s, 6)? != 0,
        })
    }

    /// The symbol of a number.
    pub(super) fn nth(&self, number: u32) -> Option<RawSymbol<'_>> {
        let at = (number as usize).checked_mul(SYM_SIZE)?;
        self.symbol(self.symbols.get(at..at.checked_add(SYM_SIZE)?)?)
    }

    /// Number and address of what may be functions: their names are not looked at.
    pub(super) fn code(&self) -> impl Iterator<Item = (u32, u64)> {
        (0..).zip(self.symbols.chunks_exact(SYM_SIZE)).filter_map(|(number, s)| {
            let (kind, defined) = (s.get(4)? & 0xf, u16_at(s, 6)? != 0);
            (defined && matches!(kind, 2 | 10)).then_some((number, u64_at(s, 8)?))
        })
    }
}

/// An ELF file, opened. Symbol tables are read when first asked for.
#[derive(Debug)]
pub struct Elf {
    path: PathBuf,
    id: Option<FileId>,
    source: Source,
    kind: u16,
    machine: Machine,
    entry: u64,
    segments: Vec<Segment>,
    notes: Vec<(u64, u64)>,
    interpreter: Option<PathBuf>,
    sections: Vec<Section>,
    tables: OnceLock<Vec<Table>>,
    index: OnceLock<Index>,
}

impl Elf {
    /// Opens a file by path.
    pub fn open(path: &Path) -> Result<Elf, ElfError> {
        let io = |e: std::io::Error| ElfError::Io { path: path.to_owned(), error: io_text(&e) };
        let meta = std::fs::metadata(path).map_err(io)?;
        if !meta.is_file() {
            // Opening a FIFO or a device can block or have effects.
            return Err(ElfError::NotElf { path: path.to_owned() });
        }
        Elf::from_file(File::open(path).map_err(io)?, path)
    }

    /// Uses a file that is open; `path` is for messages.
    pub fn from_file(file: File, path: &Path) -> Result<Elf, ElfError> {
        let meta = file.metadata().map_err(|e| ElfError::Io { path: path.to_owned(), error: io_text(&e) })?;
        let id = FileId { dev: meta.dev(), ino: meta.ino() };
        Elf::parse(Source::File { file, len: meta.len() }, path, Some(id))
    }

    /// Uses an image in memory (the vDSO, tests).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Elf, ElfError> {
        Elf::parse(Source::Bytes(bytes), path, None)
    }

    fn parse(source: Source, path: &Path, id: Option<FileId>) -> Result<Elf, ElfError> {
        let malformed = |what| ElfError::Malformed { path: path.to_owned(), what };
        let not_elf = || ElfError::NotElf { path: path.to_owned() };
        let ident = source.read(0, 16).ok_or_else(not_elf)?;
        if !ident.starts_with(b"\x7fELF") {
            return Err(not_elf());
        }
        if ident.get(4) != Some(&2) {
            return Err(ElfError::Unsupported { path: path.to_owned(), what: "32-bit" });
        }
        if ident.get(5) != Some(&1) {
            return Err(ElfError::Unsupported { path: path.to_owned(), what: "big-endian" });
        }
        let h = source.read(0, 64).ok_or_else(|| malformed("short header"))?;
        let half = |at| u16_at(&h, at).unwrap_or(0);
        let word = |at| u64_at(&h, at).unwrap_or(0);
        let machine = match half(18) {
            62 => Machine::X86_64,
            183 => Machine::Aarch64,
            other => Machine::Other(other),
        };
        let mut elf = Elf {
            path: path.to_owned(),
            id,
            kind: half(16),
            machine,
            entry: word(24),
            segments: Vec::new(),
            notes: Vec::new(),
            interpreter: None,
            sections: Vec::new(),
            tables: OnceLock::new(),
            index: OnceLock::new(),
            source,
        };
        elf.read_segments(word(32), half(54), half(56)).ok_or_else(|| malformed("program headers"))?;
        // Sections are only a help: a file without them still has segments.
        elf.read_sections(word(40), half(58), half(60), half(62)).unwrap_or_default();
        Ok(elf)
    }

    fn read_segments(&mut self, at: u64, entry_size: u16, count: u16) -> Option<()> {
        if count == 0 || at == 0 {
            return Some(());
        }
        if entry_size < 56 {
            return None;
        }
        let table = self.source.read(at, u64::from(entry_size) * u64::from(count))?;
        for p in table.chunks_exact(usize::from(entry_size)) {
            let (offset, vaddr, filesz, memsz) =
                (u64_at(p, 8)?, u64_at(p, 16)?, u64_at(p, 32)?, u64_at(p, 40)?);
            match u32_at(p, 0)? {
                PT_LOAD => {
                    let exec = u32_at(p, 4)? & PF_X != 0;
                    self.segments.push(Segment { offset, vaddr, filesz, memsz, exec });
                }
                PT_INTERP if filesz <= 4096 => {
                    self.interpreter = self.source.read(offset, filesz).and_then(|b| {
                        cstr_at(&b, 0).map(|s| PathBuf::from(String::from_utf8_lossy(s).into_owned()))
                    });
                }
                PT_NOTE => self.notes.push((offset, filesz)),
                _ => {}
            }
        }
        Some(())
    }

    fn read_sections(&mut self, at: u64, entry_size: u16, count: u16, names: u16) -> Option<()> {
        if at == 0 || entry_size < 64 {
            return None;
        }
        // More sections than a u16 holds: the count is in section 0 (elf(5), SHN_LORESERVE).
        let first = self.source.read(at, 64)?;
        let count = if count == 0 { u64_at(&first, 32)? } else { u64::from(count) };
        let names = if names == 0xffff { u32_at(&first, 40)? as usize } else { usize::from(names) };
        let table = self.source.read(at, u64::from(entry_size).checked_mul(count)?)?;
        let header = |i: usize| table.chunks_exact(usize::from(entry_size)).nth(i);
        let strings =
            header(names).and_then(|s| self.source.read(u64_at(s, 24)?, u64_at(s, 32)?)).unwrap_or_default();
        for s in table.chunks_exact(usize::from(entry_size)) {
            let name = cstr_at(&strings, u32_at(s, 0)? as usize).unwrap_or_default();
            self.sections.push(Section {
                name: String::from_utf8_lossy(name.get(..name.len().min(256)).unwrap_or_default())
                    .into_owned(),
                kind: u32_at(s, 4)?,
                vaddr: u64_at(s, 16)?,
                offset: u64_at(s, 24)?,
                size: u64_at(s, 32)?,
                link: u32_at(s, 40)?,
            });
        }
        Some(())
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode; `None` for an image in memory.
    pub fn id(&self) -> Option<FileId> {
        self.id
    }

    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The entry point's virtual address.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Is it loaded at an address of the kernel's choice (a library or a PIE)?
    pub fn is_pie(&self) -> bool {
        self.kind == ET_DYN
    }

    /// Is it an executable that is loaded where it says?
    pub fn is_fixed(&self) -> bool {
        self.kind == ET_EXEC
    }

    /// The dynamic linker; `None` for libraries and static executables.
    pub fn interpreter(&self) -> Option<&Path> {
        self.interpreter.as_deref()
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// A section by name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// A section's bytes; `None` when it has none in the file.
    pub fn section_data(&self, section: &Section) -> Option<Vec<u8>> {
        if section.kind == SHT_NOBITS {
            return None;
        }
        self.source.read(section.offset, section.size)
    }

    /// The GNU build-id, raw bytes.
    pub fn build_id(&self) -> Option<Vec<u8>> {
        self.notes.iter().find_map(|&(offset, size)| {
            let data = self.source.read(offset, size.min(1 << 16))?;
            notes(&data).find(|n| n.owner == b"GNU" && n.kind == NT_GNU_BUILD_ID).map(|n| n.desc.to_vec())
        })
    }

    /// Where the byte at a virtual address is in the file; `None` outside the file's part of any segment.
    pub fn vaddr_to_offset(&self, vaddr: u64) -> Option<u64> {
        self.segments.iter().find_map(|s| {
            let delta = vaddr.checked_sub(s.vaddr)?;
            (delta < s.filesz).then(|| s.offset.checked_add(delta))?
        })
    }

    /// At which virtual address the byte at a file offset is loaded. Executable segments win:
    /// a page at the border of two segments is in the file once and in memory twice.
    pub fn offset_to_vaddr(&self, offset: u64) -> Option<u64> {
        let find = |exec: bool| {
            self.segments.iter().filter(|s| s.exec == exec).find_map(|s| {
                let delta = offset.checked_sub(s.offset)?;
                (delta < s.filesz).then(|| s.vaddr.checked_add(delta))?
            })
        };
        find(true).or_else(|| find(false))
    }

    /// The load bias of a mapping of this file: what to add to a virtual address of the file
    /// to get the address in the process (0 for a fixed executable).
    pub fn load_bias(&self, map_start: u64, map_offset: u64, exec: bool) -> Option<u64> {
        // Mappings begin at whole pages: the segment's first byte may lie up to a page (64 KiB on
        // some aarch64 kernels) after the mapping's.
        let page = 0xffff;
        let near = |s: &&Segment| {
            s.exec == exec
                && map_offset.saturating_add(page) >= s.offset
                && map_offset < s.offset.saturating_add(s.filesz)
        };
        let segment = self.segments.iter().filter(near).min_by_key(|s| s.offset.abs_diff(map_offset))?;
        let vaddr = segment.vaddr.wrapping_sub(segment.offset).wrapping_add(map_offset);
        Some(map_start.wrapping_sub(vaddr))
    }

    /// Bytes as they are in the file at a virtual address.
    pub fn read_vaddr(&self, vaddr: u64, len: u64) -> Option<Vec<u8>> {
        self.source.read(self.vaddr_to_offset(vaddr)?, len)
    }

    /// Like [`Elf::read_vaddr`], but gives what there is, up to `len` bytes.
    pub fn read_vaddr_upto(&self, vaddr: u64, len: u64) -> Option<Vec<u8>> {
        let offset = self.vaddr_to_offset(vaddr)?;
        self.source.read(offset, len.min(self.source.len().saturating_sub(offset)))
    }

    /// Was `.symtab` removed?
    pub fn is_stripped(&self) -> bool {
        !self.sections.iter().any(|s| s.kind == SHT_SYMTAB)
    }

    /// The symbol tables, best first.
    pub(super) fn tables(&self) -> &[Table] {
        self.tables.get_or_init(|| {
            let mut tables: Vec<Table> = [(SHT_SYMTAB, TableKind::Symtab), (SHT_DYNSYM, TableKind::Dynsym)]
                .into_iter()
                .filter_map(|(kind, name)| self.read_table(kind, name))
                .collect();
            if self.is_stripped() {
                tables.extend(self.debug_table().or_else(|| self.inner_table()));
            }
            tables
        })
    }

    /// Which tables a search looks at.
    pub fn searched(&self) -> Vec<TableKind> {
        self.tables().iter().map(|t| t.kind).collect()
    }

    fn read_table(&self, kind: u32, name: TableKind) -> Option<Table> {
        let section = self.sections.iter().find(|s| s.kind == kind)?;
        let strings = self.sections.get(section.link as usize)?;
        Some(Table { kind: name, symbols: self.section_data(section)?, strings: self.section_data(strings)? })
    }

    /// The `.symtab` of `/usr/lib/debug/.build-id/xx/rest.debug`: same addresses as this file.
    fn debug_table(&self) -> Option<Table> {
        let id = self.build_id()?;
        let (first, rest) = id.split_first()?;
        let rest: String = rest.iter().map(|b| format!("{b:02x}")).collect();
        let path = PathBuf::from(format!("/usr/lib/debug/.build-id/{first:02x}/{rest}.debug"));
        let debug = Elf::open(&path).ok()?;
        debug.read_table(SHT_SYMTAB, TableKind::Debug)
    }

    /// The `.symtab` of the file within this one.
    fn inner_table(&self) -> Option<Table> {
        super::debugdata::inner(self)?.read_table(SHT_SYMTAB, TableKind::Debugdata)
    }

    fn function(&self, s: &RawSymbol<'_>) -> Option<Function> {
        Some(Function {
            name: String::from_utf8_lossy(s.name).into_owned(),
            vaddr: s.vaddr,
            size: s.size,
            offset: self.vaddr_to_offset(s.vaddr)?,
            indirect: s.indirect(),
        })
    }

    /// Every function of this exact name: one, or several local ones of the same name. One pass, no index.
    pub fn functions_named(&self, name: &str) -> Vec<Function> {
        self.collect(|n| n == name.as_bytes())
    }

    /// Functions whose name satisfies `wanted` (one pass over each table), by address.
    pub fn functions_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<Function> {
        self.collect(|n| std::str::from_utf8(n).is_ok_and(&wanted))
    }

    fn collect(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<Function> {
        let mut out: Vec<Function> = self
            .tables()
            .iter()
            .flat_map(Table::iter)
            .filter(|s| s.is_function() && wanted(s.name))
            .filter_map(|s| self.function(&s))
            .collect();
        out.sort_by(|a, b| (a.vaddr, &a.name, b.size).cmp(&(b.vaddr, &b.name, a.size)));
        out.dedup_by(|b, a| a.vaddr == b.vaddr && a.name == b.name);
        out
    }

    /// The virtual address of any defined symbol, function or data.
    pub fn symbol_vaddr(&self, name: &str) -> Option<u64> {
        self.tables()
            .iter()
            .flat_map(Table::iter)
            .find(|s| s.defined && s.name == name.as_bytes())
            .map(|s| s.vaddr)
    }

    /// The function holding a virtual address. The first call sorts all functions; later ones are binary searches.
    pub fn function_at(&self, vaddr: u64) -> Option<Function> {
        let index = self.index.get_or_init(|| Index::build(self.tables()));
        let (name, start, size) = index.find(self.tables(), vaddr)?;
        let offset = self.vaddr_to_offset(start)?;
        Some(Function { name, vaddr: start, size, offset, indirect: false })
    }
}

/// `No such file or directory`, without Rust's `(os error 2)`.
pub(crate) fn io_text(e: &std::io::Error) -> String {
    let text = e.to_string();
    match text.find(" (os error") {
        Some(at) => text.get(..at).unwrap_or_default().to_owned(),
        None => text,
    }
}
