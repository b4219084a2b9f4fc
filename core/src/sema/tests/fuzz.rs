//! Texts that nobody would write, through parser and checker: no panic, no program that breaks the rules of the IR,
//! and an end within a moment.
//!
//! The texts are made from the scripts of this tree. `FUZZ_SECONDS` says how long to go on (2), `FUZZ_SEED` from where
//! (1), `FUZZ_CORPUS` names a further directory of scripts. A text that fails is printed; its seed makes it again.

use super::OnlyBegin;
use crate::ir::verify;
use crate::options::Options;
use crate::sema::{CompileConfig, ProgramKind, ProgramText, compile};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// No text of the corpus' size may take longer, even on a busy machine.
const MOMENT: Duration = Duration::from_secs(5);

/// Words and signs that the grammar cares about.
const PIECES: &[&str] = &[
    " ",
    "\n",
    "\0",
    "\u{e9}",
    "/",
    "//",
    "/*",
    "*/",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ";",
    ",",
    ":",
    "::",
    "?",
    "=",
    "==",
    "+=",
    "<<",
    ">>=",
    "++",
    "--",
    "->",
    ".",
    "...",
    "&",
    "&&",
    "^^",
    "|",
    "!",
    "~",
    "-",
    "+",
    "*",
    "%",
    "@",
    "@a",
    "@a[1]",
    "$1",
    "$$2",
    "$target",
    "`",
    "m`s",
    "\"",
    "'",
    "'a'",
    "\"%d %s\"",
    "\"%@d\"",
    "0",
    "1",
    "-1",
    "0x7fffffffffffffff",
    "18446744073709551615",
    "99999999999999999999",
    "1ull",
    "a",
    "x",
    "x[0]",
    "x[1,\"a\"]",
    "self->t",
    "this->s",
    "arg0",
    "args[0]",
    "int ",
    "char ",
    "string ",
    "long long ",
    "unsigned ",
    "struct s ",
    "struct s { int a:3; int b[4]; } ",
    "union u ",
    "enum e { A, B=-1 } ",
    "typedef ",
    "inline int f[int q] = ",
    "inline ",
    "translator t < int v > { a = v; };",
    "xlate <t> (1)",
    "sizeof ",
    "offsetof(struct s, b)",
    "stringof ",
    "(int)",
    "(char *)",
    "(struct s *)",
    "if (1) ",
    "else ",
    "count()",
    "quantize(1)",
    "lquantize(1,0,10,1)",
    "llquantize(1,10,0,6,20)",
    "printf(\"%d\", 1)",
    "printa(@a)",
    "trace(1)",
    "print(x)",
    "tracemem(0, 8)",
    "exit(0)",
    "stack()",
    "ustack(3)",
    "copyinstr(0)",
    "strjoin(\"a\", \"b\")",
    "alloca(8)",
    "bcopy(a, b, 8)",
    "speculation()",
    "speculate(1)",
    "commit(1)",
    "clear(@a)",
    "trunc(@a, 1)",
    "normalize(@a, 2)",
    "BEGIN",
    "END",
    "BEGIN { ",
    "tick-1s",
    "syscall:::entry",
    "#pragma D option ",
    "quiet\n",
    "strsize=8\n",
    "# 3 \"f\"\n",
    "json(\"{}\", \"a\")",
    "strtok(0, \"a\")",
    "NULL",
    "self string q;",
    "int y[int, string];",
    "provider p { probe q(int); };",
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// Every script below a directory; of a case file the script within.
fn scripts(dir: &Path, out: &mut Vec<String>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            scripts(&path, out);
        } else if matches!(path.extension().and_then(|e| e.to_str()), Some("d" | "t"))
            && let Ok(bytes) = std::fs::read(&path)
        {
            let text = String::from_utf8_lossy(&bytes);
            let script = text.split_once("--- script\n").map_or(&*text, |(_, script)| script);
            let script = script.split("\n--- ").next().unwrap_or(script);
            // Longer ones only make it slow.
            out.push(script.chars().take(3000).collect());
        }
    }
}

/// A text made of one or two of the corpus.
fn mutated(corpus: &[String], random: &mut Random) -> String {
    let mut text: Vec<char> = corpus[random.below(corpus.len())].chars().collect();
    for _ in 0..=random.below(8) {
        let at = random.below(text.len() + 1);
        match random.below(7) {
            0 => drop(text.drain(at..(at + random.below(12)).min(text.len()))),
            1 | 2 => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].chars())),
            3 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                let piece: Vec<char> = other.chars().skip(from).take(random.below(60)).collect();
                drop(text.splice(at..at, piece));
            }
            4 => {
                // A piece of itself once more.
                let from = random.below(text.len());
                let piece: Vec<char> = text[from..].iter().take(random.below(40)).copied().collect();
                drop(text.splice(at..at, piece));
            }
            5 => {
                let end = (at + 1 + random.below(3)).min(text.len());
                drop(text.splice(at..end, PIECES[random.below(PIECES.len())].chars()));
            }
            _ => text.truncate(at.max(1)),
        }
        text.truncate(6000);
    }
    text.into_iter().collect()
}

/// What is wrong with how a text is dealt with, if anything.
fn trial(text: &str, library: bool) -> Result<(), String> {
    let kind = if library { ProgramKind::Name } else { ProgramKind::Script };
    let texts = [ProgramText { name: "t.d".to_string(), text: text.to_string(), kind }];
    let mut options = Options::new();
    let _ = options.set("zdefs", None);
    let _ = options.set("destructive", None);
    let _ = options.set("defaultargs", None);
    let started = Instant::now();
    let compiled = catch_unwind(AssertUnwindSafe(|| {
        compile(&texts, &CompileConfig::default(), &mut options, &mut OnlyBegin::new())
    }))
    .map_err(|_| "a panic".to_string())?;
    if started.elapsed() > MOMENT {
        return Err(format!("it took {:?}", started.elapsed()));
    }
    match compiled.error() {
        None => verify::verify(&compiled.program).map_err(|what| format!("a wrong program: {what}")),
        Some(_) => Ok(()),
    }
}

/// The command has 8 MB of stack; frames of an unoptimized build are several times as large.
const STACK: usize = if cfg!(debug_assertions) { 64 << 20 } else { 8 << 20 };

#[test]
fn mutated_scripts() {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(fuzz).unwrap();
    assert!(thread.join().is_ok());
}

fn fuzz() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut corpus = Vec::new();
    for dir in ["tests/cases", "scripts", "core/src/sema/tests/corpus"] {
        scripts(&root.join(dir), &mut corpus);
    }
    if let Ok(more) = std::env::var("FUZZ_CORPUS") {
        scripts(Path::new(&more), &mut corpus);
    }
    assert!(!corpus.is_empty(), "the scripts of this tree");
    for text in &corpus {
        trial(text, false).unwrap_or_else(|what| panic!("{what}:\n{text}"));
    }
    let end = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(2));
    let mut seed = number("FUZZ_SEED").unwrap_or(1);
    let first = seed;
    while Instant::now() < end {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let text = mutated(&corpus, &mut random);
        if let Err(what) = trial(&text, random.below(4) == 0) {
            panic!("seed {seed}: {what}\n{text}");
        }
        seed += 1;
    }
    eprintln!("{} texts from seed {first} on", seed - first);
}
