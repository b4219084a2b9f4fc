//! A running program, as the consumer sees it: messages of the worker in, events out.

use crate::decode::{Decoder, Probes};
use crate::layout::Dialect;
use crate::leftovers;
use crate::process::{Child, ending};
use crate::wire::{self, Message};
use crate::worker::{GO, STOP};
use duotrace_core::aggregate::Aggregation;
use duotrace_core::backend::{BackendError, Session, Sink};
use duotrace_core::ir::{AggId, ClauseId};
use duotrace_core::record::Symbols;
use std::time::{Duration, Instant};

/// How long an ending worker is waited for: longer, and it finishes on its own.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long the library may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The worker with what it has sent and was not read yet.
#[derive(Debug)]
pub(crate) struct Link {
    pub child: Child,
    buffer: Vec<u8>,
    /// Where in the buffer the next frame starts.
    at: usize,
    heard: Instant,
    /// Silence that means that the library hangs.
    limit: Duration,
    /// `Stopped` was read.
    pub stopped: bool,
    /// The worker died without a word.
    pub died: bool,
}

impl Link {
    pub fn new(child: Child, limit: Duration) -> Link {
        Link { child, buffer: Vec::new(), at: 0, heard: Instant::now(), limit, stopped: false, died: false }
    }

    /// The next message that is all there.
    fn parsed(&mut self) -> Result<Option<Message>, BackendError> {
        let rest = self.buffer.get(self.at..).unwrap_or(&[]);
        match wire::read(rest) {
            Ok(Some((message, len))) => {
                self.at += len;
                Ok(Some(message))
            }
            Ok(None) => {
                self.buffer.drain(..self.at.min(self.buffer.len()));
                self.at = 0;
                Ok(None)
            }
            Err(wire::Malformed) => Err(self.failed("libdtrace's process sent what makes no sense")),
        }
    }

    /// The next message, waiting until the deadline: `None` if there was none.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<Message>, BackendError> {
        loop {
            if let Some(message) = self.parsed()? {
                self.stopped |= message == Message::Stopped;
                return Ok(Some(message));
            }
            if self.stopped {
                return Ok(None);
            }
            match self.child.read(&mut self.buffer, deadline) {
                Ok(Some(0)) if self.heard.elapsed() > self.limit => {
                    let text = format!("libdtrace does not answer (for {} s)", self.limit.as_secs());
                    return Err(self.failed(&text));
                }
                Ok(Some(0)) => return Ok(None),
                Ok(Some(_)) => self.heard = Instant::now(),
                Ok(None) => return Err(self.ended()),
                Err(error) => {
                    return Err(self.failed(&format!("cannot read from libdtrace's process: {error}")));
                }
            }
        }
    }

    /// The worker has closed its pipe without a word.
    fn ended(&mut self) -> BackendError {
        self.died = true;
        let status = self.child.wait(Duration::from_secs(2));
        let how = match status {
            None => "it closed its pipe".to_string(),
            Some(status) => ending(status).map_or("it ended".to_string(), |how| format!("it ended by {how}")),
        };
        self.failed(&format!("libdtrace's process failed: {how}"))
    }

    /// Gives the worker up.
    pub fn failed(&mut self, text: &str) -> BackendError {
        self.child.kill();
        // Its descriptors close as it goes, which takes the kernel a moment.
        for _ in 0..50 {
            if leftovers::of(self.child.pid()) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.stopped = true;
        BackendError::new(text)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.child.hang_up();
        let _ = self.child.wait(PATIENCE);
    }
}

/// A session of libdtrace.
#[derive(Debug)]
pub struct DtraceSession {
    link: Link,
    decoder: Decoder,
    /// Probes that each program matched.
    matches: Vec<u32>,
    pids: Vec<u32>,
    /// The worker has heard that it shall stop.
    stop_heard: bool,
    /// Nothing was heard since the start.
    silent: bool,
    /// Compiles the same again.
    again: Option<Again>,
}

/// Makes another session of the same programs.
///
/// Oracle's 2.0.7 damages its heap when some programs start (speculations), and the C library ends the process for it,
/// more often than not unnoticed in dtrace(1), whose heap lies otherwise. No probe has fired by then, so a second
/// attempt loses nothing.
pub(crate) struct Again(pub Box<dyn FnOnce() -> Option<DtraceSession>>);

impl std::fmt::Debug for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Again")
    }
}

impl DtraceSession {
    pub(crate) fn new(
        link: Link,
        dialect: Dialect,
        matches: Vec<u32>,
        pids: Vec<u32>,
        probes: Probes,
    ) -> DtraceSession {
        DtraceSession {
            link,
            decoder: Decoder::new(dialect, probes),
            matches,
            pids,
            stop_heard: false,
            silent: true,
            again: None,
        }
    }

    /// The same with a second attempt, should the worker die while it starts.
    pub(crate) fn or_again(mut self, again: Again) -> DtraceSession {
        self.again = Some(again);
        self
    }

    /// After a failure of the worker: another worker in its place, started; or the failure.
    fn retry(&mut self, error: BackendError) -> Result<(), BackendError> {
        if !self.link.died || !self.silent {
            return Err(error);
        }
        let session = self.again.take().and_then(|Again(make)| make());
        *self = session.ok_or(error)?;
        self.link.child.tell(GO);
        Ok(())
    }

    /// How many probes each program matched, in the order of the programs.
    pub fn matches(&self) -> &[u32] {
        &self.matches
    }

    /// The processes of `-c` and `-p`, in their order; 0 where the library does not tell.
    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// Delivers one message. Is it one after which the consumer should look?
    fn deliver(&mut self, message: Message, sink: &mut dyn Sink) -> Result<bool, BackendError> {
        match message {
            Message::Failed { text, .. } => {
                let text = format!("processing aborted: {text}");
                return Err(self.link.failed(&text));
            }
            Message::Alive => self.stop_heard = true,
            Message::Stopped => return Ok(true),
            message => return Ok(self.decoder.deliver(message, sink)),
        }
        Ok(false)
    }
}

impl Session for DtraceSession {
    fn start(&mut self, _sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.link.child.tell(GO);
        Ok(())
    }

    fn poll(&mut self, deadline: Instant, sink: &mut dyn Sink) -> Result<(), BackendError> {
        // What is there is delivered at once; only the first message is waited for.
        let mut wait = deadline;
        loop {
            let message = match self.link.next(wait) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => return self.retry(error),
            };
            self.silent = false;
            wait = Instant::now();
            if self.deliver(message, sink)? {
                break;
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, _agg: AggId, _into: &mut Aggregation) -> Result<(), BackendError> {
        // Totals come as events, in their place among the records.
        Ok(())
    }

    fn stop(&mut self, sink: &mut dyn Sink) -> Result<(), BackendError> {
        self.stop_heard = false;
        self.link.child.tell(STOP);
        let end = Instant::now() + STOP_LIMIT;
        while !self.link.stopped {
            match self.link.next(Instant::now() + Duration::from_millis(10))? {
                Some(message) => {
                    self.deliver(message, sink)?;
                }
                None if Instant::now() > end => return Err(self.link.failed("libdtrace does not stop")),
                // The signal may have come just before the wait that it was to interrupt.
                None if !self.stop_heard => self.link.child.wake(),
                None => {}
            }
        }
        Ok(())
    }

    fn enabled(&self, _clause: ClauseId) -> usize {
        // The library tells by program, see `matches`.
        0
    }

    fn symbols(&mut self) -> &mut dyn Symbols {
        &mut self.decoder.names
    }
}
