//! Which system traces: eBPF on Linux, libdtrace elsewhere, or what `--backend` says.

use crate::flags::{Flag, Given};
use crate::libdtrace;
use crate::run::Failed;
use crate::texts::Named;
use duotrace_core::options::Options;
use duotrace_core::sema::ProgramText;

/// A backend that runs scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Ebpf,
    Dtrace,
}

/// What `--backend` chooses; the error is a line for the user.
pub fn choice(given: &Given) -> Result<Choice, String> {
    match given.values(Flag::Backend).last() {
        Some("dtrace") => Ok(Choice::Dtrace),
        Some("ebpf") if cfg!(target_os = "linux") => Ok(Choice::Ebpf),
        Some("ebpf") => Err("--backend ebpf: there is no eBPF on this system".to_string()),
        None | Some("auto") => Ok(if cfg!(target_os = "linux") { Choice::Ebpf } else { Choice::Dtrace }),
        Some(other) => Err(format!("--backend {other}: not one of ebpf, dtrace, auto")),
    }
}

/// Compiles the programs and runs them on the chosen backend.
pub fn trace(
    choice: Choice,
    given: &Given,
    options: Options,
    programs: Vec<ProgramText>,
    names: &[Named],
) -> Result<u8, Failed> {
    match choice {
        #[cfg(target_os = "linux")]
        Choice::Ebpf => crate::ebpf::trace(given, options, programs, names),
        // `choice` does not choose eBPF elsewhere.
        #[cfg(not(target_os = "linux"))]
        Choice::Ebpf => Err(crate::run::fail("there is no eBPF on this system")),
        Choice::Dtrace => libdtrace::trace(given, options, programs, names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_backend_flag_counts() {
        let choose = |words: &[&str]| {
            let flags = words.iter().map(|word| (Flag::Backend, word.to_string())).collect();
            choice(&Given { flags, ..Given::default() })
        };
        assert_eq!(choose(&["dtrace"]), Ok(Choice::Dtrace));
        let own = if cfg!(target_os = "linux") { Choice::Ebpf } else { Choice::Dtrace };
        assert_eq!(choose(&[]), Ok(own));
        assert_eq!(choose(&["dtrace", "auto"]), Ok(own));
        assert_eq!(choose(&["ebpf"]).is_ok(), cfg!(target_os = "linux"));
        assert_eq!(choose(&["kprobe"]), Err("--backend kprobe: not one of ebpf, dtrace, auto".to_string()));
    }
}
