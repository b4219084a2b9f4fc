//! Small recordings in every form.

use super::*;
use crate::file::{Machine, Writer};
use std::io::Cursor;

const EVENTS: &str = "
1s    syscall::open:entry        pid=7 execname=cat arg0=0x10 mem:0x10=\"/etc/passwd\"
+1us  postgresql7:pg:a:query-start pid=7 execname=cat arg0=1
+1us  postgresql7:pg:b:lock-wait-start pid=7 execname=cat arg0=2
+1us  postgresql7:pg:b:query-done  pid=7 execname=cat arg0=1
+1us  postgresql7:pg:b:lock-wait-done pid=7 execname=cat arg0=2
+1us  syscall::open:return       pid=7 execname=cat arg0=3
+1us  io:::start                 pid=7 execname=cat arg0=99
+2us  io:::done                  pid=0 execname=swapper arg0=99
+1us  syscall::read:return       pid=7 execname=cat arg0=-1
+1us  syscall::read:entry        pid=7 execname=cat arg0=4
+1s   profile:::tick-1s          pid=0 execname=swapper
";

/// A recording of these events, with all that they have.
fn recording() -> Vec<u8> {
    use crate::file::Field::{Arg, Memory, Text as Name};
    use duotrace_core::ir::Builtin::Execname;
    let (mut schemas, events) = synthetic::parse(EVENTS).expect("events");
    schemas.iter_mut().for_each(|schema| schema.fields = vec![Name(Execname), Arg(0), Memory]);
    let mut writer =
        Writer::new(Vec::new(), Machine { big_endian: false, pointer: 8, wall: 5 }).expect("header");
    writer.meta(&[("duotrace", "0"), ("library", "long")]).expect("written");
    writer.probes(&schemas).expect("written");
    for event in &events {
        writer.event(event).expect("written");
        writer.flush().expect("written");
    }
    writer.losses(&[Loss { what: "Principal".into(), count: 3 }]).expect("written");
    writer.finish().expect("written")
}

fn shown(form: Form, window: Window) -> String {
    let mut out = Vec::new();
    export(Cursor::new(recording()), form, window, &mut out).expect("exported");
    String::from_utf8(out).expect("text")
}

#[test]
fn text_is_read_again() {
    let text = shown(Form::Text, Window::default());
    let (schemas, events) = synthetic::parse(&text).expect("events");
    assert_eq!((schemas.len(), events.len()), (11, 11), "{text}");
    assert!(text.ends_with("# lost: 3 Principal\n"), "{text}");
}

#[test]
fn lines_of_json() {
    let text = shown(Form::Json, Window { from: 2000, until: 3000 });
    let want = r#"{"schema":1,"type":"recording","byte_order":"little","pointer":8,"wall_minus_monotonic":5,"about":[{"name":"duotrace","value":"0"}]}
{"schema":1,"type":"event","probe":{"id":3,"provider":"postgresql7","module":"pg","function":"b","name":"lock-wait-start"},"timestamp":1000002000,"cpu":0,"pid":7,"tid":7,"execname":"cat","arg0":2,"memory":[]}
{"schema":1,"type":"event","probe":{"id":4,"provider":"postgresql7","module":"pg","function":"b","name":"query-done"},"timestamp":1000003000,"cpu":0,"pid":7,"tid":7,"execname":"cat","arg0":1,"memory":[]}
{"schema":1,"type":"drop","kind":"Principal","count":3}
{"schema":1,"type":"end","events":2,"whole":true}
"#;
    assert_eq!(text, want);
}

#[test]
fn spans_of_chrome() {
    let text = shown(Form::Chrome, Window::default());
    // (phase, name, thread, begin, length or id)
    let has = |part: &str| assert!(text.contains(part), "no {part} in\n{text}");
    has(r#"{"displayTimeUnit":"ns","otherData":{"recorded_by":"duotrace 0"},"traceEvents":["#);
    has(r#"{"ph":"M","name":"process_name","pid":7,"tid":7,"args":{"name":"cat"}}"#);
    has(
        r#"{"ph":"X","name":"open","pid":7,"tid":7,"cat":"syscall","ts":0.000,"dur":5.000,"args":{"execname":"cat","arg0":16,"memory":[{"space":"user","address":16,"text":"/etc/passwd"}],"end":{"#,
    );
    // It ends while what it contains is open: not a slice of the thread.
    has(r#"{"ph":"b","name":"query","pid":7,"tid":7,"cat":"postgresql7","id":1,"ts":1.000,"#);
    has(r#"{"ph":"e","name":"query","pid":7,"tid":7,"cat":"postgresql7","id":1,"ts":3.000}"#);
    has(r#"{"ph":"X","name":"lock-wait","pid":7,"tid":7,"cat":"postgresql7","ts":2.000,"dur":2.000,"#);
    // Another thread ends it.
    has(r#"{"ph":"b","name":"io","pid":7,"tid":7,"cat":"io","id":2,"ts":6.000,"#);
    has(r#"{"ph":"e","name":"io","pid":7,"tid":7,"cat":"io","id":2,"ts":8.000}"#);
    // Begun before the recording; not ended within it; neither.
    has(r#"{"ph":"i","name":"read return","pid":7,"tid":7,"cat":"syscall","s":"t","ts":9.000,"#);
    has(r#""name":"read","pid":7,"tid":7,"cat":"syscall","ts":10.000,"dur":1000000.000,"#);
    has(r#""unfinished":true}}"#);
    has(r#"{"ph":"i","name":"tick-1s","pid":0,"tid":0,"cat":"profile","s":"t","#);
    has(r#"{"ph":"i","name":"3 Principal lost","#);
    assert!(text.ends_with("\n]}\n"), "{text}");
    let depth = |open, close| text.matches(open).count() - text.matches(close).count();
    assert_eq!((depth('{', '}'), depth('[', ']')), (0, 0), "{text}");
}
