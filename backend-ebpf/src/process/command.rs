//! The command of `-c`: split into words, found in PATH, its environment.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// One change to the environment of the command (`-x setenv`, `-x unsetenv`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvChange {
    Set(OsString, OsString),
    Unset(OsString),
}

/// Why a command could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// The command line has no word in it.
    Empty,
    /// A quote is not closed.
    Quote { command: String },
    /// A word or a variable holds a NUL.
    Nul,
    /// It does not exist, is not executable, or its interpreter is missing.
    Exec { program: String, error: String },
    /// The system refused something that is not the command's fault.
    System { what: &'static str, error: String },
    /// It ended before it reached its entry point.
    Died { program: String, how: String },
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchError::Empty => f.write_str("failed to execute command: it is empty"),
            LaunchError::Quote { command } => write!(f, "failed to execute `{command}`: unclosed quote"),
            LaunchError::Nul => f.write_str("failed to execute command: it holds a NUL character"),
            LaunchError::Exec { program, error } => write!(f, "failed to execute \"{program}\": {error}"),
            LaunchError::System { what, error } => {
                write!(f, "failed to control the command: {what}: {error}")
            }
            LaunchError::Died { program, how } => {
                write!(f, "failed to control \"{program}\": it ended while starting ({how})")
            }
        }
    }
}

impl std::error::Error for LaunchError {}

/// Splits a command line at white space. Single and double quotes keep words together; a backslash takes the
/// next character literally, outside single quotes. Nothing else of a shell is done.
pub fn split(command: &str) -> Result<Vec<String>, LaunchError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(LaunchError::Quote { command: command.to_owned() });
    }
    words.extend(word);
    if words.is_empty() { Err(LaunchError::Empty) } else { Ok(words) }
}

/// What execve(2) takes, made before the fork, because nothing may be allocated after it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) program: String,
    pub(super) path: CString,
    pub(super) argv: Vec<CString>,
    pub(super) envp: Vec<CString>,
    /// `sh path args...`, for scripts without `#!` (as execvp does).
    pub(super) shell_argv: Vec<CString>,
}

pub(super) fn prepare(words: &[String], changes: &[EnvChange]) -> Result<Prepared, LaunchError> {
    let program = words.first().ok_or(LaunchError::Empty)?.clone();
    let nul = |_| LaunchError::Nul;
    let mut env: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    for change in changes {
        let (EnvChange::Set(name, _) | EnvChange::Unset(name)) = change;
        env.retain(|(n, _)| n != name);
        if let EnvChange::Set(name, value) = change {
            env.push((name.clone(), value.clone()));
        }
    }
    let search = env.iter().find(|(n, _)| n == "PATH").map(|(_, v)| v.clone());
    let path = find(&program, search.as_deref())?;
    let path = CString::new(path.into_os_string().into_vec()).map_err(nul)?;
    let argv: Vec<CString> =
        words.iter().map(|w| CString::new(w.as_bytes())).collect::<Result<_, _>>().map_err(nul)?;
    let envp = env
        .into_iter()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            CString::new(name.into_vec())
        })
        .collect::<Result<_, _>>()
        .map_err(nul)?;
    let mut shell_argv = vec![c"/bin/sh".to_owned(), path.clone()];
    shell_argv.extend(argv.iter().skip(1).cloned());
    Ok(Prepared { program, path, argv, envp, shell_argv })
}

/// The file to execute: a name with a slash is a path, another is looked for in PATH.
fn find(program: &str, search: Option<&OsStr>) -> Result<PathBuf, LaunchError> {
    if program.contains('/') {
        return Ok(PathBuf::from(program));
    }
    let search = search.unwrap_or(OsStr::new("/bin:/usr/bin"));
    let mut error = libc::ENOENT;
    for dir in search.as_bytes().split(|&c| c == b':') {
        let dir = if dir.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(dir) };
        let path = PathBuf::from(dir).join(program);
        match std::fs::metadata(&path) {
            Ok(m) if m.is_file() && m.permissions().mode() & 0o111 != 0 => return Ok(path),
            Ok(m) if m.is_file() => error = libc::EACCES,
            _ => {}
        }
    }
    Err(exec_error(program, error))
}

pub(super) fn exec_error(program: &str, errno: i32) -> LaunchError {
    let error = crate::symbols::elf::io_text(&std::io::Error::from_raw_os_error(errno));
    LaunchError::Exec { program: program.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (command, want) in [
            ("ls -l", vec!["ls", "-l"]),
            ("  a\t'b c'  \"d 'e\" f\\ g ''", vec!["a", "b c", "d 'e", "f g", ""]),
            ("a\"b\"c", vec!["abc"]),
            ("'a\\b'", vec!["a\\b"]),
        ] {
            assert_eq!(split(command).unwrap(), want, "{command}");
        }
        assert_eq!(split("  "), Err(LaunchError::Empty));
        assert!(matches!(split("a 'b"), Err(LaunchError::Quote { .. })));
    }
}
