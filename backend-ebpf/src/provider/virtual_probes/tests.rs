use super::*;
use crate::symbols::recipe::Op;

fn finder() -> VirtualProviders {
    VirtualProviders::new(None)
}

#[test]
fn what_comes_with_the_tool_is_right() {
    let tables = Tables::load(None);
    assert_eq!(tables.faults, Vec::<String>::new());
    // Every probe of a series can be made with every table of it.
    for offsets in &tables.offsets {
        let series: Vec<&Series> = tables.series.iter().filter(|s| s.name == offsets.series).collect();
        assert_eq!(series.len(), 1, "{}", offsets.series);
        for probe in series.iter().flat_map(|series| &series.probes) {
            for build in &offsets.builds {
                if probe.place == Place::Site && !build.sites.contains_key(&probe.symbol) {
                    continue;
                }
                let recipes = recipes(probe, offsets, build);
                assert!(recipes.is_ok(), "{}: {recipes:?}", probe.name);
            }
            // What is read without looking at a file's contents must not hide a file that a series is about.
            let hidden = |file: &&String| !file.contains('*') && !finder().concerns(file);
            assert_eq!(probe.files.iter().find(hidden), None);
        }
    }
    assert!(finder().concerns("libperl.so.5.36") && !finder().concerns("libc.so.6"));
}

#[test]
fn lets_are_computed_once_and_in_order() {
    let text = "series s\nprovider p\nin f\nprobe x\nat entry of f\nlet a = [arg0 + o]\nlet unused = [arg1]\n\
                let b = a + a\narg int = b * b\narg int = 3\n";
    let series = text::series(text).unwrap();
    let offsets = text::offsets("series s\nbuild 0123456789\no 16\n").unwrap();
    let recipes = recipes(&series.probes[0], &offsets, &offsets.builds[0]).unwrap();
    let Recipe::Let { name: 0, body, .. } = recipes.args[0].value.as_ref() else {
        panic!("{:?}", recipes.args[0])
    };
    let Recipe::Let { name: 2, body, .. } = body.as_ref() else { panic!("{body:?}") };
    assert!(matches!(body.as_ref(), Recipe::Binary { op: Op::Mul, .. }));
    assert_eq!(recipes.args[1].value.as_ref(), &Recipe::Const(3));
}

#[test]
fn mistakes_in_files_are_told() {
    for (text, want) in [
        ("probe x", "line 1: 'provider' and 'in' stand before the first probe"),
        ("provider p\nin f\nprobe x\n", "probe x has no 'at'"),
        ("provider p\nin f\nprobe x\nat middle of f", "line 4: 'middle' is no place in a function"),
        ("provider p\nin f\nprobe x\narg int", "line 4: 'arg' wants ' = '"),
        ("what", "line 1: no probe was begun"),
        ("provider p\nin f\nprobe", "line 3: a probe has a name"),
    ] {
        assert_eq!(text::series(text).err().as_deref(), Some(want));
    }
    for (text, want) in [
        ("build 0123456789", "'series' is missing"),
        ("series s\nbuild xyz", "line 2: a build-id is hexadecimal"),
        ("series s\na b", "line 2: a name and a number are wanted"),
        (
            "series s\nbuild 0123456789\nregister a rip",
            "line 3: a name and an address, or a register, are wanted",
        ),
        ("series s\nbuild 0123456789\nsite a 0x1\nsite a 0x2", "line 4: the name is there already"),
        ("series s\nfunction f 0x10", "line 2: this is a line of a build"),
    ] {
        assert_eq!(text::offsets(text).err().as_deref(), Some(want));
    }
}

#[test]
fn an_unknown_build_says_what_to_do() {
    // Any file that is named like one of ours will do: this test's own program.
    let elf = Elf::open(&std::env::current_exe().unwrap()).unwrap();
    let found = finder().find(&elf, "perl");
    assert!(found.sites.is_empty());
    assert_eq!(found.providers, ["perl", "perlsub", "perlxs"]);
    let problem = found.problem.unwrap();
    assert!(problem.contains("ci/virtual-offsets perl /"), "{problem}");
    assert!(problem.contains("DUOTRACE_PROVIDERS"), "{problem}");
    assert!(finder().find(&elf, "cat").problem.is_none());
}

#[test]
fn a_directory_comes_first() {
    let directory = std::env::temp_dir().join(format!("duotrace-virtual-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let elf = Elf::open(&std::env::current_exe().unwrap()).unwrap();
    let build: String = elf.build_id().unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(
        directory.join("a.probes"),
        "series mine\nprovider own\nin own-program\nprobe main-entry\n at entry of main\n arg int = arg0\n",
    )
    .unwrap();
    std::fs::write(directory.join("a.offsets"), format!("series mine\nbuild {build}\n")).unwrap();
    std::fs::write(directory.join("b.offsets"), "garbage").unwrap();
    let finder = VirtualProviders::new(Some(directory.clone()));
    let found = finder.find(&elf, "own-program");
    // Without a build-id (a linker's choice) there is nothing to find it by.
    if !build.is_empty() {
        assert_eq!(found.sites.len(), 1);
        assert_eq!((found.sites[0].provider.as_str(), found.sites[0].name.as_str()), ("own", "main-entry"));
    }
    assert!(finder.tables().faults[0].contains("b.offsets: line 1"), "{:?}", finder.tables().faults);
    std::fs::remove_dir_all(directory).unwrap();
}
