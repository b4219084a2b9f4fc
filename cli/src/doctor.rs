//! `duotrace doctor`: what this system lets duotrace do, and what is missing: for whoever wonders why a script does not
//! run, and for reports of problems.

use crate::commands::misused;
use crate::list::show;
use crate::{FAILURE, libdtrace};
use std::fmt::Write;

/// A part of the report: what it is about, whether that can be used, and facts by name.
pub struct Part {
    pub title: &'static str,
    /// Can it trace? The error says what is missing.
    pub usable: Result<(), String>,
    pub facts: Vec<(String, String)>,
}

/// The report. Exit status 0 where the backend that is used by default can trace, else 1.
pub fn run(words: &[String]) -> u8 {
    if !words.is_empty() {
        return misused("doctor");
    }
    let parts = parts();
    show(&report(&parts));
    // The first is the default.
    match parts.first().is_some_and(|part| part.usable.is_ok()) {
        true => 0,
        false => FAILURE,
    }
}

/// The backends, the default one first, then what they use.
fn parts() -> Vec<Part> {
    vec![
        #[cfg(target_os = "linux")]
        crate::ebpf::survey(),
        libdtrace::survey(),
        preprocessor(),
    ]
}

/// The program of `-C`.
fn preprocessor() -> Part {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("cpp")).find(|file| file.is_file());
    Part {
        title: "preprocessor (-C)",
        usable: found.as_ref().map(|_| ()).ok_or_else(|| "no cpp in PATH".to_string()),
        facts: found.map(|file| ("path".to_string(), file.display().to_string())).into_iter().collect(),
    }
}

fn report(parts: &[Part]) -> String {
    let mut text = format!(
        "duotrace {} on {} {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    for Part { title, usable, facts } in parts {
        let verdict = match usable {
            Ok(()) => "yes".to_string(),
            Err(why) => format!("no: {why}"),
        };
        let _ = writeln!(text, "\n{title}: {verdict}");
        for (name, fact) in facts {
            let _ = writeln!(text, "  {name:<28} {fact}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let part = Part {
            title: "eBPF",
            usable: Err("needs CAP_BPF".to_string()),
            facts: vec![("lockdown".to_string(), "none".to_string())],
        };
        let text = report(&[part]);
        assert!(text.ends_with("\neBPF: no: needs CAP_BPF\n  lockdown                     none\n"), "{text}");
    }

    #[test]
    fn the_report_has_both_backends() {
        let titles: Vec<&str> = parts().iter().map(|part| part.title).collect();
        assert!(titles.contains(&"libdtrace") && titles.contains(&"preprocessor (-C)"));
        assert_eq!(titles.first() == Some(&"eBPF"), cfg!(target_os = "linux"));
    }
}
