//! How an argument of a virtual probe is made of registers and memory, where no compiler left a note of it.
//!
//! A recipe is to a virtual probe what [`super::usdt_args::ArgOperand`] is to a USDT probe. It has no loops, so what it
//! costs is what is written; memory that cannot be read makes the whole recipe 0.

use std::sync::Arc;

/// An expression over the registers and the memory of the thread that fires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recipe {
    Const(i64),
    /// A register, as the offset in the kernel's `struct pt_regs`.
    Register(u16),
    /// What the probe's condition yielded: not 0.
    Found,
    /// What the probe kept when its function was entered.
    Kept,
    /// The thread's number.
    Tid,
    /// Where the address of the called function lies, at a probe on a call.
    Called,
    /// What the thread holds in the key of the probe's [`Look`].
    Thread,
    /// A value that a [`Recipe::Let`] around it has named.
    Named(u8),
    /// `bytes` (1, 2, 4 or 8) at an address.
    Load {
        at: Box<Recipe>,
        bytes: u8,
        signed: bool,
    },
    Binary {
        op: Op,
        left: Box<Recipe>,
        right: Box<Recipe>,
    },
    /// `cond ? then : otherwise`.
    If {
        cond: Box<Recipe>,
        then: Box<Recipe>,
        otherwise: Box<Recipe>,
    },
    /// Computes `value` once and names it in `body`.
    Let {
        name: u8,
        value: Box<Recipe>,
        body: Box<Recipe>,
    },
}

impl Recipe {
    /// The recipe at one call: `called` is made of that call's register.
    pub fn at_call(&self, base: u16, disp: i64) -> Recipe {
        let at = |recipe: &Recipe| Box::new(recipe.at_call(base, disp));
        match self {
            Recipe::Called => Recipe::Binary {
                op: Op::Add,
                left: Box::new(Recipe::Register(base)),
                right: Box::new(Recipe::Const(disp)),
            },
            Recipe::Load { at: from, bytes, signed } => {
                Recipe::Load { at: at(from), bytes: *bytes, signed: *signed }
            }
            Recipe::Binary { op, left, right } => {
                Recipe::Binary { op: *op, left: at(left), right: at(right) }
            }
            Recipe::If { cond, then, otherwise } => {
                Recipe::If { cond: at(cond), then: at(then), otherwise: at(otherwise) }
            }
            Recipe::Let { name, value, body } => {
                Recipe::Let { name: *name, value: at(value), body: at(body) }
            }
            other => other.clone(),
        }
    }

    /// Does it use this name?
    pub fn mentions(&self, wanted: u8) -> bool {
        match self {
            Recipe::Const(_)
            | Recipe::Register(_)
            | Recipe::Found
            | Recipe::Kept
            | Recipe::Tid
            | Recipe::Called
            | Recipe::Thread => false,
            Recipe::Named(name) => *name == wanted,
            Recipe::Load { at, .. } => at.mentions(wanted),
            Recipe::Binary { left, right, .. } => left.mentions(wanted) || right.mentions(wanted),
            Recipe::If { cond, then, otherwise } => {
                cond.mentions(wanted) || then.mentions(wanted) || otherwise.mentions(wanted)
            }
            Recipe::Let { value, body, .. } => value.mentions(wanted) || body.mentions(wanted),
        }
    }
}

/// Operators, on 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Add,
    Sub,
    Mul,
    And,
    /// 1 or 0.
    Eq,
    Ne,
}

/// What a virtual probe is made of at one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipes {
    /// The probe fires where this is not 0; `None`: always.
    pub when: Option<Arc<Recipe>>,
    pub args: Vec<RecipeArg>,
    /// Is the site a function's first instruction? Is it a return?
    pub at_entry: bool,
    pub at_return: bool,
    /// Another provider with the same probes: a description that means that one does not mean this one.
    pub alias_of: Option<String>,
    /// What a probe at a return keeps of the function's entry.
    pub keep: Option<Arc<Recipe>>,
    /// Where the probe has no instruction, but looks at threads.
    pub look: Option<Look>,
}

/// A probe that stands on no instruction of the program: when threads are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub when: LookWhen,
    /// Address in the file of the variable that holds the threads' key (`pthread_key_t`).
    pub key: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookWhen {
    /// At the rate that the probe's name says.
    Profile,
    /// When they leave their processor.
    OffCpu,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeArg {
    /// The type as D has it: `char *`.
    pub ty: String,
    pub value: Arc<Recipe>,
}
