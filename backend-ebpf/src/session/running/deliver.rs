//! From the ring, the counters and the processes to the sink: what a session does while it waits.

use super::{BUSY_SLICE, Running, State};
use crate::codegen::layout::event;
use crate::process::child::{Child, Ended};
use crate::process::grab::Grab;
use crate::session::copyout::{self, Write};
use crate::session::later::Later;
use crate::session::sys;
use crate::session::tables::Tables;
use crate::session::threads::Threads;
use duotrace_core::backend::{BackendError, Event, FaultEvent, Sink};
use duotrace_core::ir::{ActionKind, ClauseId, Program};
use duotrace_core::probe::ProbeId;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

impl Running {
    /// Hands over what is in the ring and in the counters.
    pub(super) fn deliver(&mut self, sink: &mut dyn Sink) {
        self.banks.outdate();
        self.note_processes(sink);
        let mut writes = Vec::new();
        self.drain(sink, &mut writes);
        if !writes.is_empty() {
            copyout::wait(&writes);
            // The rest of what the same firings want written.
            self.drain(sink, &mut writes);
            copyout::perform(writes).into_iter().for_each(|fault| sink.event(Event::Fault(fault)));
        }
        self.losses.deliver(&self.image.layout, self.state == State::Stopped, sink);
    }

    /// Hands over what is in the ring; what is to be written to processes goes to `writes`.
    fn drain(&mut self, sink: &mut dyn Sink, writes: &mut Vec<Write>) {
        let (program, symbols) = (&self.program, &self.symbols);
        let (user_addresses, exit_seen) = (self.user_addresses, &mut self.exit_seen);
        self.ring.drain(|bytes| {
            let header = Header(bytes);
            let pid = header.half(event::PID);
            if user_addresses {
                symbols.remember(pid);
            }
            let Some(data) = bytes.get(event::HEADER as usize..) else { return };
            let clause = ClauseId(header.half(event::CLAUSE));
            let (probe, cpu) = (ProbeId(header.half(event::PROBE)), header.half(event::CPU));
            match header.half(event::KIND) {
                event::RECORD => {
                    let timestamp = header.word(event::TIMESTAMP);
                    *exit_seen |= exits(program, clause);
                    sink.event(Event::Record { probe, provider_pid: pid, clause, cpu, timestamp, data });
                }
                event::FAULT => {
                    let body = Header(data);
                    sink.event(Event::Fault(FaultEvent {
                        probe,
                        clause,
                        cpu,
                        action: body.half(0),
                        offset: body.half(4),
                        fault: body.half(8),
                        address: body.word(16),
                    }));
                }
                event::WRITE => {
                    let (body, thread) = (Header(data), header.word(event::TIMESTAMP));
                    let bytes = data.get(event::WRITE_HEAD as usize..).unwrap_or(&[]);
                    let size =
                        usize::try_from(body.word(8)).map_or(bytes.len(), |size| size.min(bytes.len()));
                    writes.push(Write {
                        pid: pid.cast_signed(),
                        tid: (thread as u32).cast_signed(),
                        address: body.word(0),
                        bytes: bytes.get(..size).unwrap_or(bytes).to_vec(),
                        fault: FaultEvent { probe, clause, cpu, action: 0, offset: 0, fault: 0, address: 0 },
                    });
                }
                _ => {}
            }
        });
    }

    /// Reports processes that have ended; their last records come before that. Says whether there were any.
    pub(super) fn deliver_ends(&mut self, sink: &mut dyn Sink) -> bool {
        let mut ends = Vec::new();
        for child in &mut self.children {
            let pid = child.pid().cast_unsigned();
            if !self.ended.contains(&pid)
                && let Some(ended) = child.try_wait()
            {
                let status = match ended {
                    Ended::Exited(status) => Some(status << 8),
                    Ended::Signalled(signal) => Some(signal),
                    Ended::Unknown => None,
                };
                ends.push((pid, status));
            }
        }
        for grab in &self.grabs {
            let pid = grab.pid().cast_unsigned();
            if !self.ended.contains(&pid) && grab.has_ended() {
                ends.push((pid, None));
            }
        }
        if ends.is_empty() {
            return false;
        }
        self.deliver(sink);
        for (pid, status) in ends {
            self.ended.push(pid);
            sink.event(Event::TargetExited { pid, status });
        }
        true
    }

    /// Waits for something to happen: `Ok(true)` when a signal came.
    pub(super) fn wait(&self, timeout: Duration) -> Result<bool, BackendError> {
        // A ring that holds records is readable at once and would keep us from waiting.
        let busy = self.ring.pending() > 0;
        let timeout = if busy { timeout.min(BUSY_SLICE) } else { timeout };
        let mut fds: Vec<BorrowedFd<'_>> = Vec::new();
        if !busy {
            fds.push(self.ring.as_fd());
        }
        let running = |pid: i32| !self.ended.contains(&pid.cast_unsigned());
        fds.extend(self.children.iter().filter(|child| running(child.pid())).map(Child::pidfd));
        fds.extend(self.grabs.iter().filter(|grab| running(grab.pid())).map(Grab::pidfd));
        fds.extend(self.later.iter().flat_map(Later::fds));
        fds.extend(self.threads.iter().map(Threads::fd));
        fds.extend(self.tables.iter().flat_map(|_| self.symbols.fds()));
        fds.extend(self.tables.iter().filter_map(Tables::fd));
        self.attend(true);
        let polled = sys::poll(&fds, timeout);
        self.attend(false);
        match polled {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(BackendError::new(format!("poll: {error}"))),
        }
    }

    /// Tells the gate whether we are there to open it.
    pub(super) fn attend(&self, attending: bool) {
        if let Some(later) = &self.later {
            later.attend(attending);
        }
    }

    /// Keeps what names addresses and walks stacks up to date with the processes.
    pub(super) fn note_processes(&mut self, sink: &mut dyn Sink) {
        if let Some(threads) = &mut self.threads {
            threads.look(&self.maps);
            threads.notes().into_iter().for_each(|note| sink.event(Event::Warning(note)));
        }
        let mapped = self.symbols.note();
        if let Some(tables) = &mut self.tables {
            for pid in tables.look(&mapped, &self.maps) {
                // Its frames will want names, perhaps when it is gone.
                self.symbols.remember(pid.cast_unsigned());
            }
            tables.notes().into_iter().for_each(|note| sink.event(Event::Warning(note)));
        }
    }
}

/// Does a clause call `exit()`?
fn exits(program: &Program, clause: ClauseId) -> bool {
    let clause = program.clauses.get(clause.0 as usize);
    clause.is_some_and(|clause| clause.record.actions.iter().any(|action| action.kind == ActionKind::Exit))
}

/// Fields of an event by byte offset; 0 where there is none.
struct Header<'a>(&'a [u8]);

impl Header<'_> {
    fn half(&self, at: u32) -> u32 {
        let at = at as usize;
        self.0.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
    }

    fn word(&self, at: u32) -> u64 {
        let at = at as usize;
        self.0.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
    }
}
