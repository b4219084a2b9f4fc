//! Where output goes, and what it needs of the system: the consumer's [`Host`] and [`Control`].

use crate::sys;
use duotrace_core::consumer::{Control, Host, OutputClosed, Stop};
use duotrace_core::output::{Environment, LocalTime, Utc};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

/// Standard output or the file of `-o`, and the file of `freopen()`.
#[derive(Debug)]
pub struct Console {
    file: Option<File>,
    /// `freopen()`: while this is set, output goes there.
    redirected: Option<File>,
    /// A replay: what the script does to the system is said, not done.
    refrains: bool,
    system: System,
}

/// Time zone and names.
#[derive(Debug)]
struct System;

impl Environment for System {
    fn local_time(&self, seconds: i64) -> LocalTime {
        sys::local_time(seconds).unwrap_or_else(|| Utc.local_time(seconds))
    }

    fn port_name(&self, port: u16) -> Option<String> {
        sys::port_name(port)
    }

    fn host_name(&self, address: &str) -> Option<String> {
        sys::host_name(address)
    }
}

impl Console {
    /// Output to a file that is appended to (`-o`), or to standard output.
    pub fn open(path: Option<&str>) -> io::Result<Console> {
        let file = path.map(|path| OpenOptions::new().append(true).create(true).open(path)).transpose()?;
        Ok(Console { file, redirected: None, refrains: false, system: System })
    }
}

impl Console {
    /// From now on no command is run and no file is written but that of `-o`: a recording may be anybody's.
    pub fn refrain(&mut self) {
        self.refrains = true;
    }

    fn refrained(&mut self, what: &str) -> bool {
        if self.refrains {
            self.warn(&format!("{what}() is not performed in a replay"));
        }
        self.refrains
    }
}

impl Host for Console {
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputClosed> {
        let result = match self.redirected.as_mut().or(self.file.as_mut()) {
            Some(file) => file.write_all(bytes),
            None => io::stdout().lock().write_all(bytes),
        };
        result.map_err(|error| {
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.warn(&format!("failed to write output: {error}"));
            }
            OutputClosed
        })
    }

    fn flush(&mut self) -> Result<(), OutputClosed> {
        match &self.file {
            Some(_) => Ok(()),
            None => io::stdout().lock().flush().map_err(|_| OutputClosed),
        }
    }

    fn warn(&mut self, line: &str) {
        // Nobody to tell when stderr is gone.
        let _ = writeln!(io::stderr(), "dtrace: {line}");
    }

    fn system(&mut self, command: &[u8]) {
        if self.refrained("system") {
            return;
        }
        let result = Command::new("/bin/sh").arg("-c").arg(std::ffi::OsStr::from_bytes(command)).status();
        if let Err(error) = result {
            self.warn(&format!("system(): cannot run /bin/sh: {error}"));
        }
    }

    fn freopen(&mut self, path: Option<&[u8]>) -> Result<(), String> {
        if self.refrained("freopen") {
            return Ok(());
        }
        self.redirected = match path {
            Some(path) => {
                let path = std::path::Path::new(std::ffi::OsStr::from_bytes(path));
                Some(File::create(path).map_err(|error| error.to_string())?)
            }
            None => None,
        };
        Ok(())
    }

    fn ftruncate(&mut self) {
        use std::io::Seek;
        if self.refrained("ftruncate") {
            return;
        }
        let result = match self.redirected.as_mut().or(self.file.as_mut()) {
            Some(file) => file.set_len(0).and_then(|()| file.rewind()),
            None => Ok(()),
        };
        if let Err(error) = result {
            self.warn(&format!("ftruncate(): {error}"));
        }
    }

    fn environment(&self) -> &dyn Environment {
        &self.system
    }

    /// As dtrace on Linux: with `_DTRACE_TESTING` in the environment the columns that differ from run to run are not
    /// printed, so that outputs can be compared.
    fn shows_numbers(&self) -> bool {
        std::env::var_os("_DTRACE_TESTING").is_none()
    }
}

/// Signals: the first asks for the end, the second leaves at once.
#[derive(Debug)]
pub struct Signals;

impl Control for Signals {
    fn stop(&mut self) -> Stop {
        match sys::stops() {
            0 => Stop::No,
            1 => Stop::Gracefully,
            _ => Stop::AtOnce,
        }
    }
}
