//! What stands before a record's data: columns of CPU, probe and function, or
//! the function indented by call depth (`-F`, `flowindent`).

/// A probe, as far as its name is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe<'a> {
    /// The number that `dtrace -l` shows.
    pub id: u32,
    /// First part of the name.
    pub provider: &'a str,
    /// Third part; may be empty.
    pub function: &'a str,
    /// Last part.
    pub name: &'a str,
}

/// The line above the first record. Under `-q` there is none, unless `flowindent` is on. Without `numbers` the columns
/// that differ from run to run (CPU, ID) are left out.
pub fn heading(out: &mut Vec<u8>, quiet: bool, flowindent: bool, numbers: bool) {
    match (flowindent, numbers) {
        (true, true) => push(out, &format!("{:>3} {:<41}\n", "CPU", "FUNCTION")),
        (true, false) => push(out, &format!("{:<41}\n", "FUNCTION")),
        (false, _) if quiet => {}
        (false, true) => push(out, &format!("{:>3} {:>6} {:>32}\n", "CPU", "ID", "FUNCTION:NAME")),
        (false, false) => push(out, &format!("{:>32}\n", "FUNCTION:NAME")),
    }
}

/// The columns before a record's data; not for `-q`. `cpu`: `None` leaves out both numbers.
pub fn prefix(out: &mut Vec<u8>, cpu: Option<u32>, probe: &Probe<'_>) {
    let name = format!("{}:{}", probe.function, probe.name);
    if let Some(cpu) = cpu {
        push(out, &format!("{cpu:>3} {:>6} ", probe.id));
    }
    push(out, &format!("{name:>32} "));
}

/// How a record changes the indentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Entry,
    Return,
    None,
}

/// Call depth on one CPU, which the consumer keeps for each.
#[derive(Clone, Debug, Default)]
pub struct FlowState {
    indent: usize,
    /// Probe and clause of the record before.
    last: Option<(u32, u32)>,
}

/// The columns before a record's data under `flowindent`, `-q` or not. `clause` is the number of the clause that
/// recorded: a second clause of the same entry probe does not go deeper. `cpu`: `None` leaves out the number.
pub fn flow_prefix(
    out: &mut Vec<u8>,
    state: &mut FlowState,
    cpu: Option<u32>,
    probe: &Probe<'_>,
    clause: u32,
) {
    let mut flow = if ends_word(probe.name, "entry") {
        Flow::Entry
    } else if ends_word(probe.name, "return") {
        Flow::Return
    } else {
        Flow::None
    };
    if flow == Flow::Entry && state.last.is_some_and(|(id, other)| id == probe.id && other != clause) {
        flow = Flow::None;
    }
    if flow == Flow::Return {
        state.indent = state.indent.saturating_sub(2);
    }
    let is_syscall = probe.provider == "syscall";
    let arrow = match flow {
        Flow::Entry if is_syscall => " => ",
        Flow::Entry => " -> ",
        Flow::Return if is_syscall => " <= ",
        Flow::Return => " <- ",
        Flow::None => "| ",
    };
    let name = match flow {
        Flow::None => format!("{}:{}", probe.function, probe.name),
        _ => probe.function.to_string(),
    };
    // A stack that never returns (a probe of entries alone) must not fill the disk with spaces.
    let indent = " ".repeat(state.indent.min(4096));
    if let Some(cpu) = cpu {
        push(out, &format!("{cpu:>3} "));
    }
    push(out, &format!("{:<41} ", format!("{indent}{arrow}{name}")));
    if flow == Flow::Entry {
        state.indent += 2;
    }
    state.last = Some((probe.id, clause));
}

/// Is the name the word, or does it end with the word after a hyphen (`method-entry`, but not `carpentry`)?
fn ends_word(name: &str, word: &str) -> bool {
    name.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with('-'))
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe<'a>(id: u32, provider: &'a str, function: &'a str, name: &'a str) -> Probe<'a> {
        Probe { id, provider, function, name }
    }

    #[test]
    fn columns_of_a_record() {
        let mut out = Vec::new();
        heading(&mut out, false, false, true);
        prefix(&mut out, Some(0), &probe(1, "dtrace", "", "BEGIN"));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "CPU     ID                    FUNCTION:NAME\n  0      1                           :BEGIN "
        );
        let mut out = Vec::new();
        heading(&mut out, true, false, false);
        assert!(out.is_empty());
        heading(&mut out, false, false, false);
        prefix(&mut out, None, &probe(1, "dtrace", "", "BEGIN"));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "                   FUNCTION:NAME\n                          :BEGIN "
        );
        let mut out = Vec::new();
        heading(&mut out, true, true, true);
        assert_eq!(out, format!("CPU {:<41}\n", "FUNCTION").as_bytes());
    }

    #[test]
    fn entries_go_deeper_and_returns_come_back() {
        let mut state = FlowState::default();
        let mut lines = Vec::new();
        for (probe, clause) in [
            (probe(1, "dtrace", "", "BEGIN"), 0),
            (probe(2, "syscall", "read", "entry"), 1),
            (probe(2, "syscall", "read", "entry"), 2),
            (probe(3, "fbt", "vfs_read", "entry"), 3),
            (probe(4, "js", "f", "carpentry"), 4),
            (probe(5, "fbt", "vfs_read", "return"), 5),
            (probe(6, "syscall", "read", "return"), 6),
            (probe(7, "js", "g", "function-return"), 7),
        ] {
            let mut out = Vec::new();
            flow_prefix(&mut out, &mut state, Some(1), &probe, clause);
            assert_eq!(out.len(), 46);
            lines.push(String::from_utf8(out).unwrap().trim_end().to_string());
        }
        assert_eq!(
            lines,
            [
                "  1 | :BEGIN",
                "  1  => read",
                "  1   | read:entry",
                "  1    -> vfs_read",
                "  1     | f:carpentry",
                "  1    <- vfs_read",
                "  1  <= read",
                "  1  <- g",
            ]
        );
    }
}
