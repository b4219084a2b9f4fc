//! Recordings and written events, as the command reads them anywhere: no privileges, no BPF.

use duotrace_replay::file::{Field, Machine, Writer};
use duotrace_replay::synthetic;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the command prints, and its exit status.
fn duotrace(words: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_duotrace")).args(words).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

const EVENTS: &str = "
1s     syscall:vmlinux:read:entry  pid=7 execname=cat arg0=3 mem:0x10=\"/etc/passwd\"
+250us syscall:vmlinux:read:return pid=7 execname=cat arg0=17
+1s    syscall:vmlinux:read:entry  pid=8 execname=dog arg0=4
+40ms  syscall:vmlinux:read:return pid=8 execname=dog arg0=0
+1s    syscall:vmlinux:read:entry  pid=7 execname=cat arg0=5
";

/// A recording of [`EVENTS`], cut so many bytes before its end.
fn recording(name: &str, cut: usize) -> PathBuf {
    let (mut schemas, events) = synthetic::parse(EVENTS).expect("events");
    for schema in &mut schemas {
        schema.fields = vec![Field::Text(duotrace_core::ir::Builtin::Execname), Field::Arg(0), Field::Memory];
    }
    let mut writer = Writer::new(Vec::new(), Machine::here(0)).expect("header");
    writer.probes(&schemas).expect("probes");
    for event in &events {
        writer.event(event).expect("event");
        // A chunk for each: a window begins at any of them.
        writer.flush().expect("chunk");
    }
    let bytes = writer.finish().expect("end");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, &bytes[..bytes.len() - cut]).expect("written");
    path
}

#[test]
fn cases_pass_without_privileges() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/replay");
    let (out, _, status) = duotrace(&["test", &cases.to_string_lossy()]);
    assert_eq!(status, Some(0), "{out}");
}

#[test]
fn a_recording_as_text_is_read_again() {
    let path = recording("text.dtr", 0);
    let (text, errors, status) = duotrace(&["trace2text", &path.to_string_lossy()]);
    assert_eq!((errors.as_str(), status), ("", Some(0)));
    let first = "1000000000 syscall:vmlinux:read:entry pid=7 tid=7 cpu=0 execname=\"cat\" arg0=3 \
                 mem:0x10=\"/etc/passwd\"";
    assert!(text.lines().any(|line| line == first), "{text}");
    let again = path.with_extension("events");
    std::fs::write(&again, text).expect("written");
    let script = "syscall::read:entry { @[execname] = sum(arg0); } syscall::read:entry /arg0 == 3/ \
                  { printf(\"%s\\n\", copyinstr(0x10)); }";
    let printed = |path: &Path| duotrace(&["-q", "--replay", &path.to_string_lossy(), "-n", script]);
    let (out, errors, status) = printed(&path);
    assert_eq!((errors.as_str(), status), ("", Some(0)));
    assert!(out.starts_with("/etc/passwd\n") && out.contains("dog") && out.contains('8'), "{out}");
    assert_eq!(printed(&again).0, out);
}

#[test]
fn a_recording_as_json_lines() {
    let path = recording("json.dtr", 0);
    let path = path.to_string_lossy();
    let (text, errors, status) = duotrace(&["trace2text", "--json", &path]);
    assert_eq!((errors.as_str(), status), ("", Some(0)));
    let lines: Vec<&str> = text.lines().collect();
    let of = |kind: &str| {
        let start = format!("{{\"schema\":1,\"type\":\"{kind}\",");
        lines.iter().filter(|line| line.starts_with(&start) && line.ends_with('}')).count()
    };
    assert_eq!((of("recording"), of("event"), of("end"), lines.len()), (1, 5, 1, 7), "{text}");
    let memory = "\"memory\":[{\"space\":\"user\",\"address\":16,\"text\":\"/etc/passwd\"}]";
    assert!(lines[1].contains(memory) && lines[1].contains("\"execname\":\"cat\""), "{text}");
    assert!(lines[6].contains("\"events\":5,\"whole\":true"), "{text}");
    // A window has what lies in it only.
    let (text, ..) = duotrace(&["trace2text", "--json", "--from", "1s", "--until", "1500ms", &path]);
    let names: Vec<bool> =
        text.lines().filter(|l| l.contains("\"event\",")).map(|l| l.contains("dog")).collect();
    assert_eq!(names, [true, true], "{text}");
}

#[test]
fn a_recording_as_spans() {
    let path = recording("chrome.dtr", 0);
    let (text, errors, status) = duotrace(&["trace2text", "--chrome", &path.to_string_lossy()]);
    assert_eq!((errors.as_str(), status), ("", Some(0)));
    // Two calls that returned, and one that is still open at the end.
    assert_eq!(text.matches("\"ph\":\"X\"").count(), 3, "{text}");
    assert_eq!(text.matches("\"dur\":250").count(), 1, "{text}");
    assert_eq!(text.matches("unfinished").count(), 1, "{text}");
    assert!(text.trim_end().starts_with('{') || text.trim_end().starts_with('['), "{text}");
    assert!(text.trim_end().ends_with(['}', ']']), "{text}");
}

#[test]
fn a_window_is_replayed() {
    let path = recording("window.dtr", 0);
    let path = path.to_string_lossy();
    let script = "syscall::read: { printf(\"%s %d\\n\", probename, arg0); }";
    let window = |words: &[&str]| {
        let all = [&["-q", "--replay", &path, "-n", script], words].concat();
        let (out, errors, status) = duotrace(&all);
        assert_eq!((errors.as_str(), status), ("", Some(0)), "{words:?}");
        out.trim_end().to_string()
    };
    assert_eq!(window(&[]), "entry 3\nreturn 17\nentry 4\nreturn 0\nentry 5");
    assert_eq!(window(&["--from", "1s"]), "entry 4\nreturn 0\nentry 5");
    assert_eq!(window(&["--until", "250us"]), "entry 3\nreturn 17");
    assert_eq!(window(&["--from", "1s", "--until", "1010ms"]), "entry 4");
    assert_eq!(window(&["--from", "3600s"]), "");
    let (_, errors, status) = duotrace(&["--replay", &path, "-n", script, "--from", "2y"]);
    assert!(errors.contains("--from: no time: 2y"), "{errors}");
    assert_ne!(status, Some(0));
}

#[test]
fn a_recording_without_its_end_gives_what_it_has() {
    let path = recording("cut.dtr", 10);
    let path = path.to_string_lossy();
    let script = "syscall::read:entry { printf(\"%d\\n\", arg0); }";
    let (out, errors, status) = duotrace(&["-q", "--replay", &path, "-n", script]);
    assert_eq!((out.trim_end(), status), ("3\n4\n5", Some(0)), "{errors}");
    assert!(errors.contains("recording: the file ends within a chunk"), "{errors}");
    let (text, ..) = duotrace(&["trace2text", "--json", &path]);
    assert!(text.contains("\"type\":\"damage\"") && text.contains("\"whole\":false"), "{text}");
}
