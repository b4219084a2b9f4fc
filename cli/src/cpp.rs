//! `-C`: the system's C preprocessor.

use duotrace_core::options::{Options, opt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the preprocessor on a script; the text has `# LINE "FILE"` lines. Its own messages go to stderr.
pub fn run(path: &Path, options: &Options) -> Result<String, String> {
    let program = options.text(opt::CPPPATH).unwrap_or("cpp");
    let mut command = Command::new(program);
    // A program is called by its name, so that its messages begin with that.
    command.arg0(Path::new(program).file_name().unwrap_or(program.as_ref()));
    // What dtrace(1M) defines. Without __GNUC__ the C library's headers are plain C.
    command.args(["-D__linux", "-D__unix", "-D__SVR4", "-D__Linux", "-Ulinux", "-Uunix", "-U__GNUC__"]);
    command.args(["-D__SUNW_D=1", "-D__SUNW_D_VERSION=0x02000000", "-D__SUNW_D_64"]);
    command.arg(if cfg!(target_arch = "x86_64") { "-D__amd64" } else { "-D__aarch64" });
    command.args(match options.text(opt::STDC) {
        Some("c") => &["-std=c99"][..],
        Some("s") => &["-traditional-cpp"][..],
        Some("t") => &["-std=gnu99", "-U__STDC__", "-D__STDC__=0", "-Wno-builtin-macro-redefined"][..],
        _ => &["-std=gnu99"][..],
    });
    if options.flag(opt::CPPHDRS) {
        command.arg("-H");
    }
    for (flag, option) in [("-D", opt::DEFINE), ("-U", opt::UNDEF), ("-I", opt::INCDIR)] {
        command.args(options.list(option).iter().map(|value| format!("{flag}{value}")));
    }
    if let Some(more) = options.text(opt::CPPARGS) {
        command.args(more.split_ascii_whitespace());
    }
    let input = if path == Path::new("/dev/stdin") { Stdio::inherit() } else { Stdio::null() };
    command.arg(path).stdin(input).stdout(Stdio::piped());
    let output = command.spawn().and_then(std::process::Child::wait_with_output).map_err(|error| {
        format!("failed to run preprocessor {program}: {error} (on Debian: apt install cpp)")
    })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err("Preprocessor failed to process input program".to_string()),
    }
}
