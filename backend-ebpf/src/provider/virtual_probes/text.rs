//! The two kinds of data files: `*.probes` (what the probes of a series of programs are) and `*.offsets` (where the
//! structures of one build have their fields). Both are lines of words; `#` begins a comment.

use super::expr;
use std::collections::HashMap;

/// A `*.probes` file.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What `*.offsets` files refer to.
    pub name: String,
    /// The command that makes a missing `*.offsets` file.
    pub generate: String,
    /// Every build is known: what is read is part of an ABI.
    pub abi: bool,
    pub probes: Vec<ProbeText>,
}

/// One probe of a series.
#[derive(Clone, Debug, Default)]
pub struct ProbeText {
    /// Providers that have it.
    pub providers: Vec<String>,
    /// The provider whose probes these are under another name.
    pub alias_of: Option<String>,
    /// Patterns of the names of files it is in.
    pub files: Vec<String>,
    /// A star stands for that of `symbol`.
    pub name: String,
    /// A function's name, or a pattern with one star.
    pub symbol: String,
    pub place: Place,
    /// `probefunc` where it is not the symbol.
    pub function: Option<String>,
    pub when: Option<String>,
    /// What a probe at a return keeps of the function's entry.
    pub keep: Option<String>,
    pub lets: Vec<(String, String)>,
    /// Types and values.
    pub args: Vec<(String, String)>,
}

/// Where in the function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Entry,
    Return,
    /// An instruction that the build's table names.
    Site,
    /// A call of a function whose address lies in memory: at `called` in the expressions.
    Call,
    /// The instruction after such a call.
    Called,
    /// None: threads that have something in a key are looked at now and again; `symbol` is the key's variable.
    Profile,
    /// None: the same threads when they leave their processor.
    OffCpu,
}

/// A `*.offsets` file.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    pub series: String,
    pub builds: Vec<Build>,
    pub values: HashMap<String, i64>,
}

/// A binary that a `*.offsets` file is right for.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// In lower-case hexadecimal.
    pub id: String,
    /// Addresses of functions that its symbol tables do not have.
    pub functions: HashMap<String, u64>,
    /// Addresses of instructions.
    pub sites: HashMap<String, u64>,
    /// Names of registers that hold something there, with their offsets in the kernel's `struct pt_regs`.
    pub registers: HashMap<String, u16>,
}

/// x86-64's general registers in the order of the kernel's `struct pt_regs`, 8 bytes each.
const REGISTERS: [&str; 15] =
    ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"];

/// Lines without comments, with their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.lines().enumerate().filter_map(|(n, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        (!word.is_empty()).then_some((n + 1, word, rest.trim()))
    })
}

/// Parses a `*.probes` file; the error begins with the line's number.
pub fn series(text: &str) -> Result<Series, String> {
    let mut out = Series::default();
    let (mut providers, mut files) = (Vec::new(), Vec::new());
    let mut alias_of = None;
    let words = |rest: &str| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (n, word, rest) in lines(text) {
        let wrong = |what: &str| format!("line {n}: {what}");
        match word {
            "series" => out.name = rest.to_owned(),
            "abi" => out.abi = true,
            "generate" => out.generate = rest.to_owned(),
            "provider" => {
                let (names, other) = rest.split_once(" alias of ").unwrap_or((rest, ""));
                providers = words(names);
                alias_of = (!other.is_empty()).then(|| other.trim().to_owned());
            }
            "in" => files = words(rest),
            "probe" if rest.is_empty() => return Err(wrong("a probe has a name")),
            "probe" if providers.is_empty() || files.is_empty() => {
                return Err(wrong("'provider' and 'in' stand before the first probe"));
            }
            "probe" => out.probes.push(ProbeText {
                providers: providers.clone(),
                alias_of: alias_of.clone(),
                files: files.clone(),
                name: rest.to_owned(),
                ..ProbeText::default()
            }),
            _ => {
                let probe = out.probes.last_mut().ok_or_else(|| wrong("no probe was begun"))?;
                part(probe, word, rest).map_err(|what| wrong(&what))?;
            }
        }
    }
    match out.probes.iter().find(|probe| probe.symbol.is_empty()) {
        Some(probe) => Err(format!("probe {} has no 'at'", probe.name)),
        None => Ok(out),
    }
}

/// A line of a probe.
fn part(probe: &mut ProbeText, word: &str, rest: &str) -> Result<(), String> {
    let pair = || {
        let (left, right) = rest.split_once(" = ").ok_or_else(|| format!("'{word}' wants ' = '"))?;
        Ok::<_, String>((left.trim().to_owned(), right.trim().to_owned()))
    };
    match word {
        "at" => {
            let (place, symbol) = rest.split_once(" of ").ok_or(
                "'at' wants 'entry of', 'return of', 'site of', 'calls of', 'called of', 'profile of' or \
                     'off-cpu of'",
            )?;
            probe.place = match place {
                "entry" => Place::Entry,
                "return" => Place::Return,
                "site" => Place::Site,
                "calls" => Place::Call,
                "called" => Place::Called,
                "profile" => Place::Profile,
                "off-cpu" => Place::OffCpu,
                other => return Err(format!("'{other}' is no place in a function")),
            };
            probe.symbol = symbol.trim().to_owned();
        }
        "function" => probe.function = Some(rest.to_owned()),
        "keep" => probe.keep = Some(rest.to_owned()),
        "when" => probe.when = Some(rest.to_owned()),
        "let" => probe.lets.push(pair()?),
        "arg" => probe.args.push(pair()?),
        other => return Err(format!("'{other}' is not known")),
    }
    Ok(())
}

/// Parses a `*.offsets` file; the error begins with the line's number.
pub fn offsets(text: &str) -> Result<Offsets, String> {
    let mut out = Offsets::default();
    for (n, word, rest) in lines(text) {
        let wrong = |what: &str| format!("line {n}: {what}");
        match word {
            "series" => out.series = rest.to_owned(),
            "build" => {
                let id = rest.split_whitespace().next().unwrap_or_default();
                if id.len() < 8 || !id.bytes().all(|c| c.is_ascii_hexdigit()) {
                    return Err(wrong("a build-id is hexadecimal"));
                }
                out.builds.push(Build { id: id.to_ascii_lowercase(), ..Build::default() });
            }
            "function" | "site" | "register" => {
                let mut words = rest.split_whitespace();
                let (name, place) = (words.next().unwrap_or_default().to_owned(), words.next());
                let build = out.builds.last_mut().ok_or_else(|| wrong("this is a line of a build"))?;
                let address = place.and_then(expr::number).map(i64::cast_unsigned);
                let register = REGISTERS.iter().position(|register| Some(*register) == place);
                let new = match (word, address, register) {
                    ("function", Some(address), _) => build.functions.insert(name, address).is_none(),
                    ("site", Some(address), _) => build.sites.insert(name, address).is_none(),
                    ("register", _, Some(at)) => build.registers.insert(name, 8 * at as u16).is_none(),
                    _ => return Err(wrong("a name and an address, or a register, are wanted")),
                };
                if !new {
                    return Err(wrong("the name is there already"));
                }
            }
            name => {
                let value = expr::number(rest).ok_or_else(|| wrong("a name and a number are wanted"))?;
                out.values.insert(name.to_owned(), value);
            }
        }
    }
    match out.series.is_empty() {
        true => Err("'series' is missing".to_owned()),
        false => Ok(out),
    }
}
