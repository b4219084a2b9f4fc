//! `-l`: the probes there are, or those that a program means.

use crate::FAILURE;
use crate::report;
use crate::texts::Named;
use duotrace_core::backend::{Backend, BackendError};
use duotrace_core::ir::Clause;
use duotrace_core::probe::{Probe, ProbeArg, ProbeDesc};
use duotrace_core::sema::Compiled;
use duotrace_core::sema::stability::Vouched;
use std::fmt::Write;

/// dtrace(1M)'s columns.
pub const HEADING: &str = "   ID   PROVIDER            MODULE                          FUNCTION NAME\n";

/// Three words of stability under a title.
fn attributes(out: &mut String, title: &str, [name, data, class]: [&str; 3]) {
    let _ = writeln!(
        out,
        "\n\t{title}\n\t\tIdentifier Names: {name}\n\t\tData Semantics:   {data}\n\t\tDependency Class: {class}"
    );
}

/// The stability report of a program: the least of its descriptions and of its statements.
pub fn stability(named: &Named, description: [&str; 3], statement: [&str; 3]) -> String {
    let mut out = format!("\nStability attributes for {} {}:\n", named.what, named.name);
    attributes(&mut out, "Minimum Probe Description Attributes", description);
    attributes(&mut out, "Minimum Statement Attributes", statement);
    out
}

/// A probe, with `-v` also how stable it is (where that is known) and what its arguments are.
pub fn line(out: &mut String, probe: &Probe, verbose: bool, vouched: bool) {
    let Probe { id, provider, module, function, name, args } = probe;
    let _ = writeln!(out, "{:>5} {provider:>10} {module:>17} {function:>33} {name}", id.0);
    if !verbose {
        return;
    }
    if vouched {
        let desc = ProbeDesc {
            provider: provider.clone(),
            module: module.clone(),
            function: function.clone(),
            name: name.clone(),
            id: None,
        };
        vouch(out, &desc);
    }
    arguments(out, args.as_deref());
}

/// How stable what a description names is, and the arguments there.
fn vouch(out: &mut String, desc: &ProbeDesc) {
    attributes(out, "Probe Description Attributes", Vouched::description(desc).words());
    attributes(out, "Argument Attributes", Vouched::arguments(desc).words());
}

/// What `-e -v` says of each description of a program.
pub fn descriptions<'c>(backend: &dyn Backend, clauses: impl Iterator<Item = &'c Clause>) -> String {
    let mut out = String::new();
    for clause in clauses {
        for enabling in &clause.probes {
            let desc = &enabling.desc;
            let _ = writeln!(out, "\n{desc}");
            vouch(&mut out, desc);
            let only = match enabling.probes.as_slice() {
                [only] => backend.probe(*only),
                _ => None,
            };
            arguments(&mut out, only.and_then(|probe| probe.args.as_deref()));
        }
    }
    out
}

fn arguments(out: &mut String, args: Option<&[ProbeArg]>) {
    out.push_str("\n\tArgument Types\n");
    match args {
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
    found
        .probes
        .iter()
        .filter_map(|id| backend.probe(*id))
        .for_each(|probe| line(&mut out, probe, verbose, true));
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
        probes.for_each(|probe| line(&mut out, probe, verbose, true));
    }
    show(&out);
    if missed && !found { FAILURE } else { 0 }
}
