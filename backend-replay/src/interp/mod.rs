//! The interpreter of `core::ir`.
//!
//! A [`Machine`] keeps what outlives a firing (variables, aggregations,
//! speculations); [`Machine::fire`] runs the clauses of one probe for one
//! [`Event`]. `expr` computes numbers and objects, `strings` strings, `text` is
//! what the string subroutines do to bytes, `vars` places, `memory` addresses,
//! `calls` subroutines, `builtins` built-in variables, `agg` and `record` what
//! leaves a firing.

mod agg;
mod arith;
mod builtins;
mod calls;
mod expr;
mod json;
mod memory;
mod record;
mod strings;
pub mod text;
mod vars;

use crate::event::Event;
use agg::Table;
use duotrace_core::aggregate::{AggError, Aggregation};
use duotrace_core::backend::{DropKind, Event as Delivered, FaultEvent, Sink};
use duotrace_core::ir::{AggId, Clause, ClauseId, Effect, Expr, Fault, Program, Stmt, Subroutine, walk};
use duotrace_core::probe::{Probe, ProbeId};
use strings::Str;

/// Why an evaluation stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The clause ends, the ERROR probe fires; with the bad address or 0.
    Fault(Fault, u64),
    /// The event does not have what the script asks for: its D name.
    Lacks(String),
    /// The clause ends, and nothing is told: speculate() of a speculation that is not in use.
    Quietly,
}

/// What an evaluation gives.
type Res<T = ()> = Result<T, Halt>;

/// Sizes that options set, and the ERROR probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of `alloca` and `copyin` memory in one firing.
    pub scratch: u32,
    /// Speculations at a time.
    pub nspec: u32,
    /// Elements of all associative arrays together that fit.
    pub dynamic: usize,
    /// The ERROR probe and its clauses, in program order.
    pub errors: Option<(ProbeId, Vec<ClauseId>)>,
    /// Do objects in memory have their most significant byte first?
    pub big_endian: bool,
    /// Wall clock minus monotonic clock, ns.
    pub wall: i64,
    /// Is it the program that was recorded? Then values of variables that events bring along are its own.
    pub own: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            scratch: 4096,
            nspec: 1,
            dynamic: 1 << 20,
            errors: None,
            big_endian: false,
            wall: 0,
            own: false,
        }
    }
}

/// An action that changes the system: noted, never performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refrained {
    pub effect: Effect,
    pub probe: ProbeId,
    pub argument: u64,
}

/// The state of a program that runs.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    vars: vars::Variables,
    tables: Vec<Table>,
    /// Is speculation n + 1 in use?
    speculations: Vec<bool>,
    exiting: bool,
    /// First epid of each clause.
    epids: Vec<u32>,
    scratch: Vec<u8>,
    /// Which clauses take scratch memory.
    allocates: Vec<bool>,
    strtok: (Str, usize),
    buffers: Vec<Str>,
    record: Vec<u8>,
    key: Vec<u8>,
    random: u64,
    refrained: Vec<Refrained>,
}

fn allocates(clause: &Clause) -> bool {
    walk::calls_any(clause, &[Subroutine::Alloca, Subroutine::Copyin])
}

/// How a clause ended.
enum Ended {
    Normally,
    Exited,
}

impl Machine {
    /// A program that has not run yet.
    pub fn new(program: &Program, config: Config) -> Machine {
        let mut next = 1;
        let epids = program
            .clauses
            .iter()
            .map(|clause| {
                let first = next;
                next += clause.probes.iter().map(|enabling| enabling.probes.len() as u32).sum::<u32>();
                first
            })
            .collect();
        Machine {
            vars: vars::Variables::new(program),
            tables: program.aggregations.iter().map(Table::new).collect(),
            speculations: vec![false; config.nspec.min(256) as usize],
            exiting: false,
            epids,
            scratch: Vec::new(),
            allocates: program.clauses.iter().map(allocates).collect(),
            strtok: (Str::null(), 0),
            buffers: Vec::new(),
            record: Vec::new(),
            key: Vec::new(),
            random: 0x2545_f491_4f6c_dd1d,
            refrained: Vec::new(),
            config,
        }
    }

