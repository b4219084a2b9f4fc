//! The consumer's lines under `-x oformat=json`: one object for each record, loss, fault and end.

use super::queue::Record;
use super::{Consumer, decode};
use crate::backend::{DropKind, Session};
use crate::ir::{ActionKind, RecordLayout};
use crate::output::json::{self, Writer};
use crate::output::{self, Context};
use crate::probe::{Probe, ProbeId};
use crate::record::Value;

/// The member that names a probe.
fn probe_member(line: &mut Writer<'_>, id: ProbeId, probe: Option<&Probe>) {
    let mut object = Writer::object(line.member("probe"));
    object.number("id", id.0);
    if let Some(probe) = probe {
        object.text("provider", probe.provider.as_bytes());
        object.text("module", probe.module.as_bytes());
        object.text("function", probe.function.as_bytes());
        object.text("name", probe.name.as_bytes());
    }
    object.end();
}

/// What an action is called in D.
fn action_name(kind: &ActionKind) -> &'static str {
    match kind {
        ActionKind::Printf { .. } => "printf",
        ActionKind::Printa { .. } => "printa",
        ActionKind::Trace => "trace",
        ActionKind::Print { .. } => "print",
        ActionKind::Tracemem { .. } => "tracemem",
        ActionKind::Stack => "stack",
        ActionKind::Symbol => "sym",
        ActionKind::Exit => "exit",
        ActionKind::Clear { .. } => "clear",
        ActionKind::Trunc { .. } => "trunc",
        ActionKind::Normalize { .. } => "normalize",
        ActionKind::Denormalize { .. } => "denormalize",
        ActionKind::System { .. } => "system",
        ActionKind::Freopen { .. } => "freopen",
        ActionKind::Ftruncate => "ftruncate",
        ActionKind::Setopt => "setopt",
        ActionKind::Commit => "commit",
        ActionKind::Discard => "discard",
        ActionKind::Speculate => "speculate",
        ActionKind::Default => "default",
    }
}

