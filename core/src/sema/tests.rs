//! Whole programs through the checker with a backend that knows only BEGIN.
//!
//! The tags are those that libdtrace gives the same programs.

mod fuzz;
mod programs;
mod refusals;

use super::{CompileConfig, Compiled, ProgramKind, ProgramText, compile};
use crate::backend::{Backend, BackendError, LoadError, ProbeMatch, Session, TypeSource};
use crate::ir::Program;
use crate::options::Options;
use crate::probe::{Probe, ProbeDesc, ProbeId, glob_match};

/// Knows `dtrace:::BEGIN`.
struct OnlyBegin(Probe);

impl OnlyBegin {
    fn new() -> OnlyBegin {
        OnlyBegin(Probe {
            id: ProbeId(1),
            provider: "dtrace".to_string(),
            module: String::new(),
            function: String::new(),
            name: "BEGIN".to_string(),
            args: None,
        })
    }
}

impl Backend for OnlyBegin {
    fn name(&self) -> &'static str {
        "begin"
    }

    fn match_probes(&mut self, desc: &ProbeDesc) -> Result<ProbeMatch, BackendError> {
        let found = glob_match(&desc.provider, "dtrace") && glob_match(&desc.name, "BEGIN");
        Ok(ProbeMatch { probes: found.then_some(ProbeId(1)).into_iter().collect(), ..ProbeMatch::default() })
    }

    fn probe(&self, _: ProbeId) -> Option<&Probe> {
        Some(&self.0)
    }

    fn type_source(&mut self) -> Option<&mut dyn TypeSource> {
        None
    }

    fn load(&mut self, _: &Program, _: &Options) -> Result<Box<dyn Session>, LoadError> {
        Err(LoadError::System(BackendError::new("nothing runs here")))
    }
}

/// Compiles a script.
fn checked(text: &str) -> Compiled {
    let texts = [ProgramText { name: "t.d".to_string(), text: text.to_string(), kind: ProgramKind::Script }];
    compile(&texts, &CompileConfig::default(), &mut Options::new(), &mut OnlyBegin::new())
}

/// The tag of the first error, or nothing.
fn tag(text: &str) -> String {
    checked(text).error().map_or(String::new(), |diag| diag.tag.to_string())
}
