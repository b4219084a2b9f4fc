//! `-C`: the system's C preprocessor.

use duotrace_core::options::{Options, opt};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the preprocessor on a script; the text has `# LINE "FILE"` lines. Its own messages go to stderr.
pub fn run(path: &Path, options: &Options) -> Result<String, String> {
    let program = options.text(opt::CPPPATH).unwrap_or("cpp");
    let mut command = Command::new(program);
    // The D compiler's own: it takes no comments of C++, no attributes, no extensions.
    command.args(match options.text(opt::STDC) {
        Some("c") => &["-std=c99", "-pedantic"][..],
        Some("s") => &["-traditional-cpp"][..],
        Some("t") => &["-std=c99", "-D__STDC__=0", "-Wno-builtin-macro-redefined"][..],
        _ => &["-std=c99"][..],
    });
    command.args(["-D__SUNW_D=1", "-D__SUNW_D_VERSION=0x01000d00", "-D__DTRACE__=1"]);
    if options.text(opt::STDC) != Some("s") {
        command.args(["-D__extension__=", "-D__attribute__(x)=", "-D__restrict=", "-D__inline=inline"]);
    }
    if options.flag(opt::CPPHDRS) {
        command.arg("-H");
    }
    for (flag, option) in [("-D", opt::DEFINE), ("-U", opt::UNDEF), ("-I", opt::INCDIR)] {
        command.args(options.list(option).iter().map(|value| format!("{flag}{value}")));
    }
    if let Some(more) = options.text(opt::CPPARGS) {
        command.args(more.split_ascii_whitespace());
    }
    command.arg(path).stdin(Stdio::null()).stdout(Stdio::piped());
    let output = command.spawn().and_then(std::process::Child::wait_with_output).map_err(|error| {
        format!("failed to run preprocessor {program}: {error} (on Debian: apt install cpp)")
    })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err("Preprocessor failed to process input program".to_string()),
    }
}
