//! Everything a user reads, made from values: `printf`, `printa`, histograms,
//! `trace` fields, stacks, record prefixes, error and drop messages.
//!
//! Functions append bytes to a `Vec<u8>` (strings of a traced system need not be
//! UTF-8) and keep no state, so another form of output can be a sibling of these.
//! What they need of the outside world (local time, names of ports, symbols) is
//! handed in: see [`Context`]. Layouts are dtrace(1M)'s, byte for byte.

pub mod aggregation;
pub mod error;
pub mod histogram;
pub mod json;
mod number;
pub mod print;
pub mod printa;
pub mod printf;
pub mod record;
pub mod symbol;
pub mod time;
pub mod trace;

pub use printf::{Format, FormatError};
pub use time::{LocalTime, Utc};

use crate::aggregate::SortOrder;
use crate::record::Symbols;

/// What text depends on besides the values.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Options of the tracing session.
    pub settings: &'a Settings,
    /// Local time, names of ports and hosts.
    pub environment: &'a dyn Environment,
    /// Names of addresses.
    pub symbols: &'a dyn Symbols,
}

/// The options that shape text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `-q`, `quiet`: only what the script prints.
    pub quiet: bool,
    /// `-F`, `flowindent`: calls are indented.
    pub flow_indent: bool,
    /// `rawbytes`: byte arrays are always dumped, printable or not.
    pub raw_bytes: bool,
    /// `strsize`: how many bytes of a string `rawbytes` dumps.
    pub strsize: usize,
    /// `stackindent`: columns before a frame of a stack.
    pub stack_indent: usize,
    /// The process of `-p` or `-c`, in which `%A` finds addresses that are bare integers.
    pub target: Option<u32>,
    /// `droptags`: the kind of a drop before its message.
    pub drop_tags: bool,
    /// `aggzoom`: bars are scaled to the largest bucket, not to the total.
    pub agg_zoom: bool,
    /// `aggpack`: one line per `quantize` or `lquantize`.
    pub agg_pack: bool,
    /// `agghist`: `count` and `sum` as bars over the keys.
    pub agg_hist: bool,
    /// `encoding`: what bars are drawn with.
    pub encoding: Encoding,
    /// How elements of aggregations are sorted.
    pub order: SortOrder,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            quiet: false,
            flow_indent: false,
            raw_bytes: false,
            strsize: 256,
            stack_indent: 14,
            target: None,
            drop_tags: false,
            agg_zoom: false,
            agg_pack: false,
            agg_hist: false,
            encoding: Encoding::Ascii,
            order: SortOrder::default(),
        }
    }
}

/// What bars are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `@` and letters.
    #[default]
    Ascii,
    /// Block elements of Unicode, in eighths.
    Utf8,
}

/// What formatting asks of the system it runs on.
pub trait Environment {
    /// A time (seconds since 1970, UTC) in the local time zone.
    fn local_time(&self, seconds: i64) -> LocalTime;

    /// The service that uses a port (host byte order), for `%P`.
    fn port_name(&self, _port: u16) -> Option<String> {
        None
    }

    /// The host that has an Internet address (text form), for `%I`.
    fn host_name(&self, _address: &str) -> Option<String> {
        None
    }
}

/// A context for tests: UTC and no symbols.
#[cfg(test)]
pub(crate) fn test_context(settings: &Settings) -> Context<'_> {
    Context { settings, environment: &Utc, symbols: &crate::record::NoSymbols }
}
