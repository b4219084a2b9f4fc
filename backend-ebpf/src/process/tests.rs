//! Tests on real processes.

use super::child::{Child, Ended, EvalTime};
use super::command::EnvChange;
use super::maps;
use super::pid_provider::{self, PidPattern, PidProbe};
use super::usdt_scan::{Pids, Scanner};
use crate::symbols::testing::{PROBES, Scratch};
use std::path::Path;

fn hold(line: &str, when: EvalTime) -> Child {
    Child::launch(line, &[], when).unwrap()
}

#[test]
fn held_at_the_entry_point() {
    let mut child = hold("/bin/sh -c 'exit 3'", EvalTime::PostInit);
    let objects = maps::objects(child.pid()).unwrap();
    assert!(objects.iter().any(|o| o.name.starts_with("libc.so")), "{objects:?}");
    assert_eq!(child.try_wait(), None);
    assert_eq!(child.wait(50), None);
    child.resume();
    assert_eq!(child.wait(10_000), Some(Ended::Exited(3)));
    assert_eq!(child.wait(-1), Some(Ended::Exited(3)));
}

#[test]
fn held_at_exec() {
    let mut child = hold("/bin/true", EvalTime::Exec);
    let objects = maps::objects(child.pid()).unwrap();
    assert!(!objects.iter().any(|o| o.name.starts_with("libc.so")), "{objects:?}");
    child.resume();
    assert_eq!(child.wait(10_000), Some(Ended::Exited(0)));
}

/// What another tracer does to a text page meanwhile stays as it left it: see `tracer::Stop`.
#[test]
#[cfg(target_arch = "x86_64")]
fn text_is_not_written_to() {
    let child = hold("/bin/sleep 30", EvalTime::Main);
    let smaps = std::fs::read_to_string(format!("/proc/{}/smaps", child.pid())).unwrap();
    let mut inside = false;
    let mut seen = 0;
    for line in smaps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, rights, _, _, _, path] => inside = rights.contains('x') && path.ends_with("sleep"),
            ["Private_Dirty:", dirty, _] if inside => {
                seen += 1;
                assert_eq!(*dirty, "0", "{line}");
            }
            _ => {}
        }
    }
    assert_eq!(seen, 1, "{smaps}");
}

#[test]
fn text_is_restored() {
    let mut child = hold("/bin/sleep 30", EvalTime::Main);
    let objects = maps::objects(child.pid()).unwrap();
    let exe = objects.iter().find(|o| o.is_exe).unwrap();
    let elf = exe.open(child.pid()).unwrap();
    let at = exe.load_bias(&elf).unwrap().wrapping_add(elf.entry());
    let memory = std::fs::File::open(format!("/proc/{}/mem", child.pid())).unwrap();
    let mut bytes = [0; 16];
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, at).unwrap();
    assert_eq!(elf.read_vaddr(elf.entry(), 16), Some(bytes.to_vec()));
    child.resume();
    child.signal(libc::SIGTERM);
    assert_eq!(child.wait(10_000), Some(Ended::Signalled(libc::SIGTERM)));
}

