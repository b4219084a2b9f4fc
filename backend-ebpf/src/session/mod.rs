//! The eBPF backend: finds probes, loads programs, runs them.
//!
//! `plan` decides which programs a script needs, `load` makes them and their maps, `running` starts, polls and
//! stops, `returns` says which returns can be traced from the entry, `cost` what it all costs, `banks` reads aggregations, `later` attaches to processes that start while it runs, for which
//! `gate` makes them wait.

mod banks;
mod copyout;
mod cost;
mod forks;
mod gate;
mod later;
mod load;
mod losses;
mod plan;
mod returns;
mod running;
mod switches;
mod symbols;
mod sys;
mod tables;
mod threads;
mod values;
mod watcher;

#[cfg(test)]
mod tests;

use crate::btf::KernelTypes;
use crate::kernel::{Error, Features};
use crate::process::child::Child;
use crate::process::usdt_scan::Scanner;
use crate::provider::Registry;
use crate::provider::virtual_probes::VirtualProviders;
use duotrace_core::backend::{
    Backend, BackendError, LibraryPart, LoadError, ProbeMatch, Session, TypeSource,
};
use duotrace_core::ir::Program;
use duotrace_core::options::Options;
use duotrace_core::probe::{Probe, ProbeDesc, ProbeId};
use std::path::PathBuf;
use std::rc::Rc;

/// What the command line says of processes.
#[derive(Debug, Default)]
pub struct EbpfConfig {
    /// Processes of `-p` (those of `-c` may stand here too).
    pub targets: Vec<u32>,
    /// Commands of `-c`, held.
    pub children: Vec<Child>,
    /// A directory with more `*.probes` and `*.offsets` of virtual providers.
    pub virtual_providers: Option<PathBuf>,
}

/// The eBPF backend. Making one does nothing yet.
#[derive(Debug)]
pub struct Ebpf {
    config: EbpfConfig,
    registry: Registry,
    types: KernelTypes,
    features: Rc<Features>,
    /// What the D library must know of this machine, in D.
    machine: String,
}

impl Ebpf {
    /// A backend that watches these processes.
    pub fn new(config: EbpfConfig) -> Ebpf {
        let finder = VirtualProviders::new(config.virtual_providers.clone());
        let mut registry = Registry::default();
        registry.scanner = Scanner::with(Rc::new(finder));
        let machine = format!("inline int64_t __tick_ns = {};\n", sys::tick());
        Ebpf { config, registry, types: KernelTypes::default(), features: Rc::new(Features::new()), machine }
    }
}

impl Backend for Ebpf {
    fn name(&self) -> &'static str {
        "ebpf"
    }

    fn match_probes(&mut self, desc: &ProbeDesc) -> Result<ProbeMatch, BackendError> {
        Ok(self.registry.find(desc))
    }

    fn probe(&self, id: ProbeId) -> Option<&Probe> {
        self.registry.get(id).map(|known| &known.probe)
    }

    fn type_source(&mut self) -> Option<&mut dyn TypeSource> {
        Some(&mut self.types)
    }

    fn library(&self) -> Vec<LibraryPart<'_>> {
        let machine = LibraryPart { words: "__tick_ns", text: &self.machine };
        std::iter::once(machine).chain(crate::provider::LIBRARY.iter().copied()).collect()
    }

    fn load(&mut self, program: &Program, options: &Options) -> Result<Box<dyn Session>, LoadError> {
        let config = std::mem::take(&mut self.config);
        let known = Rc::clone(&self.registry.known);
        let session = running::Running::load(
            program,
            options,
            known,
            config,
            self.registry.scanner.fresh(),
            &self.features,
        )?;
        Ok(Box::new(session))
    }

    fn check(&mut self, program: &Program, options: &Options) -> Result<(), LoadError> {
        running::Running::check(program, options, &self.registry.known, &self.features)
    }
}

/// A kernel error in the words of the seam.
fn system(error: Error) -> BackendError {
    let bare = Error { hint: None, ..error.clone() };
    BackendError { message: bare.to_string(), notes: error.hint.into_iter().collect() }
}
