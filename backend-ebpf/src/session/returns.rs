//! Which returns are traced from the function's entry: those of virtual probes, unless the script looks at stacks, and
//! under more conditions those of the pid provider.
//!
//! A probe at the returning instruction itself is exact, but the kernel has to single-step that instruction, which in a
//! virtual machine is ten times dearer than putting its own address in place of the return address when the function is
//! entered (a uretprobe). That replaced address is seen by whoever looks at the stack meanwhile, and a call that began
//! before is not seen at all. So for the pid provider it is done only where neither can be noticed:
//!
//! - the clauses ask for no `arg0` (which return it was) and the script for no user stacks;
//! - nothing but returns leave the function: a jump to another function is a return of its own in D;
//! - no call can be under way, or it does not matter: the process is held at its start, or each clause waits for a
//!   thread-local variable that only the entry of the same function sets;
//! - no exception can want to pass: the function is in an executable without handlers (`.gcc_except_table`), or nothing
//!   that unwinds stacks is mapped in the process.
//!
//! The kernel traces at most 64 calls of a thread at a time. More than that cannot be under way among a few functions
//! that do not call themselves, except round about; the program counts the returns that are missed then.

use crate::btf::Btf;
use crate::codegen::ReturnOffsets;
use crate::kernel::{Feature, Features};
use crate::process::maps;
use crate::provider::UserSite;
use crate::symbols::elf::Elf;
use duotrace_core::ir::walk::{has_expr, takes_user_stacks};
use duotrace_core::ir::{
    BinaryOp, Builtin, Clause, ClauseId, Expr, ExprKind, LogicalOp, Place, PlaceKind, Program, Scope, VarId,
};
use duotrace_core::options::{Options, opt};
use duotrace_core::probe::ProbeDesc;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Libraries that walk stacks of their own process.
const UNWINDERS: [&str; 6] = ["libgcc_s", "libstdc++", "libc++abi", "libunwind", "libjvm", "libgo"];

/// Functions of a script that are traced in this way.
const FUNCTIONS: usize = 32;

/// What is known of a process.
#[derive(Clone, Debug, Default)]
struct Process {
    /// The executable, if no exception can pass through it.
    plain: Option<PathBuf>,
    /// Is something mapped that unwinds?
    unwinds: bool,
}

/// The answer for a script. The default never traces from the entry.
#[derive(Debug, Default)]
pub struct Returns {
    able: bool,
    /// Does the script look at stacks of processes?
    stacks: bool,
    features: Rc<Features>,
    sessions: OnceCell<bool>,
    /// Processes that have not begun.
    held: BTreeSet<u32>,
    /// By clause: does it wait for a thread-local variable?
    waiting: Vec<bool>,
    processes: RefCell<BTreeMap<u32, Process>>,
    /// Functions so far.
    functions: Cell<usize>,
}

impl Returns {
    /// Looks at a script.
    pub fn new(
        program: &Program,
        options: &Options,
        features: &Rc<Features>,
        held: BTreeSet<u32>,
    ) -> Returns {
        let returns = program.clauses.iter().flat_map(|clause| &clause.probes).any(|enabling| {
            enabling.desc.provider.starts_with("pid") && !matches!(enabling.desc.name.as_str(), "entry" | "")
        });
        let stacks = looks_at_stacks(program);
        let able = returns && cfg!(target_arch = "x86_64") && !options.flag(opt::RETSITES) && !stacks;
        let waiting = program.clauses.iter().map(|clause| {
            clause.predicate.as_ref().is_some_and(|predicate| waits(program, clause, predicate))
        });
        Returns {
            able,
            stacks,
            features: Rc::clone(features),
            held,
            waiting: waiting.collect(),
            ..Returns::default()
        }
    }

    /// From now on the pid provider's returns stay where they are.
    pub fn settle(&mut self) {
        self.able = false;
    }

    /// Does the script look at stacks of processes?
    pub fn stacks_are_seen(&self) -> bool {
        self.stacks
    }

    /// Can the kernel run a program at entry and return, which tells how many returns it does not trace?
    pub fn has_sessions(&self) -> bool {
        *self.sessions.get_or_init(|| {
            self.features.has(Feature::UprobeSession)
                && Btf::vmlinux().and_then(ReturnOffsets::from_btf).is_some()
        })
    }

    /// May the returns of a probe of the pid provider be traced from the entry?
    pub fn allow(&self, pid: u32, clauses: &[ClauseId], sites: &[UserSite]) -> bool {
        self.allowed(pid, clauses, sites).is_some()
    }

