//! A program through code generation and the running kernel.

use crate::outcome::{Delivered, Outcome};
use duotrace_core::aggregate::Aggregation;
use duotrace_core::ir::{ClauseId, Program, Ty};
use duotrace_core::probe::{Probe, ProbeId};
use duotrace_core::record::Value;
use duotrace_ebpf::codegen::decode::{self, KeyValue};
use duotrace_ebpf::codegen::layout::{self, drops, event};
use duotrace_ebpf::codegen::{self, *};
use duotrace_ebpf::kernel::ringbuf::RingBuffer;
use duotrace_ebpf::kernel::{Kind, LoadError, Map, Prog, ProgSpec, test_run};
use std::collections::BTreeMap;

/// Why a program did not run.
#[derive(Debug)]
pub enum Refused {
    /// The code generator said no: nested too deeply, not supported.
    Compiler(String),
    /// The kernel said no: a bug.
    Kernel(String),
}

pub fn limits() -> Limits {
    Limits {
        aggsize: 64 << 10,
        dynvarsize: 1 << 20,
        bufsize: 256 << 10,
        scratchsize: 256,
        nspec: 2,
        cpu: None,
    }
}

pub fn probe(id: ProbeId) -> Option<Probe> {
    Some(Probe {
        id,
        provider: "test".into(),
        module: "mod".into(),
        function: format!("function{}", id.0),
        name: if id.0 == 3 { "ERROR" } else { "entry" }.into(),
        args: None,
    })
}

/// Runs a program once for each list of arguments.
pub fn run(
    program: &Program,
    errors: usize,
    target: Target,
    firings: &[Vec<u64>],
) -> Result<Outcome, Refused> {
    let normal = program.clauses.len() - errors;
    let groups = [SiteGroup {
        hook: Hook::RawTracepoint,
        clauses: (0..normal as u32).map(ClauseId).collect(),
        identity: ProbeIdentity::Const(ProbeId(1)),
        args: (0..4).map(ArgSource::Ctx).collect(),
        filter: PidFilter::Any,
        errno: false,
        provider_pid: false,
        at_entry: false,
        session: false,
        also: None,
        guard: Vec::new(),
        condition: None,
        keep: None,
        looks_at: None,
        task: None,
        service: None,
    }];
    let error_clauses = (normal as u32..program.clauses.len() as u32).map(ClauseId).collect();
    let input = Input {
        program,
        groups: &groups,
        limits: limits(),
        target,
        errors: (errors > 0).then_some(ErrorProbe { probe: ProbeId(3), clauses: error_clauses }),
        probe: &probe,
    };
    let image = codegen::compile(&input)
        .map_err(|diags| Refused::Compiler(diags.first().map_or(String::new(), |d| d.message.clone())))?;
    let system = |error: duotrace_ebpf::kernel::Error| Refused::Kernel(error.to_string());
    let mut maps = BTreeMap::new();
    for def in &image.maps {
        let map = Map::create(def.spec.clone()).map_err(system)?;
        for (key, value) in &def.init {
            map.update(key, value).map_err(system)?;
        }
        maps.insert(def.id.0, map);
    }
    let code = &image.programs[0].code;
    let insns = code.with_maps(|id| maps.get(&id.0).map(Map::raw_fd)).expect("maps");
    let spec = ProgSpec {
        kind: Kind::RawTracepoint,
        name: "compare",
        insns: &insns,
        functions: &code.functions,
        sleepable: false,
    };
    let prog = Prog::load(&spec).map_err(|error| match error {
        LoadError::Refused(refusal) => {
            let log: Vec<&str> = refusal.log.lines().collect();
            Refused::Kernel(format!("{}\n{}", refusal.reason, log[log.len().saturating_sub(25)..].join("\n")))
        }
        other => Refused::Kernel(other.to_string()),
    })?;
    let mut ring = RingBuffer::new(&maps[&layout::EVENTS.0]).map_err(system)?;
    let control = maps[&layout::CONTROL.0].mmap().map_err(system)?;
    control.store(layout::control::ARMED as usize, 1);
    let mut outcome = Outcome::default();
    for args in firings {
        test_run::run(&prog, args, None).map_err(system)?;
        ring.drain(|bytes| outcome.delivered.push(delivered(program, bytes)));
    }
    let counters = maps[&layout::DROPS.0].mmap().map_err(system)?;
    for cpu in 0..image.layout.ncpu {
        for kind in [drops::PRINCIPAL, drops::DYNAMIC, drops::NESTED, drops::SPECULATION_UNAVAILABLE] {
            *outcome.drops.entry(kind).or_default() +=
                counters.load(image.layout.drop_at(cpu, kind)).unwrap_or(0);
        }
    }
    outcome.aggregations = aggregations(program, &image.layout, &maps);
    Ok(outcome)
}

fn word(bytes: &[u8], at: u32) -> u32 {
    let at = at as usize;
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn delivered(program: &Program, bytes: &[u8]) -> Delivered {
    let (clause, probe) = (word(bytes, event::CLAUSE), word(bytes, event::PROBE));
    let data = &bytes[event::HEADER as usize..];
    if word(bytes, event::KIND) == event::FAULT {
        let address = u64::from_ne_bytes(data[16..24].try_into().expect("eight bytes"));
        return Delivered::Fault { clause, probe, action: word(data, 0), fault: word(data, 8), address };
    }
    Delivered::record(program, ClauseId(clause), probe, data)
}

fn aggregations(program: &Program, layout: &Layout, maps: &BTreeMap<u32, Map>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (id, def) in program.aggregations.iter().enumerate() {
        let mut merged = Aggregation::new(id as u32, "a", def.func, def.key.len());
        let plan = &layout.aggs[id];
        let mut add = |key: Vec<Value>, words: &[i64]| merged.merge_partial(key, words).expect("fits");
        for table in 0..2 * layout.ncpu {
            let (bank, cpu) = (table / layout.ncpu, table % layout.ncpu);
            if let Some(slot) = plan.slot {
                let Some(slots) = maps.get(&layout::SLOTS.0) else { continue };
                let slots = slots.mmap().expect("mmap");
                let at = layout.slots_at(bank, cpu) + slot as usize;
                let mut words = Vec::new();
                if decode::decode_value(plan, |n| slots.load(at + n * 8), &mut words).is_some() {
                    add(Vec::new(), &words);
                }
                continue;
            }
            let Some(map) = maps.get(&layout::AGGS.0) else { continue };
            let tables = map.mmap().expect("mmap");
            let base = table as usize * tables.stride();
            decode::entries(
                layout,
                |n| tables.load(base + n * 8),
                |entry| {
                    if entry.agg as usize == id {
                        let key = decode::key_in_order(plan, entry.key).expect("key");
                        add(
                            def.key.iter().zip(key).map(|(ty, part)| value(*ty, part)).collect(),
                            entry.value,
                        );
                    }
                },
            );
        }
        found.push(crate::outcome::show(&merged));
    }
    found
}

fn value(ty: Ty, part: KeyValue<'_>) -> Value {
    match (ty, part) {
        (_, KeyValue::Str(text)) => Value::Str(text),
        (Ty::Int { bytes, signed }, KeyValue::Words(words)) => Value::int_of(words[0], bytes, signed),
        (Ty::Bytes(size), KeyValue::Words(words)) => {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            bytes.truncate(size as usize);
            Value::Bytes(bytes)
        }
        (ty, part) => panic!("{ty:?} {part:?}"),
    }
}
