//! What libdtrace calls back for: firings, elements of aggregations, drops, errors, processes, probes.
//!
//! Each callback copies what it is given and returns; nothing is kept of the library's memory.

use crate::abi::{
    AGGWALK_NEXT, CONSUME_NEXT, CONSUME_THIS, Family, Firing, HANDLE_OK, ProbeName, RecDesc, act, bytes,
    limit, probe_offset, read, text,
};
use crate::aggregates;
use crate::layout::{Dialect, Plan};
use crate::sys::{Handle, LibError, Library};
use crate::wire::{self, Message, RawElement, Rec};
use std::collections::{HashMap, HashSet};
use std::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io::Write;

/// Bytes that are gathered before they are written.
const CHUNK: usize = 128 << 10;

/// `DTRACEFLT_LIBRARY`: what the library could not perform. The consumer performs it too, and says so itself.
const FAULT_LIBRARY: i32 = 1000;

/// A clause that has fired.
struct Clause {
    recs: Vec<Rec>,
    plan: Plan,
    /// Bytes of its data.
    size: usize,
}

/// A record that waits for what the library prints.
struct Pending {
    message: Message,
    clause: (u32, u64),
    /// The part that is being printed.
    printing: Option<u32>,
}

/// What the callbacks share: their last argument.
pub struct Context {
    library: Option<Library>,
    out: File,
    buffer: Vec<u8>,
    /// The session does not read any more.
    pub closed: bool,
    /// Processes: handle and pid.
    pub targets: Vec<(usize, u32)>,
    pub dialect: Dialect,
    clauses: HashMap<(u32, u64), Clause>,
    /// The clause that the session has the description of, by number.
    described: HashMap<u32, u64>,
    probes: HashSet<u32>,
    names: HashSet<(Option<u32>, u64)>,
    pending: Option<Pending>,
    /// What the library has delivered that cannot be: nothing more is taken from it.
    pub nonsense: Option<String>,
    /// The description that was listed last: the statements of a clause share it.
    listed: usize,
}

impl Context {
    pub fn new(library: Library, out: File) -> Box<Context> {
        let mut context = Context::without_library(out);
        context.library = Some(library);
        context
    }

    /// For saying that there is no library.
    pub fn without_library(out: File) -> Box<Context> {
        Box::new(Context {
            library: None,
            out,
            buffer: Vec::new(),
            closed: false,
            targets: Vec::new(),
            dialect: Dialect { oracle: true, act_base: 0, strsize: 256 },
            clauses: HashMap::new(),
            described: HashMap::new(),
            probes: HashSet::new(),
            names: HashSet::new(),
            pending: None,
            nonsense: None,
            listed: 0,
        })
    }

    /// The library.
    ///
    /// # Panics
    /// If the context was made without one, which then does nothing but send.
    #[allow(clippy::expect_used)]
    pub fn library(&self) -> &Library {
        self.library.as_ref().expect("a context with a library")
    }

    fn family(&self) -> Family {
        self.library().family
    }

    pub fn send(&mut self, message: &Message) {
        wire::write(&mut self.buffer, message);
        if self.buffer.len() > CHUNK {
            self.flush();
        }
    }

    /// Is there something that was not written yet?
    pub fn has_output(&self) -> bool {
        !self.buffer.is_empty()
    }

