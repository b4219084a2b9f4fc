//! JSON Lines: an object for the recording, one for each event, loss and damage, one at the end. See `docs/trace-format.md`.

use super::Exporter;
use crate::event::Event;
use crate::file::{Field, Loss, Overview, Schema, builtin_name};
use duotrace_core::ir::Space;
use duotrace_core::output::Context;
use duotrace_core::output::json::{self, Writer};
use duotrace_core::record::{UserStack, Value};

pub(super) struct Json<'a> {
    overview: &'a Overview,
    context: Context<'a>,
    events: u64,
}

impl<'a> Json<'a> {
    pub fn new(overview: &'a Overview, context: Context<'a>) -> Json<'a> {
        Json { overview, context, events: 0 }
    }
}

impl Exporter for Json<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let machine = self.overview.machine;
        let mut line = Writer::line(out, "recording");
        line.text("byte_order", if machine.big_endian { b"big" } else { b"little" });
        line.number("pointer", machine.pointer);
        line.number("wall_minus_monotonic", machine.wall);
        let mut about = Writer::array(line.member("about"));
        // The D library is the tracer's, and long.
        for (name, value) in self.overview.meta.iter().filter(|(name, _)| name != crate::LIBRARY) {
            let mut pair = Writer::object(about.element());
            pair.text("name", name.as_bytes());
            pair.text("value", value.as_bytes());
            pair.end();
        }
        about.end();
        line.end_line();
    }

    fn event(&mut self, out: &mut Vec<u8>, schema: &Schema, event: &Event) {
        self.events += 1;
        let mut line = Writer::line(out, "event");
        let probe = &schema.probe;
        let mut names = Writer::object(line.member("probe"));
        names.number("id", probe.id.0);
        names.text("provider", probe.provider.as_bytes());
        names.text("module", probe.module.as_bytes());
        names.text("function", probe.function.as_bytes());
        names.text("name", probe.name.as_bytes());
        names.end();
        line.number("timestamp", event.time);
        line.number("cpu", event.cpu);
        line.number("pid", event.pid);
        line.number("tid", event.tid);
        values(&mut line, &self.context, schema, event);
        line.end_line();
    }

    fn loss(&mut self, out: &mut Vec<u8>, loss: &Loss) {
        let mut line = Writer::line(out, "drop");
        line.text("kind", loss.what.as_bytes());
        line.number("count", loss.count);
        line.end_line();
    }

    fn damage(&mut self, out: &mut Vec<u8>, what: &str) {
        let mut line = Writer::line(out, "damage");
        line.text("message", what.as_bytes());
        line.end_line();
    }

    fn end(&mut self, out: &mut Vec<u8>, whole: bool) {
        let mut line = Writer::line(out, "end");
        line.number("events", self.events);
        line.member("whole").extend_from_slice(if whole { b"true" } else { b"false" });
        line.end_line();
    }
}

/// What an event carries, by D names.
pub(super) fn values(line: &mut Writer<'_>, context: &Context<'_>, schema: &Schema, event: &Event) {
    for field in &schema.fields {
        match *field {
            Field::Number(builtin) => {
                if let Some(number) = event.number(builtin) {
                    line.number(builtin_name(builtin), number);
                }
            }
            Field::Text(builtin) => {
                if let Some(text) = event.text(builtin) {
                    line.text(builtin_name(builtin), text);
                }
            }
            Field::Arg(n) => {
                if let Some(value) = event.arg(n) {
                    line.number(&format!("arg{n}"), value as i64);
                }
            }
            Field::Register(n) => {
                if let Some(value) = event.register(n) {
                    line.number(&format!("uregs[{n}]"), value);
                }
            }
            Field::Stack(user) => {
                let Some(frames) = event.stack(user) else { continue };
                let frames = frames.to_vec();
                let (name, stack) = match user {
                    false => ("stack", Value::KStack(frames)),
                    true => {
                        let stack = UserStack { pid: event.pid, frames, helper: Vec::new() };
                        ("ustack", Value::UStack(Box::new(stack)))
                    }
                };
                json::value(line.member(name), context, &stack);
            }
            Field::Memory => memory(line, event),
            Field::Answers => {
                let mut answers = Writer::array(line.member("answers"));
                for answer in event.answers() {
                    answers.element().extend_from_slice(answer.to_string().as_bytes());
                }
                answers.end();
            }
            Field::TextAnswers => {
                let mut answers = Writer::array(line.member("text_answers"));
                for answer in event.text_answers() {
                    match answer {
                        Some(answer) => json::text(answers.element(), answer),
                        None => answers.element().extend_from_slice(b"null"),
                    }
                }
                answers.end();
            }
            Field::Reads | Field::Unknown(_) => {}
        }
    }
}

/// Memory that the firing read: text where it is some, else its bytes.
fn memory(line: &mut Writer<'_>, event: &Event) {
    let mut pieces = Writer::array(line.member("memory"));
    for (space, address, bytes) in event.regions() {
        let mut piece = Writer::object(pieces.element());
        piece.text("space", if space == Space::User { b"user" } else { b"kernel" });
        piece.number("address", address);
        match bytes {
            None => piece.member("fault").extend_from_slice(b"true"),
            Some(bytes) => match text(bytes) {
                Some(text) => piece.text("text", text.as_bytes()),
                None => {
                    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    piece.text("bytes", digits.as_bytes());
                }
            },
        }
        piece.end();
    }
    pieces.end();
}

/// A string with its NUL, if these bytes are one.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let (last, text) = bytes.split_last()?;
    let shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t' | '\r');
    let text = std::str::from_utf8(text).ok().filter(|_| *last == 0)?;
    text.chars().all(shown).then_some(text)
}
