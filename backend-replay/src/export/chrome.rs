//! The trace format of Chrome, which Perfetto (ui.perfetto.dev) opens too: an object with `traceEvents`.
//!
//! Two probes of one thing make a span: `entry` and `return` of a function, `NAME-start` and `NAME-done` of a program.
//! Spans that nest within their thread are slices of it (`X`); those that do not, or that end in another thread, are
//! asynchronous (`b`, `e`). Everything else is an instant. A span is written when it ends, so that memory holds those
//! that are open and nothing else.

use super::{Exporter, json};
use crate::event::Event;
use crate::file::{Loss, Overview, Schema};
use duotrace_core::ir::Builtin;
use duotrace_core::output::Context;
use duotrace_core::output::json::Writer;
use std::collections::{BTreeMap, HashSet};

/// How a probe's name ends that begins something, and the ends of those that end it.
const PAIRS: [(&str, &[&str]); 4] = [
    ("entry", &["return"]),
    ("start", &["done", "end", "commit", "abort"]),
    ("begin", &["end"]),
    ("enter", &["exit", "leave"]),
];

/// Spans that are open at a time, and processes that have names: what bounds memory.
const MOST_OPEN: usize = 1 << 18;
const MOST_NAMES: usize = 1 << 16;

/// Threads that are searched for the beginning of what another one ends.
const MOST_THREADS: usize = 4096;

/// What makes two probes a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Thing {
    provider: String,
    /// The function, where the whole name is `entry`: other pairs may stand in different functions.
    function: String,
    /// What stands before the name's end.
    name: String,
    /// Which of [`PAIRS`].
    pair: usize,
}

/// Does a probe begin or end something?
enum Role {
    Begins(Thing),
    /// One of these: `end` ends what has started and what has begun.
    Ends(Vec<Thing>),
    Neither,
}

/// A span that has begun.
struct Open {
    thing: Thing,
    time: u64,
    arg0: Option<u64>,
    /// Its arguments as JSON.
    args: Vec<u8>,
}

pub(super) struct Chrome<'a> {
    context: Context<'a>,
    overview: &'a Overview,
    first: Option<u64>,
    last: u64,
    /// By process and thread, in the order in which they began.
    open: BTreeMap<(u32, u32), Vec<Open>>,
    count: usize,
    named: HashSet<u32>,
    next: u64,
    any: bool,
}

impl<'a> Chrome<'a> {
    pub fn new(overview: &'a Overview, context: Context<'a>) -> Chrome<'a> {
        Chrome {
            context,
            overview,
            first: None,
            last: 0,
            open: BTreeMap::new(),
            count: 0,
            named: HashSet::new(),
            next: 1,
            any: false,
        }
    }

    /// Begins an object of `traceEvents`.
    fn object<'b>(
        &mut self,
        out: &'b mut Vec<u8>,
        phase: &str,
        name: &str,
        pid: u32,
        tid: u32,
    ) -> Writer<'b> {
        if self.any {
            out.extend_from_slice(b",\n");
        }
        self.any = true;
        let mut object = Writer::object(out);
        object.text("ph", phase.as_bytes());
        object.text("name", name.as_bytes());
        object.number("pid", pid);
        object.number("tid", tid);
        object
    }

    /// Microseconds since the first event.
    fn time(&self, time: u64) -> Micros {
        Micros(time.saturating_sub(self.first.unwrap_or(time)))
    }

    /// Writes a span. `nested`: it lies within its thread's other spans.
    fn span(
        &mut self,
        out: &mut Vec<u8>,
        open: Open,
        thread: (u32, u32),
        end: u64,
        nested: bool,
        more: &[u8],
    ) {
        let name = if open.thing.name.is_empty() { &open.thing.function } else { &open.thing.name };
        let name = if name.is_empty() { &open.thing.provider } else { name };
        let (pid, tid) = thread;
        let (from, length) = (self.time(open.time), Micros(end.saturating_sub(open.time)));
        let mut args = open.args;
        args.extend_from_slice(more);
        if nested {
            let mut object = self.object(out, "X", name, pid, tid);
            object.text("cat", open.thing.provider.as_bytes());
            object.number("ts", from);
            object.number("dur", length);
            arguments(&mut object, &args);
            return object.end();
        }
        let id = self.next;
        self.next += 1;
        let until = self.time(end.max(open.time));
        for (phase, time) in [("b", from), ("e", until)] {
            let mut object = self.object(out, phase, name, pid, tid);
            object.text("cat", open.thing.provider.as_bytes());
            object.number("id", id);
            object.number("ts", time);
            if phase == "b" {
                arguments(&mut object, &args);
            }
            object.end();
        }
    }

    fn instant(&mut self, out: &mut Vec<u8>, schema: &Schema, event: &Event) {
        let probe = &schema.probe;
        let name = if probe.function.is_empty() || !probe.name.contains('-') && probe.provider != "sched" {
            format!("{} {}", probe.function, probe.name)
        } else {
            probe.name.clone()
        };
        let (time, args) = (self.time(event.time), self.args(schema, event));
        let mut object = self.object(out, "i", name.trim(), event.pid, event.tid);
        object.text("cat", probe.provider.as_bytes());
        object.text("s", b"t");
        object.number("ts", time);
        arguments(&mut object, &args);
        object.end();
    }

    /// Members of `args`: what the event carries.
    fn args(&self, schema: &Schema, event: &Event) -> Vec<u8> {
        let mut args = Vec::new();
        let mut object = Writer::object(&mut args);
        json::values(&mut object, &self.context, schema, event);
        // Without the braces: what the end of the span knows comes after it.
        args.remove(0);
        args
    }

    fn name_process(&mut self, out: &mut Vec<u8>, event: &Event) {
        if self.named.len() >= MOST_NAMES || self.named.contains(&event.pid) {
            return;
        }
        let Some(name) = event.own_text(Builtin::Execname) else { return };
        self.named.insert(event.pid);
        let mut object = self.object(out, "M", "process_name", event.pid, event.tid);
        let mut args = Writer::object(object.member("args"));
        args.text("name", String::from_utf8_lossy(name).as_bytes());
        args.end();
        object.end();
    }

    /// Ends the span that one of these things began; `false` where there is none.
    fn finish(&mut self, out: &mut Vec<u8>, things: &[Thing], schema: &Schema, event: &Event) -> bool {
        let own = (event.pid, event.tid);
        let mut thread = own;
        let mut at =
            self.open.get(&own).and_then(|open| open.iter().rposition(|open| things.contains(&open.thing)));
        if at.is_none() && event.arg(0).is_some() {
            // What one thread starts another may end (a transfer): they know the same object.
            let found = self.open.iter().take(MOST_THREADS).find_map(|(thread, open)| {
                let same = |open: &Open| things.contains(&open.thing) && open.arg0 == event.arg(0);
                Some((*thread, open.iter().position(same)?))
            });
            if let Some((other, place)) = found.filter(|_| things.iter().any(|thing| thing.pair != 0)) {
                (thread, at) = (other, Some(place));
            }
        }
        let (Some(at), Some(open)) = (at, self.open.get_mut(&thread)) else { return false };
        let nested = thread == own && at + 1 == open.len();
        let span = open.remove(at);
        if open.is_empty() {
            self.open.remove(&thread);
        }
        self.count -= 1;
        let args = self.args(schema, event);
        let mut more = Vec::new();
        if !args.is_empty() {
            if !span.args.is_empty() {
                more.push(b',');
            }
            more.extend_from_slice(b"\"end\":{");
            more.extend_from_slice(&args);
            more.push(b'}');
        }
        self.span(out, span, thread, event.time, nested, &more);
        true
    }
}

