//! `-l`: the probes there are, or those that a program means.

use crate::FAILURE;
use crate::report;
use duotrace_core::backend::{Backend, BackendError};
use duotrace_core::probe::{Probe, ProbeDesc};
use duotrace_core::sema::Compiled;
use std::fmt::Write;

/// dtrace(1M)'s columns.
pub const HEADING: &str = "   ID   PROVIDER            MODULE                          FUNCTION NAME\n";

pub fn line(out: &mut String, probe: &Probe, verbose: bool) {
    let Probe { id, provider, module, function, name, args } = probe;
    let _ = writeln!(out, "{:>5} {provider:>10} {module:>17} {function:>33} {name}", id.0);
    if !verbose {
        return;
    }
    out.push_str("\n\tArgument Types\n");
    match args.as_deref() {
        None | Some([]) => out.push_str("\t\tNone\n"),
        Some(args) => {
            for (index, arg) in args.iter().enumerate() {
                let _ = writeln!(out, "\t\targs[{index}]: {}", arg.ty);
            }
        }
    }
    out.push('\n');
}

/// Writes; a reader that has gone is no error.
pub fn show(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}

/// Every probe.
pub fn all(backend: &mut dyn Backend, verbose: bool) -> Result<u8, BackendError> {
    let found = backend.match_probes(&ProbeDesc::default())?;
    let mut out = HEADING.to_string();
    found.probes.iter().filter_map(|id| backend.probe(*id)).for_each(|probe| line(&mut out, probe, verbose));
    show(&out);
    Ok(0)
}

/// The probes of a program's descriptions, each with its own.
pub fn program(backend: &dyn Backend, compiled: &Compiled, verbose: bool) -> u8 {
    let mut out = HEADING.to_string();
    let (mut found, mut missed) = (false, false);
    for enabling in compiled.program.clauses.iter().flat_map(|clause| &clause.probes) {
        if enabling.probes.is_empty() {
            let ProbeDesc { provider, module, function, name, id } = &enabling.desc;
            match id {
                Some(id) => report::line(&format!("failed to match id {id}: No probe matches description")),
                None => report::line(&format!(
                    "failed to match {provider}:{module}:{function}:{name}: No probe matches description"
                )),
            }
            missed = true;
        }
        found |= !enabling.probes.is_empty();
        let probes = enabling.probes.iter().filter_map(|id| backend.probe(*id));
        probes.for_each(|probe| line(&mut out, probe, verbose));
    }
    show(&out);
    if missed && !found { FAILURE } else { 0 }
}
