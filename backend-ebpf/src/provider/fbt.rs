//! `fbt:MODULE:FUNCTION:entry` and `:return`: the kernel's functions, typed where the kernel's BTF tells their types.
//!
//! A function is probed by whatever the kernel has: `fentry` (quickest, but a program for each function), one
//! `kprobe_multi` link for many, or a kprobe for each. At a return `arg1` is the value; `arg0`, on illumos the place of
//! the returning instruction, is 0, for nothing tells of it.

use super::{ARGUMENT_REGISTERS, How, RAX, RSP, Search};
use crate::btf::{Btf, Kind};
use crate::codegen::ArgSource;
use crate::kernel::tracefs::Tracefs;
use crate::kernel::{Feature, Features};
use duotrace_core::probe::{ProbeArg, ProbeDesc, glob_match, is_glob};

/// The module of the core kernel's functions.
const CORE: &str = "vmlinux";
/// So many functions of one description get programs of their own.
const FEW: usize = 16;
/// Arguments that functions have without types.
const UNTYPED: usize = 6;

/// How functions can be probed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ways {
    fentry: bool,
    kprobe: bool,
}

impl Ways {
    /// What this kernel has, or why it has none.
    fn of(features: &Features) -> Result<Ways, String> {
        let fentry = features.supports(Feature::Fentry);
        // Many in one link, or one by one.
        let multi = features.supports(Feature::KprobeMulti);
        let kprobe = if multi.is_ok() { Ok(()) } else { features.supports(Feature::Kprobe) };
        if let (Err(fentry), Err(multi), Err(kprobe)) = (fentry, multi, kprobe) {
            return Err(format!(
                "this kernel cannot probe its functions: neither by fentry ({fentry}), nor by kprobe_multi ({multi}), \
                 nor by kprobes ({kprobe})"
            ));
        }
        Ok(Ways { fentry: fentry.is_ok(), kprobe: kprobe.is_ok() })
    }
}

/// A value that is passed: its type, bytes, sign.
#[derive(Clone, Debug)]
struct Value {
    ty: String,
    bytes: u32,
    signed: bool,
}

/// What BTF says of a function.
#[derive(Clone, Debug)]
struct Typed {
    id: u32,
    parameters: Vec<Value>,
    /// `None`: it returns nothing.
    result: Option<Value>,
}

fn value(btf: &Btf, ty: u32) -> Option<Value> {
    let entry = btf.get(btf.resolve(ty))?;
    let bytes = btf.size(ty).unwrap_or(8);
    let ty = match entry.kind {
        // A structure is passed in pieces: they are numbers.
        Kind::Struct | Kind::Union => "uint64_t".to_string(),
        _ => btf.c_name(ty),
    };
    Some(Value { ty, bytes, signed: entry.is_signed() })
}

/// The types of a function.
fn typed(btf: &Btf, name: &str) -> Option<Typed> {
    let function = btf.find(&[Kind::Function], name)?;
    let prototype = btf.get(function.word)?;
    Some(Typed {
        id: function.id,
        parameters: prototype.parameters().into_iter().map_while(|ty| value(btf, ty)).collect(),
        result: value(btf, prototype.word),
    })
}

fn narrow(from: ArgSource, value: &Value) -> ArgSource {
    match value.bytes {
        1 | 2 | 4 => {
            ArgSource::Narrow { from: Box::new(from), bytes: value.bytes as u8, signed: value.signed }
        }
        _ => from,
    }
}

/// Where a kprobe's n-th word of arguments is.
fn register(n: usize) -> ArgSource {
    match ARGUMENT_REGISTERS.get(n) {
        Some(offset) => ArgSource::KernelReg(*offset),
        // Above the return address.
        None => ArgSource::KernelReg(RSP).pointer(8 * (n + 1 - ARGUMENT_REGISTERS.len()) as u32),
    }
}

/// Words that arguments take, and where each begins.
fn words(parameters: &[Value]) -> (Vec<usize>, usize) {
    let mut at = 0;
    let starts = parameters.iter().map(|value| {
        let start = at;
        at += value.bytes.div_ceil(8).max(1) as usize;
        start
    });
    (starts.collect(), at)
}