impl Exporter for Chrome<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"displayTimeUnit\":\"ns\",\"otherData\":{\"recorded_by\":");
        let version = self.overview.meta.iter().find(|(name, _)| name == "duotrace");
        let version = version.map_or("", |(_, version)| version.as_str());
        duotrace_core::output::json::text(out, format!("duotrace {version}").trim().as_bytes());
        out.extend_from_slice(b"},\"traceEvents\":[\n");
    }

    fn event(&mut self, out: &mut Vec<u8>, schema: &Schema, event: &Event) {
        self.first.get_or_insert(event.time);
        self.last = self.last.max(event.time);
        self.name_process(out, event);
        match role(schema) {
            Role::Begins(thing) if self.count < MOST_OPEN => {
                let (args, arg0) = (self.args(schema, event), event.arg(0));
                let open = Open { thing, time: event.time, arg0, args };
                self.open.entry((event.pid, event.tid)).or_default().push(open);
                self.count += 1;
            }
            Role::Ends(things) if self.finish(out, &things, schema, event) => {}
            _ => self.instant(out, schema, event),
        }
    }

    fn loss(&mut self, out: &mut Vec<u8>, loss: &Loss) {
        let time = self.time(self.last);
        let mut object = self.object(out, "i", &format!("{} {} lost", loss.count, loss.what), 0, 0);
        object.text("s", b"g");
        object.number("ts", time);
        object.end();
    }

    fn damage(&mut self, out: &mut Vec<u8>, what: &str) {
        let time = self.time(self.last);
        let mut object = self.object(out, "i", what, 0, 0);
        object.text("s", b"g");
        object.number("ts", time);
        object.end();
    }

    /// What is still open ends with the recording, and says so.
    fn end(&mut self, out: &mut Vec<u8>, _whole: bool) {
        for (thread, mut open) in std::mem::take(&mut self.open) {
            while let Some(span) = open.pop() {
                let more: &[u8] =
                    if span.args.is_empty() { b"\"unfinished\":true" } else { b",\"unfinished\":true" };
                self.span(out, span, thread, self.last, true, more);
            }
        }
        out.extend_from_slice(b"\n]}\n");
    }
}

/// What a probe's name says.
fn role(schema: &Schema) -> Role {
    let probe = &schema.probe;
    let thing = |name: &str, pair: usize| Thing {
        provider: probe.provider.clone(),
        function: if name.is_empty() { probe.function.clone() } else { String::new() },
        name: name.to_string(),
        pair,
    };
    let before = |end: &str| match probe.name.strip_suffix(end) {
        Some("") => Some(""),
        Some(name) => name.strip_suffix('-'),
        None => None,
    };
    if let Some((pair, name)) =
        PAIRS.iter().enumerate().find_map(|(pair, (begin, _))| Some((pair, before(begin)?)))
    {
        return Role::Begins(thing(name, pair));
    }
    let mut things = Vec::new();
    for (pair, (_, ends)) in PAIRS.iter().enumerate() {
        things.extend(ends.iter().filter_map(|end| before(end)).map(|name| thing(name, pair)));
    }
    if things.is_empty() { Role::Neither } else { Role::Ends(things) }
}

/// The member `args`, of members that are JSON already.
fn arguments(object: &mut Writer<'_>, members: &[u8]) {
    let out = object.member("args");
    out.push(b'{');
    out.extend_from_slice(members);
    out.push(b'}');
}

/// Nanoseconds, shown as microseconds with all their digits.
#[derive(Clone, Copy)]
struct Micros(u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
