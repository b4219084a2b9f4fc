//! Oracle's library and providers by pattern: `postgresql*:::query-start` matches nothing there, not even with `-p`; it
//! knows such probes only by the name with the pid, `postgresql$target`. Where a process is held, that is what a script
//! must mean, and so it is read.

/// The pattern of a provider that a message says matches nothing: `postgresql*` of `[D_PDESC_ZERO] line 3: probe
/// description postgresql*:::query-start does not match any probes`.
pub fn unmatched(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("probe description ")?;
    let (provider, _) = rest.split_once(':')?;
    let stem = provider.strip_suffix('*')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!stem.is_empty() && stem.chars().all(is_name)).then_some(provider)
}

/// The program with `$target` in place of the pattern's `*`, in probe descriptions; `None` if there is none. Lines stay
/// where they are.
pub fn held(text: &str, pattern: &str) -> Option<String> {
    let stem = pattern.strip_suffix('*')?;
    let described = format!("{pattern}:");
    let (mut out, mut found) = (String::with_capacity(text.len() + 64), false);
    let (mut rest, mut depth, mut before) = (text, 0usize, ' ');
    while let Some(c) = rest.chars().next() {
        let token = match c {
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' | '\'' => quoted(rest, c),
            '#' if matches!(before, '\n' | ' ') => rest.find('\n').unwrap_or(rest.len()),
            _ => c.len_utf8(),
        };
        let is_start = !(before.is_ascii_alphanumeric() || matches!(before, '_' | '$' | ':' | '*'));
        if depth == 0 && is_start && rest.starts_with(&described) {
            out.push_str(stem);
            out.push_str("$target");
            (found, before) = (true, 't');
            rest = rest.get(pattern.len()..).unwrap_or("");
            continue;
        }
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let (taken, left) = rest.split_at_checked(token).unwrap_or((rest, ""));
        out.push_str(taken);
        before = taken.chars().next_back().unwrap_or(' ');
        rest = left;
    }
    found.then_some(out)
}

/// Length of a quoted text, with its quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // An apostrophe that nothing closes on its line.
            '\n' => return 1,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_of_a_message() {
        let message =
            "[D_PDESC_ZERO] line 3: probe description postgresql*:::query-start does not match any probes";
        assert_eq!(unmatched(message), Some("postgresql*"));
        for other in [
            "probe description syscall::nosuch:entry does not match any probes",
            "probe description *:::x does not match any probes",
            "probe description p*q*:::x does not match any probes",
            "failed to resolve foo*:::x",
        ] {
            assert_eq!(unmatched(other), None, "{other}");
        }
    }

    #[test]
    fn only_descriptions_are_read_differently() {
        let text = "/* pg*:::x's */\n#pragma D option quiet\npg*:::a, mypg*:::b,pg*:f::c\n/x == \"pg*:\"/\n\
                    { y = z ? pg*:1; '\"'; }\npg*::d:\n{ }\n";
        let expected = "/* pg*:::x's */\n#pragma D option quiet\npg$target:::a, mypg*:::b,pg$target:f::c\n\
                        /x == \"pg*:\"/\n{ y = z ? pg*:1; '\"'; }\npg$target::d:\n{ }\n";
        assert_eq!(held(text, "pg*").as_deref(), Some(expected));
        assert_eq!(held("pgx*:::a { }", "pg*"), None);
        assert_eq!(held("é'\"", "pg*"), None);
        assert_eq!(held("/* open", "pg*"), None);
    }
}
