/*
 * Threads and processes, as proc and sched have them as arguments: of a struct task_struct.
 */
translator psinfo_t < struct task_struct *T > {
	pr_flag = T->flags & 0x200000 ? PR_ISSYS : 0;
	pr_nlwp = T->signal->nr_threads;
	pr_pid = T->tgid;
	pr_ppid = T->real_parent->tgid;
	pr_pgid = T->signal->pids[2]->numbers[0].nr;
	pr_sid = T->signal->pids[3]->numbers[0].nr;
	pr_uid = T->cred->uid.val;
	pr_euid = T->cred->euid.val;
	pr_gid = T->cred->gid.val;
	pr_egid = T->cred->egid.val;
	pr_addr = (uintptr_t)T;
	pr_fname = stringof(T->comm);
	/* The memory of another process is not to be had. */
	pr_psargs = T->mm != NULL && T->mm == curthread->mm ? __psargs : stringof(T->comm);
	pr_dmodel = 2;
	pr_size = T->mm == NULL ? 0 : T->mm->total_vm * 4;
	pr_rssize = T->mm == NULL ? 0 : 4 * __rss[(uintptr_t)&T->mm->rss_stat, sizeof (T->mm->rss_stat)];
	pr_ttydev = T->signal->tty == NULL ? (dev_t)-1 :
	    (dev_t)(T->signal->tty->driver->major << 20 |
	    T->signal->tty->driver->minor_start + T->signal->tty->index);
	pr_wstat = T->exit_code;
	pr_taskid = 0;
	pr_projid = 0;
	pr_nzomb = 0;
	pr_poolid = 0;
	pr_zoneid = 0;
	pr_contract = 0;
	pr_argv = T->mm == NULL ? 0 : T->mm->start_stack + 8;
};
translator lwpsinfo_t < struct task_struct *T > {
	pr_flag = (T->flags & 0x200000 ? PR_ISSYS : 0) | (T->pid == 0 ? PR_IDLE : 0);
	pr_lwpid = T->pid;
	pr_addr = (uintptr_t)T;
	pr_wchan = 0;
	pr_stype = 0;
	/* SZOMB, SONPROC, SRUN, SSTOP, SSLEEP. */
	pr_state = T->exit_state != 0 ? 3 : T->on_cpu ? 6 : T->__state == 0 ? 2 : T->__state & 0xc ? 4 : 1;
	pr_sname = T->exit_state != 0 ? 'Z' : T->on_cpu ? 'O' : T->__state == 0 ? 'R' : T->__state & 0xc ? 'T' : 'S';
	pr_nice = T->static_prio - 120;
	pr_oldpri = T->normal_prio;
	pr_cpu = 0;
	pr_pri = T->prio;
	pr_clname = T->policy == 1 || T->policy == 2 ? "RT" : T->policy == 6 ? "DL" : "TS";
	pr_name = stringof(T->comm);
	pr_onpro = T->wake_cpu;
	pr_bindpro = T->nr_cpus_allowed == 1 ? T->wake_cpu : -1;
	pr_bindpset = 0;
	pr_lgrp = 0;
};
translator cpuinfo_t < struct task_struct *T > {
	cpu_id = T->wake_cpu;
	cpu_pset = 0;
	cpu_chip = 0;
	cpu_lgrp = 0;
};
inline int CLD_EXITED = 1;
inline int CLD_KILLED = 2;
inline int CLD_DUMPED = 3;