impl Consumer<'_> {
    /// A record as one line; its actions are performed as for text.
    pub(super) fn record_line(
        &mut self,
        session: &mut dyn Session,
        record: &Record,
        data: &[u8],
        layout: &RecordLayout,
    ) {
        let probe = (self.probe)(record.probe);
        let mut text = Vec::new();
        let mut line = Writer::line(&mut text, "record");
        probe_member(&mut line, record.probe, probe.as_ref());
        line.number("cpu", record.cpu);
        if record.timestamp != 0 {
            line.number("timestamp", record.timestamp);
        }
        line.number("clause", record.clause.0 + 1);
        let mut actions = Writer::array(line.member("actions"));
        for (index, action) in layout.actions.iter().enumerate() {
            let silent =
                matches!(action.kind, ActionKind::Default | ActionKind::Commit | ActionKind::Discard);
            if silent || layout.present && !decode::present(data, index) {
                continue;
            }
            let fields =
                layout.fields.get(action.fields.start as usize..action.fields.end as usize).unwrap_or(&[]);
            let values: Vec<Value> = fields.iter().map(|field| decode::field(data, field)).collect();
            self.action_object(session, actions.element(), &action.kind, &values);
            let shown = matches!(
                action.kind,
                ActionKind::Printf { .. }
                    | ActionKind::Print { .. }
                    | ActionKind::Trace
                    | ActionKind::Tracemem { .. }
                    | ActionKind::Stack
                    | ActionKind::Symbol
                    | ActionKind::Printa { .. }
            );
            if !shown {
                self.action(session, &action.kind, &values, record);
            }
        }
        actions.end();
        line.end_line();
        self.out.extend_from_slice(&text);
    }

    fn action_object(
        &mut self,
        session: &mut dyn Session,
        out: &mut Vec<u8>,
        kind: &ActionKind,
        values: &[Value],
    ) {
        let context = Context {
            settings: &self.settings,
            environment: self.host.environment(),
            symbols: session.symbols(),
        };
        let mut object = Writer::object(out);
        object.text("action", action_name(kind).as_bytes());
        match (kind, values) {
            (ActionKind::Printf { format }, _) => {
                let mut text = Vec::new();
                if let Some(format) = self.program.formats.get(*format as usize) {
                    format.write(&mut text, &context, values);
                }
                object.text("text", &text);
            }
            (ActionKind::Print { type_name, text: shape }, [value, ..]) => {
                let mut text = Vec::new();
                output::print::print(&mut text, type_name, shape, value);
                object.text("text", &text);
            }
            (ActionKind::Printa { aggs, .. }, _) => {
                let mut array = Writer::array(object.member("aggregations"));
                for aggregation in aggs.iter().filter_map(|id| self.aggregations.get(id.0 as usize)) {
                    let mut one = Writer::object(array.element());
                    json::aggregation(&mut one, &context, aggregation);
                    one.end();
                }
                array.end();
            }
            _ => {}
        }
        json::values(object.member("values"), &context, values);
        object.end();
        if let ActionKind::Printa { aggs, .. } = kind {
            for id in aggs {
                self.aggregation(*id, crate::aggregate::Aggregation::set_printed);
            }
        }
    }

    /// A loss; `message` has dtrace's words.
    pub(super) fn drop_line(&mut self, kind: DropKind, cpu: u32, count: u64, message: &str) {
        let mut line = Writer::line(&mut self.out, "drop");
        let kind = match kind {
            DropKind::Principal => "principal",
            DropKind::Aggregation(_) => "aggregation",
            DropKind::Dynamic => "dynamic",
            DropKind::Speculation => "speculation",
            DropKind::SpeculationUnavailable => "speculation-unavailable",
            DropKind::SpeculationBusy => "speculation-busy",
            DropKind::Nested => "nested",
            DropKind::StackStringOverflow => "stack-string-overflow",
        };
        line.text("kind", kind.as_bytes());
        line.number("cpu", cpu);
        line.number("count", count);
        line.text("message", message.as_bytes());
        line.end_line();
    }

    /// A fault, or an action that failed.
    pub(super) fn error_line(&mut self, id: ProbeId, clause: u32, fault: Option<(u32, u64)>, message: &str) {
        let probe = (self.probe)(id);
        let mut line = Writer::line(&mut self.out, "error");
        probe_member(&mut line, id, probe.as_ref());
        line.number("clause", clause + 1);
        if let Some((fault, address)) = fault {
            line.number("fault", fault);
            line.number("address", address);
        }
        line.text("message", message.as_bytes());
        line.end_line();
    }

    /// A process of `-c` or `-p` has ended.
    pub(super) fn target_line(&mut self, pid: u32, status: Option<i32>) {
        let mut line = Writer::line(&mut self.out, "target-exit");
        line.number("pid", pid);
        match status {
            Some(status) if status & 0x7f != 0 => line.number("signal", status & 0x7f),
            Some(status) => line.number("status", status >> 8 & 0xff),
            None => {}
        }
        line.end_line();
    }

    /// Something the user should know.
    pub(super) fn warning_line(&mut self, message: &str) {
        let mut line = Writer::line(&mut self.out, "warning");
        line.text("message", message.as_bytes());
        line.end_line();
    }

    /// The last lines: aggregations that no printa() has shown, and the exit status.
    pub(super) fn last_lines(&mut self, session: &mut dyn Session) {
        let context = Context {
            settings: &self.settings,
            environment: self.host.environment(),
            symbols: session.symbols(),
        };
        for aggregation in self.aggregations.iter().filter(|a| !a.is_empty() && !a.printed()) {
            let mut line = Writer::line(&mut self.out, "aggregation");
            json::aggregation(&mut line, &context, aggregation);
            line.end_line();
        }
        let mut line = Writer::line(&mut self.out, "exit");
        line.number("status", self.exit.unwrap_or(0));
        line.end_line();
    }
}
