//! A recording in other forms: `text` (lines that `--replay X.events` reads), `json` (JSON Lines), `chrome` (the trace
//! format of Chrome and Perfetto, with entry and return, start and done made into spans).
//!
//! The recording is read twice: first what it knows of itself (names of addresses stand at its end), then its events, one
//! chunk in memory at a time.

mod chrome;
mod json;
#[cfg(test)]
mod tests;

use crate::event::Event;
use crate::file::{FileError, Item, Loss, Overview, Reader, Schema, Window, skim};
use crate::synthetic;
use duotrace_core::output::{Context, Settings, Utc};
use duotrace_core::record::{Symbol, Symbols};
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
    Chrome,
}

/// A form at work: each function appends what is to be written.
trait Exporter {
    fn begin(&mut self, _out: &mut Vec<u8>) {}
    fn event(&mut self, out: &mut Vec<u8>, schema: &Schema, event: &Event);
    fn loss(&mut self, out: &mut Vec<u8>, loss: &Loss);
    fn damage(&mut self, out: &mut Vec<u8>, what: &str);
    fn end(&mut self, _out: &mut Vec<u8>, _whole: bool) {}
}

/// The names that a recording has for addresses.
struct Names<'a>(&'a Overview);

impl Symbols for Names<'_> {
    fn kernel(&self, addr: u64) -> Option<Symbol> {
        self.0.symbols.get(&(None, addr)).cloned()
    }

    fn user(&self, pid: u32, addr: u64) -> Option<Symbol> {
        self.0.symbols.get(&(Some(pid), addr)).cloned()
    }
}

/// Writes a recording, or a window of it, in another form.
pub fn export(
    mut input: impl Read + Seek,
    form: Form,
    window: Window,
    out: &mut dyn Write,
) -> Result<(), FileError> {
    let overview = skim(&mut input)?;
    input.seek(SeekFrom::Start(0))?;
    let mut reader = Reader::new(input)?;
    reader.enter(&overview, window)?;
    let settings = Settings::default();
    let names = Names(&overview);
    let context = Context { settings: &settings, environment: &Utc, symbols: &names };
    let mut exporter: Box<dyn Exporter> = match form {
        Form::Text => Box::new(Text),
        Form::Json => Box::new(json::Json::new(&overview, context)),
        Form::Chrome => Box::new(chrome::Chrome::new(&overview, context)),
    };
    let mut schemas: HashMap<u32, Schema> =
        overview.schemas.iter().map(|schema| (schema.probe.id.0, schema.clone())).collect();
    let mut event = Event::default();
    let mut text = Vec::new();
    exporter.begin(&mut text);
    let whole = loop {
        match reader.next(&mut event)? {
            Item::Event => {
                if let Some(schema) = schemas.get(&event.probe.0) {
                    exporter.event(&mut text, schema, &event);
                }
            }
            Item::Probes(probes) => {
                schemas.extend(probes.into_iter().map(|schema| (schema.probe.id.0, schema)));
            }
            Item::Losses(losses) => losses.iter().for_each(|loss| exporter.loss(&mut text, loss)),
            Item::Damage(what) => exporter.damage(&mut text, &what),
            Item::Meta(_) | Item::Symbols(_) | Item::Types(_) | Item::Index(_) => {}
            Item::End { whole } => break whole,
        }
        if text.len() >= 1 << 16 {
            out.write_all(&text)?;
            text.clear();
        }
    };
    exporter.end(&mut text, whole);
    out.write_all(&text)?;
    out.flush()?;
    Ok(())
}

/// Lines as `synthetic` reads them.
struct Text;

impl Exporter for Text {
    fn event(&mut self, out: &mut Vec<u8>, schema: &Schema, event: &Event) {
        out.extend_from_slice(synthetic::line(schema, event).as_bytes());
        out.push(b'\n');
    }

    fn loss(&mut self, out: &mut Vec<u8>, loss: &Loss) {
        out.extend_from_slice(format!("# lost: {} {}\n", loss.count, loss.what).as_bytes());
    }

    fn damage(&mut self, out: &mut Vec<u8>, what: &str) {
        out.extend_from_slice(format!("# {what}\n").as_bytes());
    }
}