    pub fn flush(&mut self) {
        let mut left = &self.buffer[..];
        while !left.is_empty() && !self.closed {
            match self.out.write(left) {
                Ok(n) => left = left.get(n..).unwrap_or(&[]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => self.closed = true,
            }
        }
        self.buffer.clear();
    }

    fn arg(&mut self) -> *mut c_void {
        (self as *mut Context).cast()
    }

    /// Sets the handlers.
    pub fn handlers(&mut self) {
        let arg = self.arg();
        // Without a handler the library ends tracing at an error, as dtrace(1) would; under `-xnolibs` there is none.
        let _ = self.library().handlers(on_error, on_drop, on_process, arg);
    }

    /// Consumes what there is.
    pub fn work(&mut self) -> Result<bool, LibError> {
        let arg = self.arg();
        let result = self.library().work(on_probe, on_record, arg);
        self.finish_pending();
        result
    }

    /// Sends the aggregations as they are now.
    pub fn totals(&mut self) {
        let arg = self.arg();
        if let Err(error) = self.library().aggregations(on_element, arg) {
            self.send(&Message::Warning(format!("failed to read aggregations: {}", error.message)));
            return;
        }
        self.send(&Message::Totals);
    }

    /// Sends the probes that a description matches.
    pub fn list(&mut self, description: Option<&str>) -> Result<(), LibError> {
        let arg = self.arg();
        self.library().probes(description, on_listed, arg)
    }

    /// Sends the probes of every description of a program.
    pub fn list_statements(&mut self, program: Handle) -> Result<(), LibError> {
        let arg = self.arg();
        self.library().statements(program, on_statement, arg)
    }

    fn firing(&mut self, firing: &Firing) {
        let at = (firing.clause, firing.desc);
        if !self.clauses.contains_key(&at) {
            match self.clause(firing) {
                Ok(clause) => self.clauses.insert(at, clause),
                Err(text) => {
                    self.nonsense = Some(text);
                    return;
                }
            };
        }
        if self.described.insert(firing.clause, firing.desc) != Some(firing.desc) {
            let recs = self.clauses.get(&at).map_or(Vec::new(), |clause| clause.recs.clone());
            self.send(&Message::Clause { clause: firing.clause, recs });
        }
        if self.probes.insert(firing.probe) {
            // SAFETY: the description belongs to the firing of this callback.
            let name = unsafe { read::probe(self.family(), firing.pdesc as usize as *const c_void) };
            self.send(&Message::Probe(name));
        }
        let Some(clause) = self.clauses.get(&at) else { return };
        // SAFETY: the library's description says that so many bytes are there.
        let data = unsafe { bytes(firing.data, clause.size) };
        let mut addresses = Vec::new();
        clause.plan.addresses(&data, |pid, addr| addresses.push((pid, addr)));
        let (uses_aggregations, is_printed) =
            (clause.plan.uses_aggregations, !clause.plan.printed.is_empty());
        if uses_aggregations {
            self.totals();
        }
        self.resolve(&addresses);
        let message = Message::Record {
            probe: firing.probe,
            clause: firing.clause,
            cpu: firing.cpu,
            data,
            texts: Vec::new(),
        };
        if is_printed {
            if let Some(library) = &mut self.library {
                library.stream.take();
            }
            self.pending = Some(Pending { message, clause: at, printing: None });
        } else {
            self.send(&message);
        }
    }

    /// A clause that fires for the first time; the error says what is wrong with its description.
    fn clause(&self, firing: &Firing) -> Result<Clause, String> {
        // SAFETY: the firing is that of this callback.
        let recs = unsafe { read::recs(self.family(), firing) };
        let size = recs.iter().map(RecDesc::end).max().unwrap_or(0);
        let limit = limit(firing.size as usize);
        if size > limit {
            return Err(format!(
                "libdtrace's data makes no sense: a record of {size} bytes in a clause of {limit}"
            ));
        }
        let recs: Vec<Rec> = recs
            .into_iter()
            .map(|desc| {
                let has_format =
                    matches!(desc.action, act::PRINTF | act::PRINTA | act::SYSTEM | act::FREOPEN);
                let format = (has_format && desc.format != 0).then(|| self.library().format(desc.format));
                Rec { desc, format }
            })
            .collect();
        // SAFETY: as in `firing`.
        let data = unsafe { bytes(firing.data, size) };
        let plan = Plan::new(&recs, &data, self.dialect);
        Ok(Clause { recs, plan, size })
    }

    /// Tells the names of addresses that were not told yet.
    fn resolve(&mut self, addresses: &[(Option<u32>, u64)]) {
        for (pid, addr) in addresses.iter().copied() {
            if addr != 0 && self.names.insert((pid, addr)) {
                let text = self.library().name_of(pid, addr);
                self.send(&Message::Name { pid, addr, text });
            }
        }
    }

    /// The library is about to print a record: shall it?
    fn record(&mut self, rec: Option<RecDesc>) -> c_int {
        self.take_printed();
        let Some(rec) = rec else {
            self.finish_pending();
            return CONSUME_NEXT;
        };
        let Some(pending) = &mut self.pending else { return CONSUME_NEXT };
        let Some(clause) = self.clauses.get(&pending.clause) else { return CONSUME_NEXT };
        let index =
            clause.recs.iter().position(|r| r.desc.offset == rec.offset && r.desc.action == rec.action);
        match index.map(|index| index as u32).filter(|index| clause.plan.printed.contains(index)) {
            Some(index) => {
                pending.printing = Some(index);
                CONSUME_THIS
            }
            None => CONSUME_NEXT,
        }
    }

    /// Takes what the library has printed for the part before.
    fn take_printed(&mut self) {
        let (Some(pending), Some(library)) = (&mut self.pending, &mut self.library) else { return };
        let Some(index) = pending.printing.take() else { return };
        if let Message::Record { texts, .. } = &mut pending.message {
            texts.push((index, library.stream.take()));
        }
    }

    fn finish_pending(&mut self) {
        self.take_printed();
        if let Some(pending) = self.pending.take() {
            self.send(&pending.message);
        }
    }
}

/// The context of a callback.
///
/// # Safety
/// `arg` is what [`Context::arg`] made, the context is alive, and the only other reference to it is suspended in the
/// call of the library that calls back.
unsafe fn context<'a>(arg: *mut c_void) -> &'a mut Context {
    // SAFETY: the caller's.
    unsafe { &mut *arg.cast::<Context>() }
}

unsafe extern "C" fn on_probe(data: *const c_void, arg: *mut c_void) -> c_int {
    // SAFETY: called by dtrace_work() with our argument and the library's probe data.
    unsafe {
        let context = context(arg);
        let firing = read::firing(context.family(), data);
        context.finish_pending();
        if context.nonsense.is_none() {
            context.firing(&firing);
        }
    }
    CONSUME_THIS
}

unsafe extern "C" fn on_record(_data: *const c_void, rec: *const c_void, arg: *mut c_void) -> c_int {
    // SAFETY: called by dtrace_work() with our argument and a record or NULL.
    unsafe {
        let context = context(arg);
        let rec = (!rec.is_null()).then(|| read::rec(context.family(), rec));
        context.record(rec)
    }
}

unsafe extern "C" fn on_element(data: *const c_void, arg: *mut c_void) -> c_int {
    // SAFETY: called by dtrace_aggregate_walk() with our argument and an element; the descriptions say how many bytes
    // there are at its addresses.
    unsafe {
        let context = context(arg);
        if context.nonsense.is_some() {
            return AGGWALK_NEXT;
        }
        let element = read::element(context.family(), data);
        let key_size = element.keys.iter().map(RecDesc::end).max().unwrap_or(0);
        let desc = &element.value_desc;
        let value_at = element.value.wrapping_add(u64::from(desc.offset));
        if key_size > limit(element.key_size) || desc.end() > limit(element.value_size) {
            context.nonsense = Some(format!(
                "libdtrace's data makes no sense: @{} has a key of {key_size} bytes and a value of {} in {} and {}",
                element.name, desc.size, element.key_size, element.value_size
            ));
            return AGGWALK_NEXT;
        }
        let raw = RawElement {
            name: element.name,
            variable: element.variable,
            action: desc.action,
            signature: element.signature,
            key: bytes(element.key, key_size),
            value: bytes(value_at, desc.size as usize),
            keys: element.keys,
        };
        let mut addresses = Vec::new();
        aggregates::addresses(&raw, &context.dialect, |pid, addr| addresses.push((pid, addr)));
        context.resolve(&addresses);
        context.send(&Message::Element(raw));
    }
    AGGWALK_NEXT
}

unsafe extern "C" fn on_error(data: *const c_void, arg: *mut c_void) -> c_int {
    // SAFETY: called by the library with our argument and an error.
    unsafe {
        let context = context(arg);
        let error = read::error(context.family(), data);
        if error.fault != FAULT_LIBRARY {
            context.finish_pending();
            context.send(&Message::Fault(error));
        }
    }
    HANDLE_OK
}

unsafe extern "C" fn on_drop(data: *const c_void, arg: *mut c_void) -> c_int {
    // SAFETY: called by the library with our argument and a drop.
    unsafe {
        let context = context(arg);
        let drop = read::drop(data);
        context.send(&Message::Drop { kind: drop.kind, cpu: drop.cpu, count: drop.drops });
    }
    HANDLE_OK
}

unsafe extern "C" fn on_process(process: *const c_void, message: *const c_char, arg: *mut c_void) {
    // SAFETY: called by the library with our argument, a pid (Oracle) or a process, and NULL or a message.
    unsafe {
        let context = context(arg);
        let pid = if context.family().is_oracle() {
            process as usize as u32
        } else {
            let handle = process as usize;
            context.targets.iter().find(|(known, _)| *known == handle).map_or(0, |(_, pid)| *pid)
        };
        context.send(&Message::TargetExited { pid, reason: text(message) });
    }
}

unsafe extern "C" fn on_listed(_handle: Handle, probe: *const c_void, arg: *mut c_void) -> c_int {
    // SAFETY: called by dtrace_probe_iter() with our argument and a probe's description.
    unsafe {
        let context = context(arg);
        let name = read::probe(context.family(), probe);
        context.send(&Message::Probe(name));
    }
    0
}

unsafe extern "C" fn on_statement(_: Handle, _: Handle, statement: *const c_void, arg: *mut c_void) -> c_int {
    // SAFETY: called by dtrace_stmt_iter() with our argument and a statement, which starts with a pointer to the ECB's
    // description, in which the probe's description stands at the family's place.
    unsafe {
        let context = context(arg);
        let ecb = *statement.cast::<*const u8>();
        if ecb.is_null() || context.listed == ecb as usize {
            return 0;
        }
        context.listed = ecb as usize;
        let desc = ecb.add(probe_offset(context.family())).cast::<c_void>();
        let again = context.arg();
        if context.library().probes_of(desc, on_listed, again).is_err() {
            let ProbeName { provider, module, function, name, .. } = read::probe(context.family(), desc);
            let text = format!(
                "failed to match {provider}:{module}:{function}:{name}: No probe matches description"
            );
            context.send(&Message::Warning(text));
        }
    }
    0
}
