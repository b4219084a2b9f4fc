//! Programs made by hand, compiled, loaded and fired on the running kernel.
//!
//! Without privileges each test says so and passes.

mod aggregations;
mod language;
mod records;

use super::*;
use crate::kernel::privilege::Privileges;
use crate::kernel::ringbuf::RingBuffer;
use crate::kernel::{Feature, Features, Kind, LoadError, Map, Prog, ProgSpec, cpus, features, test_run};
use duotrace_core::aggregate::AggFunc;
use duotrace_core::diagnostic::SourceMap;
use duotrace_core::ir::*;
use duotrace_core::probe::ProbeDesc;
use std::collections::BTreeMap;

/// Prints why a test cannot run here.
fn skipped(test: &str) -> bool {
    let privileges = Privileges::read();
    if privileges.can_trace() {
        return false;
    }
    eprintln!("SKIP {test}: {}", privileges.explain());
    true
}

/// A loaded image.
struct Loaded {
    image: Image,
    maps: BTreeMap<u32, Map>,
    progs: Vec<Prog>,
    ring: RingBuffer,
}

/// An event as the ring has it.
#[derive(Clone, Debug)]
struct Fired {
    kind: u32,
    clause: u32,
    probe: u32,
    pid: u32,
    data: Vec<u8>,
}

