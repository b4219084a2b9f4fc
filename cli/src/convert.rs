//! `duotrace trace2text FILE`: a recording as text, JSON Lines, or for the viewers of Chrome and Perfetto.

use crate::{FAILURE, USAGE, replay, report, texts};
use duotrace_replay::export::{Form, export};
use duotrace_replay::file::{FileError, Window};
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind};

const HELP: &str = "Usage: duotrace trace2text [--json | --chrome] [--from TIME] [--until TIME] FILE";

/// Converts; the exit status.
pub fn run(words: &[String]) -> u8 {
    let (form, window, path) = match ask(words) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("duotrace trace2text: {error}\n{HELP}");
            return USAGE;
        }
    };
    let input = match File::open(&path) {
        Ok(file) => BufReader::with_capacity(1 << 20, file),
        Err(error) => {
            report::line(&format!("failed to open {path}: {}", texts::reason(&error)));
            return FAILURE;
        }
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    match export(input, form, window, &mut out) {
        Ok(()) => 0,
        // Whoever reads has had enough.
        Err(FileError::Io(error)) if error.kind() == ErrorKind::BrokenPipe => 0,
        Err(error) => {
            report::line(&format!("{path}: {error}"));
            FAILURE
        }
    }
}

fn ask(words: &[String]) -> Result<(Form, Window, String), String> {
    let (mut form, mut window, mut path) = (Form::Text, Window::default(), None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} requires an argument"));
        match word.as_str() {
            "--json" => form = Form::Json,
            "--chrome" => form = Form::Chrome,
            "--from" => window.from = replay::time(word, value()?)?,
            "--until" => window.until = replay::time(word, value()?)?,
            word if word.starts_with('-') => return Err(format!("illegal option {word}")),
            file if path.is_none() => path = Some(file.to_string()),
            _ => return Err("one file at a time".into()),
        }
    }
    Ok((form, window, path.ok_or("no file")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood() {
        let ask = |line: &str| ask(&line.split(' ').map(str::to_string).collect::<Vec<_>>());
        let window = Window { from: 2_000_000_000, until: u64::MAX };
        assert_eq!(ask("--chrome --from 2s x.dtr"), Ok((Form::Chrome, window, "x.dtr".into())));
        assert_eq!(ask("--from"), Err("--from requires an argument".into()));
        assert_eq!(ask("--from 2y x"), Err("--from: no time: 2y (as 250us, 40ms, 2s)".into()));
        assert_eq!(ask("--jsn x"), Err("illegal option --jsn".into()));
        assert_eq!(ask("a b"), Err("one file at a time".into()));
    }
}
