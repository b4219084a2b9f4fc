//! Providers made of kernel tracepoints: a probe is what it stands on, when, and what its arguments are.
//!
//! `proc`, `sched`, `io`, ... are lists of these, one file each. Offsets come from the kernel's BTF; a probe whose
//! tracepoint or field this kernel lacks is left out.

use super::{How, Search};
use crate::btf::{Btf, Kind};
use crate::codegen::{ArgSource, Test};
use duotrace_core::probe::{ProbeArg, ProbeDesc, glob_match};

/// The module that these probes belong to.
const MODULE: &str = "vmlinux";

/// One probe.
#[derive(Debug)]
pub struct Composite {
    name: &'static str,
    tracepoint: &'static str,
    /// Where the kernel has no such tracepoint, with the same arguments.
    older: Option<&'static str>,
    task: Option<u16>,
    /// Is it told of at the end of a wait for a lock, whose beginning must be known?
    wait: bool,
    /// `None` as soon as something is missing in this kernel.
    guard: Option<Vec<Test>>,
    args: Option<Vec<ArgSource>>,
    types: Vec<ProbeArg>,
}

impl Composite {
    /// A probe that stands on a tracepoint.
    pub fn new(name: &'static str, tracepoint: &'static str) -> Composite {
        Composite {
            name,
            tracepoint,
            older: None,
            task: None,
            wait: false,
            guard: Some(Vec::new()),
            args: Some(Vec::new()),
            types: Vec::new(),
        }
    }

    /// The tracepoint of older kernels.
    pub fn or(mut self, tracepoint: &'static str) -> Composite {
        self.older = Some(tracepoint);
        self
    }

    /// Fires only where the test holds.
    pub fn when(mut self, test: Option<Test>) -> Composite {
        match (&mut self.guard, test) {
            (Some(guard), Some(test)) => guard.push(test),
            (guard, _) => *guard = None,
        }
        self
    }

    /// The context word that is the task to which this happens, where that is not the current one.
    pub fn of_task(mut self, word: u16) -> Composite {
        self.task = Some(word);
        self
    }

    /// Stands at the end of a wait for a lock: see [`ArgSource::Wait`].
    pub fn after_wait(mut self) -> Composite {
        self.wait = true;
        self
    }

    /// The next argument.
    pub fn arg(self, ty: &str, source: Option<ArgSource>) -> Composite {
        self.push(ty, None, source)
    }

    /// The next argument, translated from a kernel type.
    pub fn translated(self, ty: &str, native: &str, source: Option<ArgSource>) -> Composite {
        self.push(ty, Some(native.to_string()), source)
    }

    /// The next argument, from the same source as the one before.
    pub fn also(mut self, ty: &str, native: &str) -> Composite {
        let from = self.args.as_ref().map_or(0, |args| args.len().saturating_sub(1) as u32);
        self.types.push(ProbeArg { ty: ty.to_string(), native: Some(native.to_string()), from });
        self
    }

    fn push(mut self, ty: &str, native: Option<String>, source: Option<ArgSource>) -> Composite {
        match (&mut self.args, source) {
            (Some(args), Some(source)) => {
                self.types.push(ProbeArg { ty: ty.to_string(), native, from: args.len() as u32 });
                args.push(source);
            }
            (args, _) => *args = None,
        }
        self
    }
}

/// The n-th argument of the tracepoint.
pub fn word(n: u16) -> Option<ArgSource> {
    Some(ArgSource::Ctx(n))
}

/// A number.
pub fn constant(value: i64) -> Option<ArgSource> {
    Some(ArgSource::Const(value))
}

/// A member of the kernel structure that a source points to.
pub fn field(btf: &Btf, of: Option<ArgSource>, structure: &str, path: &str) -> Option<ArgSource> {
    let field = btf.field(structure, path)?;
    Some(of?.field(field.offset, field.bytes.min(8) as u8, field.signed))
}

/// The source has this value.
pub fn is(source: Option<ArgSource>, value: i32) -> Option<Test> {
    Some(Test::is(source?, value))
}

/// The source has another value.
pub fn is_not(source: Option<ArgSource>, value: i32) -> Option<Test> {
    Some(Test::is_not(source?, value))
}

/// The source has one of these values.
pub fn one_of(source: Option<ArgSource>, values: &[i32]) -> Option<Test> {
    Some(Test { source: source?, one_of: values.to_vec(), not: false })
}

/// Adds those of a provider's probes that a description matches.
pub fn find(search: &mut Search<'_>, provider: &str, probes: fn(&Btf) -> Vec<Composite>) {
    let desc = search.desc;
    if !search.is_provider(provider) || !glob_match(&desc.module, MODULE) || !glob_match(&desc.function, "") {
        return;
    }
    // `:::BEGIN` has been found before it comes to this; the kernel's types need not be read for it.
    if desc.provider.is_empty() && desc != &ProbeDesc::default() && search.any() {
        return;
    }
    let Some(btf) = Btf::vmlinux() else {
        search.notes.push(format!(
            "the {provider} provider needs the kernel's types, and there is no {} (CONFIG_DEBUG_INFO_BTF)",
            crate::btf::VMLINUX
        ));
        return;
    };
    let mut names = Vec::new();
    for probe in probes(btf) {
        names.push(probe.name);
        if !glob_match(&desc.name, probe.name) {
            continue;
        }
        let (Some(guard), Some(args)) = (probe.guard, probe.args) else { continue };
        let exists = |name: &&str| {
            matches!(*name, "sys_enter" | "sys_exit")
                || btf.find(&[Kind::Typedef], &format!("btf_trace_{name}")).is_some()
        };
        let Some(tracepoint) = [Some(probe.tracepoint), probe.older].into_iter().flatten().find(exists)
        else {
            search
                .notes
                .push(format!("{provider}:::{} needs the tracepoint {}", probe.name, probe.tracepoint));
            continue;
        };
        let how = How::Kernel {
            tracepoint: tracepoint.to_string(),
            typed: probe.task.is_some(),
            guard,
            args,
            task: probe.task,
            wait: probe.wait,
        };
        search.add([provider, MODULE, "", probe.name], Some(probe.types), how);
    }
    if !search.any() && search.notes.is_empty() && desc.provider == provider {
        search.notes.push(format!("probes of the {provider} provider are {}", names.join(", ")));
    }
}
