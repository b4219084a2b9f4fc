//! `sched`: which thread runs where.

use super::composite::{Composite, field, is, is_not, word};
use crate::btf::Btf;
use crate::codegen::{ArgSource, Test};

/// The probes. `sched_switch` runs in the thread that leaves: what happens to the one that comes is told of it.
pub fn probes(btf: &Btf) -> Vec<Composite> {
    let both = |probe: Composite, n| {
        probe
            .translated("lwpsinfo_t *", "struct task_struct *", word(n))
            .also("psinfo_t *", "struct task_struct *")
    };
    let woken = |name, tracepoint| both(Composite::new(name, tracepoint), 0);
    vec![
        Composite::new("on-cpu", "sched_switch").of_task(2),
        both(Composite::new("off-cpu", "sched_switch"), 2),
        Composite::new("preempt", "sched_switch").when(is(word(0), 1)),
        Composite::new("sleep", "sched_switch").when(is(word(0), 0)).when(is_not(word(3), 0)),
        Composite::new("remain-cpu", "sched_exit_tp").when(is(word(0), 0)),
        woken("wakeup", "sched_wakeup"),
        woken("enqueue", "sched_wakeup").also("cpuinfo_t *", "struct task_struct *"),
        both(Composite::new("dequeue", "sched_switch"), 2).also("cpuinfo_t *", "struct task_struct *"),
        both(Composite::new("change-pri", "sched_pi_setprio"), 0).arg("int", priority(btf)),
        Composite::new("surrender", "sys_enter")
            .when(Some(Test::is(ArgSource::Ctx(1), libc::SYS_sched_yield as i32)))
            .translated("lwpsinfo_t *", "struct task_struct *", Some(ArgSource::CurrentTask))
            .also("psinfo_t *", "struct task_struct *"),
        both(Composite::new("tick", "sched_stat_runtime"), 0),
    ]
}

/// The priority that a thread gets: that of who waits for it, or its own again.
fn priority(btf: &Btf) -> Option<ArgSource> {
    let nobody = Test::is(ArgSource::Ctx(1), 0);
    let own = field(btf, word(0), "task_struct", "normal_prio")?;
    let other = field(btf, word(1), "task_struct", "prio")?;
    Some(ArgSource::Select(Box::new(nobody), Box::new(own), Box::new(other)))
}
