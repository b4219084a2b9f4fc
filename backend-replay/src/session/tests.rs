//! Scripts over events made by hand.

use super::*;
use duotrace_core::consumer::{self, Control, Host, OutputClosed, Stop};
use duotrace_core::output::{Environment, Utc};
use duotrace_core::sema::{self, CompileConfig, ProgramKind, ProgramText};

/// Keeps what is written.
#[derive(Default)]
struct Memory {
    out: Vec<u8>,
    warnings: Vec<String>,
}

impl Host for Memory {
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), OutputClosed> {
        Ok(())
    }

    fn warn(&mut self, line: &str) {
        self.warnings.push(line.to_string());
    }

    fn system(&mut self, _command: &[u8]) {}

    fn freopen(&mut self, _path: Option<&[u8]>) -> Result<(), String> {
        Ok(())
    }

    fn ftruncate(&mut self) {}

    fn environment(&self) -> &dyn Environment {
        &Utc
    }
}

struct Never;

impl Control for Never {
    fn stop(&mut self) -> Stop {
        Stop::No
    }
}

/// What a script prints over events, quietly; its warnings after it.
fn output(script: &str, replay: &mut Replay) -> Result<(String, Vec<String>), String> {
    let mut options = Options::new();
    options.set("quiet", None).map_err(|error| error.to_string())?;
    let text = ProgramText { name: "test.d".into(), text: script.into(), kind: ProgramKind::Script };
    let compiled = sema::compile(&[text], &CompileConfig::default(), &mut options, replay);
    if let Some(error) = compiled.error() {
        return Err(error.message.clone());
    }
    let mut session = replay.load(&compiled.program, &options).map_err(|error| format!("{error:?}"))?;
    let mut host = Memory::default();
    let probes = Rc::clone(&replay.probes);
    let finished = consumer::run(
        &compiled.program,
        session.as_mut(),
        &|id| probes.get(&id.0).cloned(),
        &options,
        &[0],
        &mut host,
        &mut Never,
    );
    finished.map_err(|error| error.to_string())?;
    Ok((String::from_utf8_lossy(&host.out).into_owned(), host.warnings))
}

const EVENTS: &str = "
1s     syscall::read:entry  pid=1 execname=cat arg0=3 arg2=100
+1ms   syscall::read:return pid=1 execname=cat arg0=17
+500ms syscall::read:entry  pid=2 execname=dog arg0=4 arg2=200 mem:0x100=\"/etc/passwd\"
+2ms   syscall::read:return pid=2 execname=dog arg0=0
+1s    syscall::read:entry  pid=1 execname=cat arg0=0x100 arg2=300 mem:0x100=\"/tmp\"
";

fn on_events(script: &str) -> Result<(String, Vec<String>), String> {
    output(script, &mut Replay::from_text(EVENTS)?)
}

#[test]
fn counts_and_latencies() {
    let script = "syscall::read:entry { self->t = timestamp; @[execname] = count(); }
        syscall::read:return /self->t/ { printf(\"%s %d\\n\", execname, timestamp - self->t); self->t = 0; }";
    let (out, _) = on_events(script).expect("runs");
    let rows: Vec<String> = out.split_whitespace().map(str::to_string).collect();
    assert_eq!(rows.join(" "), "cat 1000000 dog 2000000 dog 1 cat 2");
}

#[test]
fn ticks_see_aggregations_as_they_were() {
    let script = "BEGIN { printf(\"begin\\n\"); } syscall::read:entry { @ = count(); }
        tick-400ms { printa(\"%@d \", @); } END { printf(\"end\\n\"); }";
    let (out, _) = on_events(script).expect("runs");
    assert_eq!(out, "begin\n1 2 2 end\n\n");
}

#[test]
fn strings_faults_and_exit() {
    let script = "syscall::read:entry /pid == 2/ { trace(copyinstr(0x100)); trace(copyinstr(8)); }
        ERROR { printf(\"fault %d at %x\", arg4, arg5); }
        syscall::read:return /pid == 2/ { exit(3); } syscall::read:entry /arg2 == 300/ { trace(\"late\"); }";
    let (out, warnings) = on_events(script).expect("runs");
    assert_eq!(out.trim(), "fault 1 at 8");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn two_runs_print_the_same() {
    let script = "syscall::: { @[probefunc, probename, execname] = quantize(arg2); @s[pid] = stddev(arg0); }";
    assert_eq!(on_events(script), on_events(script));
}

/// What a 32-bit big-endian machine had in memory, on whatever host this is.
#[test]
fn other_machines_memory_is_read_as_they_had_it() {
    use crate::file::{Field, Machine, Writer};
    use duotrace_core::ir::Space;
    let machine = Machine { big_endian: true, pointer: 4, wall: 0 };
    let mut writer = Writer::new(Vec::new(), machine).expect("header");
    let names = ["pid", "a.out", "f", "entry"].map(str::to_string);
    let [provider, module, function, name] = names;
    let probe = Probe { id: ProbeId(1), provider, module, function, name, args: None };
    writer.probes(&[Schema { probe, fields: vec![Field::Arg(0), Field::Memory] }]).expect("written");
    let mut event = Event::default();
    event.probe = ProbeId(1);
    event.set_arg(0, 0x1000);
    let object = [0, 0, 1, 2, 0, 7, b'h', b'i', 0, 0, 0, 0, 0, 0, 0, 9];
    event.add_memory(Space::User, 0x1000, Some(&object));
    writer.event(&event).expect("written");
    let mut replay = Replay::from_bytes(writer.finish().expect("written")).expect("read");
    let script = "struct s { uint32_t a; uint16_t b; char c[2]; uint64_t d; };
        pid:::entry {
            this->p = (struct s *)copyin(arg0, sizeof (struct s));
            printf(\"%d %d %s %d|\", this->p->a, this->p->b, stringof(this->p->c), this->p->d);
            printf(\"%d %x\\n\", ntohs(this->p->b), *(uint16_t *)copyin(arg0 + 2, 2));
            print(*this->p);
        }";
    let (out, warnings) = output(script, &mut replay).expect("runs");
    assert_eq!(warnings, Vec::<String>::new());
    let (first, printed) = out.split_once('\n').expect("two parts");
    assert_eq!(first, "258 7 hi 9|7 102");
    for want in ["a = 0x102", "b = 0x7", "d = 0x9"] {
        assert!(printed.contains(want), "no {want} in {printed}");
    }
}
