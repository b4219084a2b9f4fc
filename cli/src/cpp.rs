//! `-C`: the system's C preprocessor.

use duotrace_core::options::{Options, opt};
use std::io::Write;
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
    let failed = |error: std::io::Error| {
        format!("failed to run preprocessor {program}: {error} (on Debian: apt install cpp)")
    };
    let output = match interpreter_script(path) {
        // The first line is the kernel's, not the preprocessor's: the rest goes in by a pipe, under the same name.
        Some(text) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            command.arg("-iquote").arg(folder.unwrap_or(Path::new("."))).arg("-");
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
            let pipe = child.stdin.take();
            std::thread::scope(|scope| {
                scope.spawn(|| pipe.map(|mut pipe| pipe.write_all(&text)));
                child.wait_with_output()
            })
        }
        None => {
            let input = if path == Path::new("/dev/stdin") { Stdio::inherit() } else { Stdio::null() };
            command.arg(path).stdin(input).stdout(Stdio::piped());
            command.spawn().and_then(std::process::Child::wait_with_output)
        }
    }
    .map_err(failed)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err("Preprocessor failed to process input program".to_string()),
    }
}

/// A script whose first line is `#!...`: its text with that line empty, and a mark that says where it comes from.
fn interpreter_script(path: &Path) -> Option<Vec<u8>> {
    if !std::fs::metadata(path).is_ok_and(|about| about.is_file()) {
        return None;
    }
    let text = std::fs::read(path).ok().filter(|text| text.starts_with(b"#!"))?;
    let rest = text.iter().position(|&byte| byte == b'\n').map_or(&[][..], |end| &text[end..]);
    let name = path.to_str()?.replace('\\', "\\\\").replace('"', "\\\"");
    Some([format!("# 1 \"{name}\"\n").as_bytes(), rest].concat())
}