impl Fired {
    fn word(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.data[at..at + 8].try_into().unwrap())
    }

    fn string(&self, at: usize) -> Option<String> {
        let length = self.word(at);
        if length == u64::MAX {
            return None;
        }
        let text = &self.data[at + 8..at + 8 + length as usize];
        assert_eq!(self.data[at + 8 + length as usize], 0, "NUL");
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

fn target() -> Target {
    Target {
        ncpu: cpus::possible().expect("cpus").len() as u32,
        global_ctx: features::release().is_some_and(|release| release >= (6, 8)),
        isa_v4: FEATURES.with(|features| features.has(Feature::IsaV4)),
        links_filter: false,
        watches_switches: false,
        guards_syscalls: false,
        namespace: None,
        offsets: *OFFSETS
            .get_or_init(|| crate::btf::Btf::vmlinux().map(KernelOffsets::from_btf).unwrap_or_default()),
    }
}

thread_local! {
    static FEATURES: Features = Features::new();
}

/// Read once: it is 5 MB.
static OFFSETS: std::sync::OnceLock<KernelOffsets> = std::sync::OnceLock::new();

fn kind_of(hook: Hook) -> Kind {
    match hook {
        Hook::Uprobe => FEATURES.with(Features::uprobe_kind),
        Hook::PerfEvent => Kind::PerfEvent,
        _ => Kind::RawTracepoint,
    }
}

impl Loaded {
    fn new(program: &Program, groups: &[SiteGroup]) -> Loaded {
        Loaded::with(program, groups, None, target())
    }

    fn with(program: &Program, groups: &[SiteGroup], errors: Option<ErrorProbe>, target: Target) -> Loaded {
        Loaded::limited(program, groups, errors, target, Limits::default())
    }

    fn limited(
        program: &Program,
        groups: &[SiteGroup],
        errors: Option<ErrorProbe>,
        target: Target,
        limits: Limits,
    ) -> Loaded {
        let probe = |id: ProbeId| {
            Some(Probe {
                id,
                provider: "test".into(),
                module: "mod".into(),
                function: format!("function{}", id.0),
                name: "entry".into(),
                args: None,
            })
        };
        let input = Input { program, groups, limits, target, errors, probe: &probe };
        let image = compile(&input).unwrap_or_else(|diags| panic!("{diags:#?}"));
        let mut maps = BTreeMap::new();
        for def in &image.maps {
            let map = Map::create(def.spec.clone()).unwrap_or_else(|error| panic!("{error} {def:?}"));
            for (key, value) in &def.init {
                map.update(key, value).expect("initial value");
            }
            maps.insert(def.id.0, map);
        }
        let mut progs = Vec::new();
        for program in &image.programs {
            let insns = program.code.with_maps(|id| maps.get(&id.0).map(Map::raw_fd)).expect("maps");
            let spec = ProgSpec {
                kind: kind_of(groups[program.group].hook),
                name: &program.name,
                insns: &insns,
                functions: &program.code.functions,
                sleepable: false,
            };
            match Prog::load(&spec) {
                Ok(prog) => progs.push(prog),
                Err(LoadError::Refused(refusal)) => {
                    let log: Vec<&str> = refusal.log.lines().collect();
                    let tail = log[log.len().saturating_sub(60)..].join("\n");
                    if std::env::var_os("LISTING").is_some() {
                        eprintln!("{}", listing::listing(&image, &SourceMap::default(), &|_| String::new()));
                    }
                    panic!("{}\n{tail}", refusal.reason);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let ring = RingBuffer::new(&maps[&layout::EVENTS.0]).expect("ring");
        let loaded = Loaded { image, maps, progs, ring };
        loaded.arm(true);
        loaded
    }

    fn arm(&self, on: bool) {
        let control = self.maps[&layout::CONTROL.0].mmap().expect("mmap");
        control.store(layout::control::ARMED as usize, u64::from(on)).expect("control");
    }

    fn fire(&self, program: usize) {
        test_run::run(&self.progs[program], &[], None).expect("test run");
    }

    fn events(&mut self) -> Vec<Fired> {
        let mut events = Vec::new();
        self.ring.drain(|bytes| {
            let field = |at: u32| u32::from_ne_bytes(bytes[at as usize..at as usize + 4].try_into().unwrap());
            events.push(Fired {
                kind: field(layout::event::KIND),
                clause: field(layout::event::CLAUSE),
                probe: field(layout::event::PROBE),
                pid: field(layout::event::PID),
                data: bytes[layout::event::HEADER as usize..].to_vec(),
            });
        });
        events
    }

    /// All drops of a kind.
    fn drops(&self, kind: u32) -> u64 {
        let drops = self.maps[&layout::DROPS.0].mmap().expect("mmap");
        let layout = &self.image.layout;
        (0..layout.ncpu).map(|cpu| drops.load(layout.drop_at(cpu, kind)).expect("counter")).sum()
    }

    /// Merged values of an aggregation by key, from both banks.
    fn aggregation(&self, id: u32) -> BTreeMap<String, Vec<i64>> {
        let layout = &self.image.layout;
        let def = &layout.aggs[id as usize];
        let mut merged: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let mut add = |key: String, value: &[i64]| {
            let into = merged.entry(key).or_insert_with(|| def.func.identity());
            def.func.merge(into, value);
        };
        for bank in 0..2 {
            for cpu in 0..layout.ncpu {
                if let Some(slot) = def.slot {
                    let slots = self.maps[&layout::SLOTS.0].mmap().expect("mmap");
                    let at = layout.slots_at(bank, cpu) + slot as usize;
                    let mut value = Vec::new();
                    if decode::decode_value(def, |n| slots.load(at + n * 8), &mut value).is_some() {
                        add(String::new(), &value);
                    }
                    continue;
                }
                let Some(map) = self.maps.get(&layout::AGGS.0) else { continue };
                let tables = map.mmap().expect("mmap");
                let base = layout.table_index(bank, cpu) as usize * tables.stride();
                decode::entries(
                    layout,
                    |n| tables.load(base + n * 8),
                    |entry| {
                        if entry.agg == id {
                            let key = decode::key_in_order(def, entry.key).expect("key");
                            add(show(&key), entry.value);
                        }
                    },
                );
            }
        }
        merged
    }

    fn instructions(&self) -> usize {
        self.image.programs.iter().map(|program| program.code.insns.len()).sum()
    }
}

fn show(key: &[decode::KeyValue<'_>]) -> String {
    let parts: Vec<String> = key
        .iter()
        .map(|part| match part {
            decode::KeyValue::Words(words) => {
                words.iter().map(|word| (*word as i64).to_string()).collect::<Vec<_>>().join(":")
            }
            decode::KeyValue::Str(text) => String::from_utf8_lossy(text).into_owned(),
        })
        .collect();
    parts.join(",")
}

// --- building programs

fn expr(kind: ExprKind, ty: Ty) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

fn int(value: i64) -> Expr {
    expr(ExprKind::Const(value), Ty::I64)
}

fn text(value: &str) -> Expr {
    expr(ExprKind::StrConst(value.as_bytes().to_vec()), Ty::Str)
}

fn null() -> Expr {
    expr(ExprKind::StrNull, Ty::Str)
}

fn arg(n: u32) -> Expr {
    expr(ExprKind::Arg(n), Ty::I64)
}

fn builtin(which: Builtin, ty: Ty) -> Expr {
    expr(ExprKind::Builtin(which), ty)
}

fn binary(op: BinaryOp, a: Expr, b: Expr) -> Expr {
    let ty = a.ty;
    expr(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty)
}

fn call(subroutine: Subroutine, args: Vec<Expr>, ty: Ty) -> Expr {
    expr(ExprKind::Call(subroutine, args), ty)
}

fn var(id: u32, ty: Ty) -> Place {
    Place { kind: PlaceKind::Var { var: VarId(id), offset: None }, ty, bits: None, span: Span::default() }
}

fn elem(id: u32, key: Vec<Expr>, ty: Ty) -> Place {
    Place { kind: PlaceKind::Elem { var: VarId(id), key, offset: 0 }, ty, bits: None, span: Span::default() }
}

fn read(place: Place) -> Expr {
    let ty = place.ty;
    expr(ExprKind::Read(Box::new(place)), ty)
}

fn assign(place: Place, value: Expr) -> Expr {
    let ty = place.ty;
    expr(ExprKind::Assign { place: Box::new(place), value: Box::new(value) }, ty)
}

fn copyinstr(addr: Expr) -> Expr {
    expr(ExprKind::LoadStr { addr: Box::new(addr), space: Space::User, max: None }, Ty::Str)
}

fn aggregate(id: u32, key: Vec<Expr>, value: Option<Expr>) -> Stmt {
    Stmt::Aggregate { agg: AggId(id), key, value, increment: None, span: Span::default() }
}

fn agg_def(func: AggFunc, key: Vec<Ty>) -> AggregationDef {
    AggregationDef { name: "a".into(), func, key, signed: true, span: Span::default() }
}

fn variable(name: &str, scope: Scope, ty: Ty, key: Option<Vec<Ty>>) -> Variable {
    Variable { name: name.into(), scope, ty, key, span: Span::default() }
}

/// A clause that records each value as a `trace()` action.
fn tracing(values: Vec<Expr>, strsize: u32) -> Clause {
    let mut record = RecordLayout::default();
    let mut body = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let bytes = match value.ty {
            Ty::Int { .. } => 8,
            Ty::Str => 8 + layout::round8(strsize),
            Ty::Bytes(n) => layout::round8(n),
            Ty::Stack(spec) => layout::stack_bytes(spec),
            _ => 16,
        };
        let ty = match value.ty {
            Ty::Int { .. } => Ty::I64,
            ty => ty,
        };
        record.fields.push(Field { offset: record.size, ty });
        record.size += bytes;
        record.actions.push(ActionDef {
            kind: ActionKind::Trace,
            fields: index as u32..index as u32 + 1,
            span: Span::default(),
        });
        body.push(Stmt::Record { action: index as u32, values: vec![value], span: Span::default() });
    }
    clause(None, body, record)
}

fn clause(predicate: Option<Expr>, body: Vec<Stmt>, record: RecordLayout) -> Clause {
    let enabling =
        Enabling { desc: ProbeDesc::default(), probes: vec![ProbeId(1), ProbeId(2)], span: Span::default() };
    Clause { probes: vec![enabling], predicate, body, record, span: Span::default() }
}

/// `pt_regs` offsets of the first arguments of a System V function.
const ARGUMENTS: [u16; 3] = [112, 104, 96];

fn group(hook: Hook, clauses: &[u32]) -> SiteGroup {
    let args = match hook {
        Hook::Uprobe => ARGUMENTS
            .iter()
            .map(|offset| ArgSource::Reg { offset: *offset, bytes: 8, signed: true })
            .collect(),
        _ => Vec::new(),
    };
    SiteGroup {
        hook,
        clauses: clauses.iter().map(|id| ClauseId(*id)).collect(),
        identity: ProbeIdentity::Const(ProbeId(1)),
        args,
        filter: PidFilter::Any,
        errno: false,
        provider_pid: false,
        guard: Vec::new(),
        task: None,
        service: None,
        at_entry: true,
        session: false,
        also: None,
        condition: None,
        keep: None,
        looks_at: None,
    }
}

fn program(clauses: Vec<Clause>) -> Program {
    Program { clauses, strsize: 256, ..Program::default() }
}
