//! The eBPF backend: Linux.

use crate::doctor::Part;
use crate::flags::{Flag, Given};
use crate::run::{self, Failed, fail};
use crate::texts::Named;
use duotrace_core::options::{Options, opt};
use duotrace_core::sema::ProgramText;
use duotrace_ebpf::kernel::features::{Feature, Features};
use duotrace_ebpf::kernel::privilege::Privileges;
use duotrace_ebpf::kernel::tracefs::Tracefs;
use duotrace_ebpf::process::child::{Child, EvalTime};
use duotrace_ebpf::process::command::EnvChange;
use duotrace_ebpf::{Ebpf, EbpfConfig};
use std::path::PathBuf;

/// Compiles the programs and runs them.
pub fn trace(
    given: &Given,
    options: Options,
    programs: Vec<ProgramText>,
    names: &[Named],
) -> Result<u8, Failed> {
    let targets = Targets::take(given, &options)?;
    let mut backend = Ebpf::new(EbpfConfig {
        targets: targets.pids.clone(),
        children: targets.children,
        virtual_providers: std::env::var_os("DUOTRACE_PROVIDERS").map(PathBuf::from),
    });
    run::trace(given, options, programs, names, &targets.pids, &mut backend)
}

/// What `duotrace doctor` says of the kernel.
pub fn survey() -> Part {
    let privileges = Privileges::read();
    let number = |n: Option<i64>| n.map_or("not there".to_string(), |n| n.to_string());
    let btf = std::fs::metadata(BTF).map(|file| format!("{BTF}, {} bytes", file.len()));
    let tracefs = match Tracefs::open().and_then(|tracefs| tracefs.tracepoints()) {
        Ok(found) => format!("{} tracepoints", found.len()),
        Err(error) => format!("no: {error}"),
    };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let held = privileges.held();
    let mut facts: Vec<(String, String)> = [
        ("kernel", release.trim().to_string()),
        (
            "capabilities",
            if held.is_empty() { "none of those that matter".to_string() } else { held.join(" ") },
        ),
        ("lockdown", privileges.lockdown.clone().unwrap_or("not told".to_string())),
        ("unprivileged_bpf_disabled", number(privileges.unprivileged_bpf_disabled)),
        ("perf_event_paranoid", number(privileges.perf_event_paranoid)),
        ("seccomp filter", if privileges.seccomp { "active" } else { "none" }.to_string()),
        ("kernel types (BTF)", btf.unwrap_or_else(|error| format!("no: {error}"))),
        ("tracefs", tracefs),
    ]
    .map(|(name, fact)| (name.to_string(), fact))
    .to_vec();
    let features = Features::new();
    for feature in Feature::ALL {
        let answer = match features.supports(feature) {
            Ok(()) => "yes".to_string(),
            Err(why) => format!("no: {}", why.lines().next().unwrap_or("")),
        };
        facts.push((feature.name().to_string(), answer));
    }
    // Everything else has a second way.
    let usable = match features.supports(Feature::Ringbuf) {
        Ok(()) if privileges.can_trace() => Ok(()),
        Ok(()) => Err(privileges.explain()),
        Err(_) if !privileges.can_trace() => Err(privileges.explain()),
        Err(why) => Err(format!("no ring buffers: {why}")),
    };
    Part { title: "eBPF", usable, facts }
}

/// Where the kernel shows its types.
const BTF: &str = "/sys/kernel/btf/vmlinux";

/// The processes of `-c` and `-p`.
struct Targets {
    /// In the order given: the first is `$target`.
    pids: Vec<u32>,
    children: Vec<Child>,
}

impl Targets {
    fn take(given: &Given, options: &Options) -> Result<Targets, Failed> {
        let mut targets = Targets { pids: Vec::new(), children: Vec::new() };
        let env = environment(options);
        let when = options.text(opt::EVALTIME).and_then(EvalTime::from_name).unwrap_or_default();
        for (flag, value) in &given.flags {
            match flag {
                Flag::Command => {
                    let child = Child::launch(value, &env, when).map_err(|error| fail(error.to_string()))?;
                    targets.pids.push(child.pid().cast_unsigned());
                    targets.children.push(child);
                }
                Flag::Process => {
                    let pid = run::pid(value)?;
                    if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
                        return Err(fail(format!("failed to grab process {pid}: No such process")));
                    }
                    targets.pids.push(pid);
                }
                _ => {}
            }
        }
        Ok(targets)
    }
}

/// `-x setenv=NAME=VALUE`, `-x unsetenv=NAME`.
fn environment(options: &Options) -> Vec<EnvChange> {
    let set = options.list(opt::SETENV).iter().map(|text| match text.split_once('=') {
        Some((name, value)) => EnvChange::Set(name.into(), value.into()),
        None => EnvChange::Set(text.into(), "".into()),
    });
    let unset = options.list(opt::UNSETENV).iter().map(|name| EnvChange::Unset(name.into()));
    set.chain(unset).collect()
}