    fn allowed(&self, pid: u32, clauses: &[ClauseId], sites: &[UserSite]) -> Option<()> {
        let waiting = |id: &ClauseId| self.waiting.get(id.0 as usize).copied().unwrap_or(false);
        if !self.able || !(self.held.contains(&pid) || clauses.iter().all(waiting)) {
            return None;
        }
        let mut processes = self.processes.borrow_mut();
        let process = processes.entry(pid).or_insert_with(|| Process::of(pid));
        let mut entries = BTreeSet::new();
        for site in sites {
            entries.insert((&site.path, site.returns_of?));
            if process.unwinds && process.plain.as_deref() != Some(site.path.as_path()) {
                return None;
            }
        }
        let functions = self.functions.get() + entries.len();
        if functions > FUNCTIONS || !self.has_sessions() {
            return None;
        }
        self.functions.set(functions);
        Some(())
    }
}

impl Process {
    fn of(pid: u32) -> Process {
        let pid = pid.cast_signed();
        // Of a process that cannot be looked at the worst is thought.
        let Ok(objects) = maps::objects(pid) else { return Process { plain: None, unwinds: true } };
        let has_handlers =
            |path: &Path| Elf::open(path).ok().is_none_or(|elf| elf.section(".gcc_except_table").is_some());
        let exe = objects.iter().find(|object| object.is_exe).map(|object| object.open_path(pid));
        let plain = exe.filter(|path| !has_handlers(path));
        let unwinder =
            |object: &maps::Object| UNWINDERS.iter().any(|unwinder| object.name.starts_with(unwinder));
        let unwinds = plain.is_none() || objects.iter().any(unwinder);
        Process { plain, unwinds }
    }
}

/// Does a script look at the stacks of processes?
fn looks_at_stacks(program: &Program) -> bool {
    let asks = |expr: &Expr| {
        matches!(expr.kind, ExprKind::Builtin(Builtin::Ucaller | Builtin::Ustackdepth) | ExprKind::Ureg(_))
    };
    takes_user_stacks(program) || program.clauses.iter().any(|clause| has_expr(clause, asks))
}

/// Is a predicate false as long as the function of its clause has not been seen to be entered?
fn waits(program: &Program, clause: &Clause, predicate: &Expr) -> bool {
    match &predicate.kind {
        ExprKind::Logical(LogicalOp::And, left, right) => {
            waits(program, clause, left) || waits(program, clause, right)
        }
        ExprKind::Binary(BinaryOp::Ne, left, right) if matches!(right.kind, ExprKind::Const(0)) => {
            waits(program, clause, left)
        }
        ExprKind::Cast(of) => waits(program, clause, of),
        ExprKind::Read(place) => {
            let variable = match &place.kind {
                PlaceKind::Var { var, .. } | PlaceKind::Elem { var, .. } => *var,
                PlaceKind::Mem { .. } => return false,
            };
            let def = program.variables.get(variable.0 as usize);
            def.is_some_and(|def| def.scope == Scope::ThreadLocal) && set_at_entry(program, clause, variable)
        }
        _ => false,
    }
}

/// Is a variable only set by clauses at the entry of the function whose return a clause is for?
fn set_at_entry(program: &Program, clause: &Clause, variable: VarId) -> bool {
    let Some(first) = clause.probes.first().map(|enabling| &enabling.desc) else { return false };
    if first.function.is_empty() || first.function.contains(['*', '?', '[', '\\']) {
        return false;
    }
    let same = |desc: &ProbeDesc| {
        (&desc.provider, &desc.module, &desc.function) == (&first.provider, &first.module, &first.function)
    };
    let enters = |other: &Clause| {
        other.probes.iter().all(|enabling| same(&enabling.desc) && enabling.desc.name == "entry")
    };
    clause.probes.iter().all(|enabling| same(&enabling.desc))
        && program.clauses.iter().all(|other| !sets(other, variable) || enters(other))
}

/// Does a clause give a variable a value other than 0?
fn sets(clause: &Clause, variable: VarId) -> bool {
    let is = |place: &Place| match &place.kind {
        PlaceKind::Var { var, .. } | PlaceKind::Elem { var, .. } => *var == variable,
        PlaceKind::Mem { .. } => false,
    };
    has_expr(clause, |expr| match &expr.kind {
        ExprKind::Assign { place, value } => is(place) && !matches!(value.kind, ExprKind::Const(0)),
        ExprKind::Update { place, .. } => is(place),
        ExprKind::AddressOf(place) => is(place),
        _ => false,
    })
}
