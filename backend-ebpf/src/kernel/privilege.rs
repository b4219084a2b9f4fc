//! Why the kernel says "operation not permitted", in words that tell what to change.

use std::fs::read_to_string;

/// Capabilities by their bit (`linux/capability.h`).
const CAPABILITIES: [(u32, &str); 5] = [
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
    (21, "CAP_SYS_ADMIN"),
    (19, "CAP_SYS_PTRACE"),
    (2, "CAP_DAC_READ_SEARCH"),
];

/// What this process may do and what the system forbids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// The effective capabilities as a bit set.
    pub effective: u64,
    /// `kernel.unprivileged_bpf_disabled` (0 allows, 1 and 2 forbid).
    pub unprivileged_bpf_disabled: Option<i64>,
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<i64>,
    /// The lockdown mode (`none`, `integrity`, `confidentiality`), where securityfs shows it.
    pub lockdown: Option<String>,
    /// A seccomp filter is active, as in most containers.
    pub seccomp: bool,
}

impl Privileges {
    /// Reads them; what cannot be read is left out.
    pub fn read() -> Privileges {
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        let sysctl = |name: &str| {
            read_to_string(format!("/proc/sys/kernel/{name}")).ok().and_then(|text| text.trim().parse().ok())
        };
        Privileges {
            effective: effective(&status),
            unprivileged_bpf_disabled: sysctl("unprivileged_bpf_disabled"),
            perf_event_paranoid: sysctl("perf_event_paranoid"),
            lockdown: read_to_string("/sys/kernel/security/lockdown").ok().and_then(|text| chosen(&text)),
            seccomp: status
                .lines()
                .any(|line| line.strip_prefix("Seccomp:").is_some_and(|n| n.trim() == "2")),
        }
    }

    fn has(&self, bit: u32) -> bool {
        self.effective >> bit & 1 == 1
    }

    /// The capabilities that matter here and that this process has.
    pub fn held(&self) -> Vec<&'static str> {
        CAPABILITIES.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| *name).collect()
    }

    /// Can programs be loaded and attached at all?
    pub fn can_trace(&self) -> bool {
        self.missing().is_empty()
    }

    /// The capabilities that tracing needs and that are not there.
    pub fn missing(&self) -> Vec<&'static str> {
        if self.has(21) {
            return Vec::new();
        }
        CAPABILITIES.iter().take(2).filter(|(bit, _)| !self.has(*bit)).map(|(_, name)| *name).collect()
    }

    /// One line for a call that failed with `EPERM` or `EACCES`.
    pub fn explain(&self) -> String {
        let missing = self.missing();
        if !missing.is_empty() {
            let mut text = format!("needs {} (run as root, or setcap)", missing.join(" and "));
            if let Some(level @ 1..) = self.unprivileged_bpf_disabled {
                text += &format!("; kernel.unprivileged_bpf_disabled is {level}");
            }
            if let Some(level @ 2..) = self.perf_event_paranoid {
                text += &format!("; kernel.perf_event_paranoid is {level}");
            }
            return text;
        }
        if let Some(mode @ ("integrity" | "confidentiality")) = self.lockdown.as_deref() {
            return format!("the kernel is locked down ({mode}), which forbids reading memory from BPF");
        }
        if self.seccomp {
            return "the capabilities are there but a seccomp filter is active (a container?)".to_string();
        }
        "the capabilities are there; a security module, a container or the kernel's configuration forbids it"
            .to_string()
    }
}

fn effective(status: &str) -> u64 {
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or("").trim();
    u64::from_str_radix(hex, 16).unwrap_or(0)
}

/// The choice in brackets of a line such as `none [integrity] confidentiality`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(mode, _)| mode.to_string())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn capabilities_and_lockdown_are_parsed() {
        assert_eq!(effective("Name:\tx\nCapEff:\t000000c000000000\n"), 0xc0_0000_0000);
        assert_eq!(chosen("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        assert_eq!(chosen(""), None);
    }

    #[test]
    fn the_missing_capability_is_named() {
        let nobody = Privileges { unprivileged_bpf_disabled: Some(2), ..Privileges::default() };
        assert_eq!(
            nobody.explain(),
            "needs CAP_PERFMON and CAP_BPF (run as root, or setcap); kernel.unprivileged_bpf_disabled is 2"
        );
        let half = Privileges { effective: 1 << 39, ..Privileges::default() };
        assert_eq!(half.missing(), ["CAP_PERFMON"]);
        let locked = Privileges {
            effective: 1 << 21,
            lockdown: Some("confidentiality".to_string()),
            ..Privileges::default()
        };
        assert!(locked.explain().contains("locked down (confidentiality)"));
    }
}