/// Arguments of a probe: sources and types. `word` gives the n-th word of a function's arguments, `result` what it
/// returns, by how many words of arguments it has.
fn arguments(
    typed: Option<&Typed>,
    at_return: bool,
    word: &dyn Fn(usize) -> ArgSource,
    result: &dyn Fn(usize) -> ArgSource,
) -> (Vec<ArgSource>, Option<Vec<ProbeArg>>) {
    let argument = |n: usize, ty: &str| ProbeArg { ty: ty.to_string(), native: None, from: n as u32 };
    match (typed, at_return) {
        (Some(typed), false) => {
            let (starts, _) = words(&typed.parameters);
            let places = starts.iter().zip(&typed.parameters);
            let sources = places.map(|(start, value)| narrow(word(*start), value)).collect();
            let types = typed.parameters.iter().enumerate().map(|(n, value)| argument(n, &value.ty));
            (sources, Some(types.collect()))
        }
        (Some(typed), true) => {
            let (_, count) = words(&typed.parameters);
            match &typed.result {
                Some(value) => (
                    vec![ArgSource::Const(0), narrow(result(count), value)],
                    Some(vec![argument(0, "int"), argument(1, &value.ty)]),
                ),
                None => (vec![ArgSource::Const(0)], Some(vec![argument(0, "int")])),
            }
        }
        (None, false) => ((0..UNTYPED).map(word).collect(), None),
        (None, true) => (vec![ArgSource::Const(0), result(0)], None),
    }
}

/// Functions that a description names: module and name.
fn functions(desc: &ProbeDesc) -> Result<Vec<(String, String)>, String> {
    // One of the core kernel is found in its types: the list of all takes the kernel a while.
    if !is_glob(&desc.function)
        && glob_match(&desc.module, CORE)
        && Btf::vmlinux().is_some_and(|btf| btf.find(&[Kind::Function], &desc.function).is_some())
    {
        return Ok(vec![(CORE.to_string(), desc.function.clone())]);
    }
    let all = Tracefs::open().and_then(|tracefs| tracefs.functions()).map_err(|error| {
        format!("the kernel's functions cannot be listed (tracefs' available_filter_functions): {error}")
    })?;
    let wanted =
        |module: &str, name: &str| glob_match(&desc.module, module) && glob_match(&desc.function, name);
    Ok(all.into_iter().filter(|(module, name)| wanted(module, name)).collect())
}

pub fn find(search: &mut Search<'_>) {
    let desc = search.desc;
    let listing = desc == &ProbeDesc::default();
    // `:::BEGIN` and the like are not meant for all functions.
    if !search.is_provider("fbt") || (desc.provider.is_empty() && !listing) {
        return;
    }
    let sides: Vec<bool> =
        [false, true].into_iter().filter(|at_return| glob_match(&desc.name, name(*at_return))).collect();
    if sides.is_empty() {
        if desc.provider == "fbt" {
            search.notes.push("probes of the fbt provider are entry and return".to_string());
        }
        return;
    }
    let ways = match Ways::of(&Features::new()) {
        Ok(ways) => ways,
        Err(why) => {
            // In a listing of all there is nothing to say.
            if !listing {
                search.notes.push(why);
            }
            return;
        }
    };
    let functions = match functions(desc) {
        Ok(functions) => functions,
        Err(why) => return search.notes.push(why),
    };
    if functions.is_empty() {
        search.notes.push("no such function, or not one that the kernel can probe".to_string());
    }
    let alone = ways.fentry && (functions.len() <= FEW || !ways.kprobe);
    let mut modules: Option<(String, Option<Btf>)> = None;
    for (module, function) in functions {
        // A listing of all needs no types.
        let typed = match (listing, module.as_str()) {
            (true, _) => None,
            (false, CORE) => Btf::vmlinux().and_then(|btf| typed(btf, &function)),
            (false, other) => {
                if modules.as_ref().is_none_or(|(name, _)| name != other) {
                    modules = Some((other.to_string(), Btf::module(other)));
                }
                modules.as_ref().and_then(|(_, btf)| typed(btf.as_ref()?, &function))
            }
        };
        for at_return in &sides {
            // A module's function is known to programs only together with the module's types.
            let own = typed.as_ref().filter(|_| alone && module == CORE);
            let (types, how) = match own {
                Some(typed) => {
                    let word = |n: usize| ArgSource::Ctx(n as u16);
                    let (args, types) = arguments(Some(typed), *at_return, &word, &word);
                    (types, How::Function { id: typed.id, at_return: *at_return, args })
                }
                None if !ways.kprobe => continue,
                None => {
                    let result = |_| ArgSource::KernelReg(RAX);
                    let (args, types) = arguments(typed.as_ref(), *at_return, &register, &result);
                    (types, How::Kprobe { function: function.clone(), at_return: *at_return, args })
                }
            };
            search.add(["fbt", &module, &function, name(*at_return)], types, how);
        }
    }
}

fn name(at_return: bool) -> &'static str {
    if at_return { "return" } else { "entry" }
}