    /// Has `exit()` been called? Only END fires then.
    pub fn exiting(&self) -> bool {
        self.exiting
    }

    /// Has anything destructive been asked for since it was taken?
    pub fn has_refrained(&self) -> bool {
        !self.refrained.is_empty()
    }

    /// The destructive actions that were asked for since the last call.
    pub fn take_refrained(&mut self) -> Vec<Refrained> {
        std::mem::take(&mut self.refrained)
    }

    /// Runs clauses of a probe in order. `Err`: the event lacks a value that the script reads.
    pub fn fire(
        &mut self,
        program: &Program,
        clauses: &[ClauseId],
        event: &mut Event,
        probe: &dyn Fn(ProbeId) -> Option<Probe>,
        sink: &mut dyn Sink,
    ) -> Result<(), String> {
        self.vars.begin_firing();
        self.scratch.clear();
        self.strtok.0.set_null();
        let mut firing = Firing {
            program,
            strsize: program.strsize.clamp(2, 1 << 20) as usize,
            machine: self,
            event,
            probe,
            sink,
            clause: ClauseId(0),
            fault: None,
            action: 1,
            release: 0,
        };
        firing.run(clauses)
    }

    /// Merges what has gathered for an aggregation and forgets it.
    pub fn snapshot(&mut self, program: &Program, id: AggId, into: &mut Aggregation) -> Result<(), AggError> {
        let (Some(table), Some(def)) =
            (self.tables.get_mut(id.0 as usize), program.aggregations.get(id.0 as usize))
        else {
            return Ok(());
        };
        table.drain(def, into)
    }
}

/// A firing: the machine at work on one event.
struct Firing<'a> {
    program: &'a Program,
    strsize: usize,
    machine: &'a mut Machine,
    event: &'a mut Event,
    probe: &'a dyn Fn(ProbeId) -> Option<Probe>,
    sink: &'a mut dyn Sink,
    clause: ClauseId,
    /// In ERROR clauses: the fault that they are told of, with its epid.
    fault: Option<(FaultEvent, u32)>,
    /// Number of the present action, from 1.
    action: u32,
    /// The speculation to free when the record is out, or 0.
    release: u64,
}

