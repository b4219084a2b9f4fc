//! Events written by hand, one on a line, for tests of scripts:
//!
//! ```text
//! # time probe                       values
//! +0      dtrace:::BEGIN
//! +5ms    syscall::read:entry        pid=42 execname=cat arg0=3 arg2=4096
//! +10us   syscall::read:return       pid=42 execname=cat arg0=17 errno=0
//! 1s      pid42:libc.so.6:open:entry arg0=0x1000 mem:0x1000="/etc/passwd"
//! 2s      profile:::tick-1s          ustack=0x401000,0x402000
//! ```
//!
//! A time is absolute, or with `+` counted from the event before; without unit it is in nanoseconds.
//! Values are built-in variables by their D names, `argN`, `uregs[N]`, `stack` and `ustack`,
//! `mem:ADDRESS="text"` (user memory, a NUL is added; `kmem:` is the kernel's), `mem:ADDRESS=fault`.
//! Everything that is not given is zero or empty. `tid` is `pid` unless it is given.

use crate::event::Event;
use crate::file::{Field, Schema, builtin_name, builtin_named};
use duotrace_core::ir::{Builtin, Space};
use duotrace_core::probe::{Probe, ProbeId};

/// Reads events; probes get numbers from 1 in order of appearance.
pub fn parse(text: &str) -> Result<(Vec<Schema>, Vec<Event>), String> {
    let mut schemas: Vec<Schema> = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let last = events.last().map_or(0, |event| event.time);
        let event = event(line, last, &mut schemas).map_err(|what| format!("line {}: {what}", index + 1))?;
        events.push(event);
    }
    Ok((schemas, events))
}

fn event(line: &str, last: u64, schemas: &mut Vec<Schema>) -> Result<Event, String> {
    let mut words = words(line)?.into_iter();
    let (time, probe) = (words.next().unwrap_or_default(), words.next());
    let probe = probe.ok_or("a probe is missing")?;
    let mut event = Event::complete(known(&probe, schemas)?);
    event.time = match time.strip_prefix('+') {
        Some(later) => last.saturating_add(duration(later)?),
        None => duration(&time)?,
    };
    let mut tid = None;
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("no value: {word}"))?;
        match name {
            "pid" => event.pid = small(value)?,
            "tid" => tid = Some(small(value)?),
            "cpu" => event.cpu = small(value)?,
            "stack" | "ustack" => {
                let frames: Result<Vec<u64>, String> = value.split(',').map(number).collect();
                event.set_stack(name == "ustack", &frames?);
            }
            _ => set(&mut event, name, value)?,
        }
    }
    event.tid = tid.unwrap_or(event.pid);
    Ok(event)
}

fn set(event: &mut Event, name: &str, value: &str) -> Result<(), String> {
    if let Some(n) = name.strip_prefix("arg").and_then(|n| n.parse().ok()) {
        event.set_arg(n, number(value)?);
    } else if let Some(n) = name.strip_prefix("uregs[").and_then(|n| n.strip_suffix(']')?.parse().ok()) {
        event.set_register(n, number(value)?);
    } else if let Some((space, address)) = name.split_once(':') {
        let space = match space {
            "mem" => Space::User,
            "kmem" => Space::Any,
            _ => return Err(format!("no such memory: {space}")),
        };
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        let bytes = (value != "fault").then_some(&bytes[..]);
        event.add_memory(space, number(address)?, bytes);
    } else {
        let builtin = builtin_named(name).ok_or_else(|| format!("no such variable: {name}"))?;
        if is_text(builtin) {
            event.set_text(builtin, value.as_bytes());
        } else {
            event.set_number(builtin, number(value)?);
        }
    }
    Ok(())
}

/// An event as a line that [`parse`] reads; memory that is no text is cut at its first NUL.
pub fn line(schema: &Schema, event: &Event) -> String {
    use std::fmt::Write;
    let probe = &schema.probe;
    let names = format!("{}:{}:{}:{}", probe.provider, probe.module, probe.function, probe.name);
    let plain = names.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\\'));
    let names = if plain { names } else { quoted(names.as_bytes()) };
    let mut out = format!("{} {names}", event.time);
    // Writing to a string cannot fail.
    let _ = write!(out, " pid={} tid={} cpu={}", event.pid, event.tid, event.cpu);
    for field in &schema.fields {
        let _ = match *field {
            Field::Number(builtin) => {
                write!(out, " {}={}", builtin_name(builtin), event.number(builtin).unwrap_or(0))
            }
            Field::Text(builtin) => {
                write!(out, " {}={}", builtin_name(builtin), quoted(event.text(builtin).unwrap_or(b"")))
            }
            Field::Arg(n) => write!(out, " arg{n}={}", event.arg(n).unwrap_or(0) as i64),
            Field::Register(n) => write!(out, " uregs[{n}]={:#x}", event.register(n).unwrap_or(0)),
            Field::Stack(user) => {
                let frames: Vec<String> =
                    event.stack(user).unwrap_or(&[]).iter().map(|frame| format!("{frame:#x}")).collect();
                let name = if user { "ustack" } else { "stack" };
                if frames.is_empty() { Ok(()) } else { write!(out, " {name}={}", frames.join(",")) }
            }
            Field::Memory => event.regions().try_for_each(|(space, address, bytes)| {
                let name = if space == Space::User { "mem" } else { "kmem" };
                match bytes {
                    Some(bytes) => {
                        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                        write!(out, " {name}:{address:#x}={}", quoted(bytes.get(..end).unwrap_or(bytes)))
                    }
                    None => write!(out, " {name}:{address:#x}=fault"),
                }
            }),
            Field::Answers | Field::TextAnswers | Field::Reads | Field::Unknown(_) => Ok(()),
        };
    }
    out
}

fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' => out.extend(['\\', c]),
            // A line is one event.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Is a built-in variable a string?
pub(crate) fn is_text(builtin: Builtin) -> bool {
    use Builtin::*;
    matches!(
        builtin,
        Execname | Probeprov | Probemod | Probefunc | Probename | Psargs | Cwd | Root | Zonename | Threadname
    )
}

/// The number of a probe, a new one if it was not met before.
fn known(names: &str, schemas: &mut Vec<Schema>) -> Result<ProbeId, String> {
    // A function may have colons itself: `shop::total`.
    let split = || {
        let ((provider, rest), (rest_too, name)) = (names.split_once(':')?, names.rsplit_once(':')?);
        let (module, _) = rest.split_once(':')?;
        let function = rest_too.get(provider.len() + module.len() + 2..)?;
        Some([provider, module, function, name])
    };
    let Some([provider, module, function, name]) = split() else {
        return Err(format!("no probe: {names} (provider:module:function:name)"));
    };
    let same = |probe: &Probe| {
        [&*probe.provider, &*probe.module, &*probe.function, &*probe.name]
            == [provider, module, function, name]
    };
    if let Some(schema) = schemas.iter().find(|schema| same(&schema.probe)) {
        return Ok(schema.probe.id);
    }
    let id = ProbeId(schemas.len() as u32 + 1);
    let [provider, module, function, name] = [provider, module, function, name].map(|name| name.to_string());
    schemas.push(Schema {
        probe: Probe { id, provider, module, function, name, args: None },
        fields: Vec::new(),
    });
    Ok(id)
}

fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value = value.map_err(|_| format!("no number: {text}"))?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

fn small(text: &str) -> Result<u32, String> {
    u32::try_from(number(text)?).map_err(|_| format!("too large: {text}"))
}

/// A length of time in ns: a number with `ns`, `us`, `ms`, `s` or nothing behind it.
pub fn duration(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let each = match unit {
        "" | "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return Err(format!("no time: {text}")),
    };
    let count: u64 = count.parse().map_err(|_| format!("no time: {text}"))?;
    count.checked_mul(each).ok_or_else(|| format!("too late: {text}"))
}

/// Words between blanks; quotes keep blanks, a backslash the character after it.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => {
                let c = match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(c) => c,
                    None => return Err("nothing after a backslash".into()),
                };
                word.get_or_insert_default().push(c);
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".into());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_what_their_lines_say() {
        let text = "# comment\n1ms syscall::read:entry pid=7 execname=\"a b\" arg1=-1 mem:0x10=\"x\\\"y\"\n\
                    +5us syscall::read:return tid=9 uid=0x10\n+0 syscall::read:entry\n";
        let (schemas, events) = parse(text).expect("fine");
        assert_eq!(schemas.len(), 2);
        let [first, second, third] = events.as_slice() else { panic!("three events") };
        assert_eq!((first.time, second.time, third.probe), (1_000_000, 1_005_000, first.probe));
        assert_eq!((first.pid, first.tid, second.tid), (7, 7, 9));
        assert_eq!((first.arg(1), second.number(Builtin::Uid)), (Some(u64::MAX), Some(16)));
        assert_eq!(first.text(Builtin::Execname), Some(&b"a b"[..]));
        assert_eq!(first.read(Space::User, 0x10), crate::event::Read::Known(b"x\"y\0"));
    }

    #[test]
    fn names_of_probes_may_be_anything() {
        for function in ["shop::total(int, char)", "a\"b", "", "x y"] {
            let probe = Probe {
                id: ProbeId(1),
                provider: "pid7".into(),
                module: "a.out".into(),
                function: function.into(),
                name: "entry".into(),
                args: None,
            };
            let shown = line(&Schema { probe, fields: Vec::new() }, &Event::complete(ProbeId(1)));
            let (schemas, _) = parse(&shown).expect(&shown);
            assert_eq!(schemas[0].probe.function, function, "{shown}");
        }
        assert!(parse("1 a:b:c").is_err());
    }

    #[test]
    fn lines_come_back() {
        let text =
            "5 a:b:c:d pid=1 tid=2 cpu=3 execname=\"x \\\"y\\n\" arg0=-7 mem:0x10=\"t\" mem:0x20=fault";
        let (mut schemas, events) = parse(text).expect("fine");
        let fields = vec![Field::Text(Builtin::Execname), Field::Arg(0), Field::Memory];
        let schema = Schema { fields, ..schemas.remove(0) };
        assert_eq!(line(&schema, &events[0]), text);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, want) in [
            ("\n1s", "line 2: a probe is missing"),
            ("1s a:b:c", "line 1: no probe: a:b:c (provider:module:function:name)"),
            ("1y a:b:c:d", "line 1: no time: 1y"),
            ("1 a:b:c:d pid", "line 1: no value: pid"),
            ("1 a:b:c:d pod=1", "line 1: no such variable: pod"),
            ("1 a:b:c:d execname=\"x", "line 1: a quote is not closed"),
        ] {
            assert_eq!(parse(text).map(|_| ()), Err(want.to_string()));
        }
    }
}
