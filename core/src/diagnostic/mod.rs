//! Diagnostics are values: a tag, a span, a message. Nothing here prints.
//!
//! The tag (`D_SYNTAX`, `D_IDENT_UNDEF`, ...) is the name that dtrace(1M)
//! shows under `-xerrtags`; test suites and scripts rely on it, so tags are API.
//! `tags` is the catalogue, one line of meaning each.

pub mod tags;

pub use tags::Tag;

/// Index of a source text in a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SourceId(pub u32);

/// A half-open byte range of one source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The text the range lies in.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span over `start..end` of `source`.
    pub fn new(source: SourceId, start: u32, end: u32) -> Span {
        Span { source, start, end }
    }

    /// The smallest span that covers both (the first one's source wins).
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One finding of the front end or of a backend about a D program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diag {
    /// The error tag, as shown under `-xerrtags`.
    pub tag: Tag,
    /// Where; `None` when the finding is about the whole program.
    pub span: Option<Span>,
    /// One line, lower case, no full stop: dtrace's own words where it has some.
    pub message: String,
    /// Further lines for a terminal: a reason, a hint, the nearest names.
    pub notes: Vec<String>,
    /// Warnings do not stop a compilation.
    pub severity: Severity,
}

/// Does the finding stop the compilation?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The program cannot be compiled.
    Error,
    /// The program can be compiled; the user should know.
    Warning,
}

impl Diag {
    /// An error at a place.
    pub fn error(tag: Tag, span: Span, message: impl Into<String>) -> Diag {
        Diag { tag, span: Some(span), message: message.into(), notes: Vec::new(), severity: Severity::Error }
    }

    /// An error without a place.
    pub fn global(tag: Tag, message: impl Into<String>) -> Diag {
        Diag { tag, span: None, message: message.into(), notes: Vec::new(), severity: Severity::Error }
    }

    /// The same finding with one more note.
    pub fn note(mut self, note: impl Into<String>) -> Diag {
        self.notes.push(note.into());
        self
    }
}

/// One program text: a script, a `-n` string, a D library.
#[derive(Clone, Debug)]
pub struct Source {
    /// What errors call it: a path, or empty for a command line program.
    pub name: String,
    /// The text (after the preprocessor, if one ran).
    pub text: String,
    /// Line control (`# 77 "file.d"`): (byte offset of the line after, line number, file name).
    pub line_marks: Vec<(u32, u32, Option<String>)>,
}

/// A line and column, both counted from 1, in a named text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Name of the text, empty for a command line program.
    pub name: String,
    /// Line as `# LINE "FILE"` control lines count it.
    pub line: u32,
    /// Column in characters.
    pub column: u32,
}

/// All the texts of one compilation.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a text and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(self.sources.len() as u32);
        self.sources.push(Source { name: name.into(), text: text.into(), line_marks: Vec::new() });
        id
    }

    /// The text of an id (ids come from [`SourceMap::add`], so the index holds).
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize)
    }

    /// Mutable access, for the parser to note line control marks.
    pub fn get_mut(&mut self, id: SourceId) -> Option<&mut Source> {
        self.sources.get_mut(id.0 as usize)
    }

    /// Line and column of a span's start.
    pub fn position(&self, span: Span) -> Position {
        let Some(source) = self.get(span.source) else {
            return Position { name: String::new(), line: 1, column: 1 };
        };
        let at = (span.start as usize).min(source.text.len());
        let before = &source.text.as_bytes()[..at];
        let mut line = 1 + before.iter().filter(|&&b| b == b'\n').count() as u32;
        let mut name = source.name.clone();
        if let Some((offset, number, file)) =
            source.line_marks.iter().rev().find(|(offset, _, _)| *offset as usize <= at)
        {
            let from = &before[(*offset as usize).min(at)..];
            line = number + from.iter().filter(|&&b| b == b'\n').count() as u32;
            if let Some(file) = file {
                name = file.clone();
            }
        }
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let column = 1 + String::from_utf8_lossy(&before[line_start..]).chars().count() as u32;
        Position { name, line, column }
    }

    /// The source line a span starts in, without its line end.
    pub fn line_text(&self, span: Span) -> &str {
        let Some(source) = self.get(span.source) else { return "" };
        let at = (span.start as usize).min(source.text.len());
        let start = source.text.as_bytes()[..at].iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let end = source.text.as_bytes()[at..]
            .iter()
            .position(|&b| b == b'\n')
            .map_or(source.text.len(), |i| at + i);
        source.text.get(start..end).unwrap_or("")
    }
}
