//! The kernel's types and symbols as scripts see them: through the compiler, with the running kernel's BTF.

use crate::session::{Ebpf, EbpfConfig};
use duotrace_core::options::Options;
use duotrace_core::sema::{self, CompileConfig, Compiled, ProgramKind, ProgramText};

fn compiled(text: &str) -> Compiled {
    let texts = [ProgramText { name: String::new(), text: text.to_string(), kind: ProgramKind::Name }];
    let mut backend = Ebpf::new(EbpfConfig::default());
    sema::compile(&texts, &CompileConfig::default(), &mut Options::default(), &mut backend)
}

/// `Ok`, or tag and message of the first error.
fn check(text: &str) -> Result<(), String> {
    match compiled(text).error() {
        None => Ok(()),
        Some(diag) => Err(format!("[{}] {}", diag.tag.name(), diag.message)),
    }
}

/// The compiler's name for the type of an expression: what it says when a string is assigned over it.
fn type_of(expression: &str) -> String {
    let error = check(&format!("BEGIN {{ x = {expression}; x = \"s\"; }}")).unwrap_err();
    match error.split('"').nth(1) {
        Some(name) if error.starts_with("[D_OP_INCOMPAT]") => name.to_string(),
        _ => error,
    }
}

/// Can the tests run here?
fn available(test: &str) -> bool {
    let (types, text) = (super::Btf::vmlinux().is_some(), super::kallsyms::address(None, "_stext").is_some());
    if !types || !text {
        eprintln!("SKIP {test}: BTF {types}, /proc/kallsyms {text}");
    }
    types && text
}

#[test]
fn expressions_compile() {
    if !available("expressions_compile") {
        return;
    }
    for expression in [
        "sizeof (struct task_struct)",
        "sizeof (struct vmlinux`task_struct)",
        "((struct task_struct *)curthread)->pid",
        "curthread->comm",
        "stringof(curthread->comm)",
        "curthread->mm->owner->real_parent->pid",
        "curthread->fs->root.dentry->d_name.name",
        "offsetof(struct list_head, prev)",
        "(uint64_t)&`_stext",
        "(int64_t)&vmlinux`_stext < 0",
        "`_stext",
        "(uint64_t)&`vfs_read",
        "((struct file *)arg0)->f_inode->i_sb->s_id",
        "sizeof (struct page)",
        "(gfp_t)arg0",
        "sizeof (gfp_t)",
        "sizeof (vmlinux`gfp_t)",
        "*curthread->cpus_ptr->bits",
        "curthread->signal->rlim[1].rlim_cur",
        "curthread->thread_info.flags",
    ] {
        assert_eq!(check(&format!("BEGIN {{ trace({expression}); }}")), Ok(()), "{expression}");
    }
    for text in [
        "struct vmlinux`task_struct *t; BEGIN { t = curthread; trace(t->tgid); }",
        "gfp_t g; BEGIN { g = 1; trace(g); }",
        "self gfp_t *p; BEGIN { self->p = (gfp_t *)arg0; }",
        "struct mine { gfp_t g; struct list_head l; }; BEGIN { trace(sizeof (struct mine)); }",
        // A script's own type goes before the kernel's, which others still have within.
        "struct list_head { int x; }; BEGIN { trace(((struct list_head *)0)->x); trace(curthread->tasks.prev); }",
        // Names of the kernel's enumerators stay free.
        "BEGIN { trace(sizeof (enum pid_type)); PIDTYPE_PID = \"mine\"; }",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn types_of_expressions() {
    if !available("types_of_expressions") {
        return;
    }
    for (expression, name) in [
        ("curthread", "struct task_struct *"),
        ("curthread->mm->owner", "struct task_struct *"),
        ("curthread->comm[0]", "char"),
        ("&curthread->se", "struct sched_entity *"),
        ("curthread->sched_class", "const struct sched_class *"),
        // A bit-field.
        ("curthread->in_execve", "unsigned int"),
        ("((struct kiocb *)arg0)->ki_pos", "loff_t"),
        ("((struct net *)arg0)->ipv4.sysctl_tcp_ecn", "u8"),
        ("`_stext", "uintptr_t"),
        ("`vfs_read", "uintptr_t"),
        ("&`vfs_read", "uintptr_t *"),
        ("(struct file *)arg0", "struct file *"),
    ] {
        assert_eq!(type_of(expression), name, "{expression}");
    }
}

#[test]
fn errors_are_dtraces() {
    if !available("errors_are_dtraces") {
        return;
    }
    for (text, error) in [
        ("BEGIN { trace(`no_such); }", "[D_IDENT_UNDEF] failed to resolve `no_such: Unknown symbol name"),
        ("BEGIN { trace(&m`no_such); }", "[D_IDENT_UNDEF] failed to resolve m`no_such: Unknown symbol name"),
        ("BEGIN { trace(curthread->no); }", "[D_TYPE_MEMBER] no is not a member of struct task_struct"),
        ("BEGIN { trace(curthread->mm->no); }", "[D_TYPE_MEMBER] no is not a member of struct mm_struct"),
        (
            "BEGIN { trace(offsetof(struct task_struct, no)); }",
            "[D_UNKNOWN] failed to determine offset of no",
        ),
        ("BEGIN { trace(offsetof(struct no, x)); }", "[D_OFFSETOF_TYPE] offsetof operand must be"),
        (
            "BEGIN { trace(((struct no *)0)->x); }",
            "[D_OP_INCOMPLETE] operator -> cannot be applied to a forward declaration: no struct no definition",
        ),
        ("struct no x; BEGIN { }", "[D_DECL_INCOMPLETE] incomplete struct/union/enum struct no: x"),
        ("enum no x; BEGIN { }", "[D_DECL_INCOMPLETE] incomplete struct/union/enum enum no: x"),
        (
            "struct m`task_struct x; BEGIN { }",
            "[D_DECL_INCOMPLETE] incomplete struct/union/enum struct m`task",
        ),
        ("BEGIN { trace(sizeof (struct no)); }", "[D_SIZEOF_TYPE]"),
        ("BEGIN { trace((no_t)1); }", "[D_SYNTAX]"),
        ("BEGIN { `_stext = 3; }", "[D_OP_WRITE]"),
        ("BEGIN { `_stext++; }", "[D_OP_WRITE]"),
        ("BEGIN { trace(`_stext->x); }", "[D_OP_PTR]"),
        ("BEGIN { trace(`_stext.x); }", "[D_OP_SOU]"),
        ("BEGIN { trace(*`_stext); }", "[D_DEREF_NONPTR]"),
        ("BEGIN { trace(sizeof (curthread->in_execve)); }", "[D_SIZEOF_BITFIELD]"),
        ("BEGIN { x = &curthread->in_execve; }", "[D_ADDROF_BITFIELD]"),
        ("BEGIN { trace(&curthread); }", "[D_ADDROF_VAR]"),
        ("BEGIN { x = PIDTYPE_PID; }", "[D_IDENT_UNDEF]"),
    ] {
        let given = check(text).unwrap_err();
        assert!(given.starts_with(error), "{text}: {given}");
    }
}