impl<'a> Firing<'a> {
    fn run(&mut self, clauses: &[ClauseId]) -> Result<(), String> {
        for id in clauses {
            match self.clause(*id) {
                Ok(Ended::Normally) | Err(Halt::Quietly) => {}
                Ok(Ended::Exited) => return Ok(()),
                Err(Halt::Lacks(what)) => return Err(what),
                Err(Halt::Fault(fault, address)) => {
                    if let Ended::Exited = self.faulted(*id, fault, address)? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells of a fault and runs the ERROR clauses.
    fn faulted(&mut self, clause: ClauseId, fault: Fault, address: u64) -> Result<Ended, String> {
        let event = FaultEvent {
            probe: self.event.probe,
            clause,
            cpu: self.event.cpu,
            action: self.action,
            offset: 0,
            fault: fault as u32,
            address,
        };
        let epid = self.epid();
        self.sink.event(Delivered::Fault(event));
        let Some((_, errors)) = self.machine.config.errors.clone() else { return Ok(Ended::Normally) };
        self.fault = Some((event, epid));
        let mut ended = Ended::Normally;
        for id in errors {
            match self.clause(id) {
                Ok(Ended::Normally) | Err(Halt::Quietly) => {}
                Ok(Ended::Exited) => {
                    ended = Ended::Exited;
                    break;
                }
                Err(Halt::Lacks(what)) => return Err(what),
                // A fault of an ERROR clause fires nothing.
                Err(Halt::Fault(..)) => {}
            }
        }
        self.fault = None;
        Ok(ended)
    }

    /// The probe as clauses see it: ERROR in ERROR clauses.
    fn probe_id(&self) -> ProbeId {
        match (&self.fault, &self.machine.config.errors) {
            (Some(_), Some((probe, _))) => *probe,
            _ => self.event.probe,
        }
    }

    fn clause(&mut self, id: ClauseId) -> Res<Ended> {
        // Each clause has all scratch memory; what one has left there stays for those of the firing that take none.
        if self.machine.allocates.get(id.0 as usize).is_some_and(|takes| *takes) {
            self.machine.scratch.clear();
        }
        let Some(clause) = self.program.clauses.get(id.0 as usize) else { return Ok(Ended::Normally) };
        (self.clause, self.action, self.release) = (id, 1, 0);
        if let Some(predicate) = &clause.predicate
            && self.scalar(predicate)? == 0
        {
            return Ok(Ended::Normally);
        }
        self.start_record(clause);
        self.body(&clause.body)?;
        self.submit_record(id, clause);
        if self.machine.exiting && record::exits(&clause.body) {
            return Ok(Ended::Exited);
        }
        Ok(Ended::Normally)
    }

    fn body(&mut self, body: &'a [Stmt]) -> Res {
        body.iter().try_for_each(|stmt| self.statement(stmt))
    }

    fn statement(&mut self, stmt: &'a Stmt) -> Res {
        match stmt {
            Stmt::Expr(expr) => self.effects(expr),
            Stmt::If { cond, then, otherwise } => {
                let yes = self.scalar(cond)? != 0;
                // Actions are numbered as they stand in the text, whichever way is taken.
                if yes {
                    self.body(then)?;
                } else {
                    self.action = record::last_action(then).unwrap_or(self.action);
                    self.body(otherwise)?;
                }
                let last = record::last_action(otherwise).or_else(|| record::last_action(then));
                self.action = last.unwrap_or(self.action);
                Ok(())
            }
            Stmt::Aggregate { agg, key, value, increment, .. } => {
                self.aggregate(*agg, key, value.as_ref(), increment.as_ref())
            }
            Stmt::Record { action, values, .. } => {
                self.action = *action + 1;
                self.fill_record(*action, values)
            }
            Stmt::Effect { effect, args, .. } => self.effect(*effect, args),
        }
    }

    fn effect(&mut self, effect: Effect, args: &'a [Expr]) -> Res {
        let argument = match args.first() {
            Some(arg) => self.scalar(arg)?,
            None => 0,
        };
        match effect {
            Effect::ExitFlag => self.machine.exiting = true,
            Effect::Speculate => {
                self.check_speculation(argument)?;
                if !self.speculation_slot(argument).is_some_and(|slot| *slot) {
                    return Err(Halt::Quietly);
                }
            }
            Effect::Commit | Effect::Discard => {
                self.check_speculation(argument)?;
                self.release = argument;
            }
            Effect::Raise | Effect::Stop | Effect::Chill | Effect::Panic | Effect::Breakpoint => {
                // One word for each kind and probe is enough to say what did not happen.
                if self.machine.refrained.len() < 1024 {
                    self.machine.refrained.push(Refrained { effect, probe: self.event.probe, argument });
                }
            }
        }
        Ok(())
    }

    /// A number that no speculation can have is a fault; 0 is none.
    fn check_speculation(&self, id: u64) -> Res {
        if id > self.machine.speculations.len() as u64 {
            return Err(Halt::Fault(Fault::IllOp, 0));
        }
        Ok(())
    }

    /// Is speculation `id` in use?
    fn speculation_slot(&mut self, id: u64) -> Option<&mut bool> {
        let index = usize::try_from(id.checked_sub(1)?).ok()?;
        self.machine.speculations.get_mut(index)
    }

    /// Counts a loss.
    fn count_drop(&mut self, kind: DropKind) {
        self.sink.event(Delivered::Drop { kind, cpu: self.event.cpu, count: 1 });
    }
}