#[test]
fn what_cannot_be_started() {
    for (line, want) in [
        ("./no-such-binary", "failed to execute \"./no-such-binary\": No such file or directory"),
        ("no-such-binary -x", "failed to execute \"no-such-binary\": No such file or directory"),
        ("/etc/passwd", "failed to execute \"/etc/passwd\": Permission denied"),
        ("", "failed to execute command: it is empty"),
    ] {
        let error = Child::launch(line, &[], EvalTime::PostInit).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
}

#[test]
fn dropped_means_killed() {
    for resumed in [false, true] {
        let mut child = hold("sleep 30", EvalTime::PostInit);
        if resumed {
            child.resume();
        }
        let pid = child.pid();
        drop(child);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}

#[test]
fn a_command_killed_while_held() {
    let mut child = hold("sleep 30", EvalTime::PostInit);
    child.signal(libc::SIGKILL);
    assert_eq!(child.wait(5000), Some(Ended::Signalled(libc::SIGKILL)));
    child.resume();
}

#[test]
fn environment_and_signals() {
    let set = EnvChange::Set("DUO_TEST".into(), "a b".into());
    let unset = EnvChange::Unset("HOME".into());
    // SIGPIPE must not be ignored, as it is in Rust programs: bit 12 of SigIgn.
    let line = r#"/bin/sh -c 'test "$DUO_TEST" = "a b" && test -z "$HOME" && grep -q "SigIgn:.*[0-9a-f]*[02468ace]...$" /proc/self/status'"#;
    let mut child = Child::launch(line, &[set, unset], EvalTime::PostInit).unwrap();
    child.resume();
    assert_eq!(child.wait(10_000), Some(Ended::Exited(0)));
}

#[test]
fn scripts_and_static_programs() {
    let dir = Scratch::new("script");
    for (name, text) in [("with", "#!/bin/sh\nexit 5\n"), ("without", "exit 5\n")] {
        let path = dir.path(name);
        std::fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        let mut child = hold(path.to_str().unwrap(), EvalTime::PostInit);
        child.resume();
        assert_eq!(child.wait(10_000), Some(Ended::Exited(5)), "{name}");
    }
    for flags in [&["-static"][..], &["-static-pie", "-fPIE"]] {
        let Some(path) = dir.cc("static", "int main(void){return 6;}", flags) else { continue };
        let mut child = hold(path.to_str().unwrap(), EvalTime::PostInit);
        child.resume();
        assert_eq!(child.wait(10_000), Some(Ended::Exited(6)), "{flags:?}");
    }
}

#[test]
fn pid_probes() {
    let dir = Scratch::new("pid");
    let Some(path) = dir.cc("demo", PROBES, &[]) else { return };
    let child = hold(path.to_str().unwrap(), EvalTime::PostInit);
    let find = |module: &str, function: &str, name: &str| {
        pid_provider::sites(child.pid(), &PidPattern { module, function, name, limit: 100_000 })
    };
    let entry = find("a.out", "one", "entry").unwrap();
    assert_eq!(entry.len(), 1);
    assert_eq!((entry[0].module.as_str(), entry[0].name()), ("demo", "entry".into()));
    let returns = find("demo", "main", "return").unwrap();
    assert!(
        returns.iter().all(|s| s.offset > 0 && matches!(s.probe, PidProbe::Return(_))) && !returns.is_empty()
    );
    let all = find("a.out", "two", "").unwrap();
    assert!(all.iter().any(|s| s.probe == PidProbe::Entry) && all.iter().any(|s| s.name() == "0"));
    let last = all.iter().rfind(|s| s.probe == PidProbe::Offset).unwrap();
    assert_eq!(find("a.out", "two", &last.name()).unwrap().len(), 1);
    assert!(find("a.out", "two", "ffff").unwrap_err().to_string().contains("offset 0xffff is not"));
    assert_eq!(find("libc", "puts", "entry").unwrap()[0].module, "libc.so.6");
    assert_eq!(find("libc*", "put[cs]", "entry").unwrap().len(), 2);
    assert!(find("a.out", "nosuch", "entry").unwrap_err().to_string().starts_with("no function nosuch in "));
    assert!(
        find("libz", "x", "entry").unwrap_err().to_string().contains("has no module libz (it has demo, ")
    );
    assert!(find("a.out", "nosuch*", "entry").unwrap().is_empty());
    let main = crate::symbols::elf::Elf::open(&path).unwrap().functions_named("main").remove(0);
    let absolute = find("a.out", "-", &format!("{:x}", main.vaddr)).unwrap();
    assert_eq!(absolute[0].file_offset, main.offset);
    let few = PidPattern { module: "", function: "", name: "entry", limit: 3 };
    assert!(pid_provider::sites(child.pid(), &few).is_err());
    let gone = pid_provider::sites(4_194_300, &few).unwrap_err();
    assert_eq!(gone.to_string(), "failed to grab process 4194300: No such process");
}

#[test]
fn usdt_of_processes() {
    let dir = Scratch::new("scan");
    let Some(path) = dir.cc("demo", PROBES, &[]) else { return };
    let (a, b) =
        (hold(path.to_str().unwrap(), EvalTime::PostInit), hold(path.to_str().unwrap(), EvalTime::PostInit));
    let mut scanner = Scanner::new();
    let scan = scanner.all();
    let here = |m: &super::usdt_scan::UsdtMatch| m.file.path == path;
    let found: Vec<_> = scan.matching("demo*", "", "", "item").into_iter().filter(here).collect();
    let [m] = &found[..] else { panic!("{found:?}") };
    assert_eq!((m.sites.len(), m.function.as_str(), &m.pids), (2, "two", &Pids::All));
    let mut both = vec![a.pid(), b.pid()];
    both.sort_unstable();
    assert_eq!(m.mapped_by, both);
    let one = scan.matching(&format!("demo{}", a.pid()), "a.out", "", "query-start");
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].pids, Pids::Only(vec![a.pid()]));
    assert!(scan.matching("demo", "", "", "").is_empty());
    assert!(scan.matching(&format!("demo{}", a.pid()), "libc.so.6", "", "").is_empty());
    // A file that nobody runs.
    assert_eq!(scanner.file(&path).map(|f| f.sites.len()), Some(3));
    assert!(scanner.file(Path::new("/etc/passwd")).is_none());
    // A deleted file is still reached.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(Scanner::new().process(a.pid()).matching("demo*", "", "", "item").len(), 1);
}

/// Texts of the kernel and of perf's maps, with bytes changed, lost and repeated: read without a panic.
#[test]
fn hostile_texts() {
    use super::kallsyms::Kallsyms;
    use crate::symbols::perf_map::PerfMap;
    let maps = std::fs::read("/proc/self/maps").unwrap();
    let symbols: &[u8] =
        b"ffffffff81000000 T _text\nffffffff81000040 t work [ext4]\n0000000000000000 A zero\n";
    let made: &[u8] = b"7f0000001000 40 java/lang/Object.wait(J)V\n7f0000002000 0x80 py::f:/x.py\n";
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 16) as usize % limit.max(1)
    };
    for round in 0..3000 {
        let mut text = [maps.as_slice(), symbols, made][round % 3].to_vec();
        for _ in 0..1 + below(6) {
            if text.is_empty() {
                break;
            }
            let at = below(text.len());
            match below(4) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, b"\n -:fF0[]\xff/"[below(11)]),
                2 => text[at] = below(256) as u8,
                _ => text.truncate(at + 1),
            }
        }
        match round % 3 {
            0 => drop(super::maps::objects_of(super::maps::parse(&text), None)),
            1 => {
                let symbols = Kallsyms::parse(String::from_utf8_lossy(&text).into_owned());
                for addr in [0, 1, 0xffff_ffff_8100_0041, u64::MAX] {
                    let _ = symbols.find(addr);
                }
            }
            _ => {
                let map = PerfMap::parsed(&text);
                for addr in [0, 0x7f00_0000_1001, u64::MAX] {
                    let _ = map.find(addr);
                }
            }
        }
    }
}
