//! Virtual providers: probes in stock programs that have none of their own.
//!
//! A data file says which functions of a program the probes are and how their arguments are made of registers and
//! memory; another, keyed by build-id, where the structures of that very build have their fields (`providers/README.md`
//! tells how to write both). What comes out are sites like those of USDT notes: the rest of the tool sees no
//! difference, but that a real USDT provider of the same name always wins.

mod expr;
mod text;

use crate::process::usdt_scan::{Finder, Virtual};
use crate::symbols::code::{self, Leave};
use crate::symbols::elf::{Elf, Function, Machine};
use crate::symbols::recipe::{Look, LookWhen, Recipe, RecipeArg, Recipes};
use crate::symbols::usdt::UsdtSite;
use duotrace_core::probe::glob_match;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use text::{Build, Offsets, Place, ProbeText, Series};

#[cfg(test)]
mod tests;

/// The files that come with the tool.
const SERIES: [&str; 2] =
    [include_str!("../../../providers/ap.probes"), include_str!("../../../providers/perl.probes")];
const OFFSETS: [&str; 4] = [
    include_str!("../../../providers/offsets/apache-2.4.offsets"),
    include_str!("../../../providers/offsets/apache-2.4-sid.offsets"),
    include_str!("../../../providers/offsets/perl-5.36.offsets"),
    include_str!("../../../providers/offsets/perl-5.42.offsets"),
];
/// File names, to know without reading anything that a file is none of ours.
const NAMES: [&str; 7] =
    ["apache2", "httpd", "mod_proxy.so", "mod_dav.so", "perl", "perl5.*", "libperl.so.*"];

/// Most files that are read of a directory.
const MAX_FILES: usize = 1000;

/// The virtual providers of a session.
#[derive(Debug, Default)]
pub struct VirtualProviders {
    /// Where else `*.probes` and `*.offsets` lie.
    directory: Option<PathBuf>,
    tables: OnceCell<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    series: Vec<Series>,
    offsets: Vec<Offsets>,
    /// What is wrong with the files of the directory.
    faults: Vec<String>,
}

impl Tables {
    fn add(&mut self, name: &str, text: &str) {
        let result = match name.ends_with(".probes") {
            true => text::series(text).map(|series| self.series.insert(0, series)),
            false => text::offsets(text).map(|offsets| self.offsets.insert(0, offsets)),
        };
        if let Err(error) = result {
            self.faults.push(format!("{name}: {error}"));
        }
    }

    fn load(directory: Option<&PathBuf>) -> Tables {
        let mut tables = Tables::default();
        SERIES.iter().for_each(|text| tables.add("built-in.probes", text));
        OFFSETS.iter().for_each(|text| tables.add("built-in.offsets", text));
        let Some(directory) = directory else { return tables };
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                let error = crate::symbols::elf::io_text(&error);
                tables.faults.push(format!("failed to read {}: {error}", directory.display()));
                return tables;
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().take(MAX_FILES).map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.display().to_string();
            if !name.ends_with(".probes") && !name.ends_with(".offsets") {
                continue;
            }
            match std::fs::read_to_string(&path) {
                Ok(text) => tables.add(&name, &text),
                Err(error) => {
                    tables
                        .faults
                        .push(format!("failed to read {name}: {}", crate::symbols::elf::io_text(&error)));
                }
            }
        }
        tables
    }
}

impl VirtualProviders {
    /// Those of the tool, and of a directory, whose files come before the built-in ones.
    pub fn new(directory: Option<PathBuf>) -> VirtualProviders {
        VirtualProviders { directory, tables: OnceCell::new() }
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::load(self.directory.as_ref()))
    }
}

impl Finder for VirtualProviders {
    fn concerns(&self, name: &str) -> bool {
        // A directory may bring names of its own.
        self.directory.is_some() || NAMES.iter().any(|pattern| glob_match(pattern, name))
    }

    fn find(&self, elf: &Elf, name: &str) -> Virtual {
        let tables = self.tables();
        let is_in = |probe: &&ProbeText| probe.files.iter().any(|pattern| glob_match(pattern, name));
        let wanted: Vec<&Series> =
            tables.series.iter().filter(|series| series.probes.iter().any(|probe| is_in(&probe))).collect();
        let mut out = Virtual::default();
        if wanted.is_empty() || elf.machine() != Machine::X86_64 {
            return out;
        }
        let build: String =
            elf.build_id().unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
        for series in &wanted {
            let known =
                tables.offsets.iter().filter(|offsets| offsets.series == series.name).find_map(|offsets| {
                    offsets.builds.iter().find(|other| other.id == build).map(|build| (offsets, build))
                });
            let Some((offsets, known)) = known else { continue };
            for probe in series.probes.iter().filter(is_in) {
                if let Err(error) = sites(elf, probe, offsets, known, &mut out.sites) {
                    out.providers.extend(probe.providers.iter().cloned());
                    out.problem = Some(format!("probe {} of series {}: {error}", probe.name, series.name));
                }
            }
            return out;
        }
        for series in wanted {
            let providers: BTreeSet<&str> =
                series.probes.iter().flat_map(|probe| probe.providers.iter().map(String::as_str)).collect();
            out.providers.extend(providers.iter().map(|provider| (*provider).to_owned()));
            let id = if build.is_empty() { "no build-id".to_owned() } else { format!("build-id {build}") };
            let mut text = format!(
                "{} has no probes of its own, and its build ({id}) is not among those whose structures are known: make \
                 a table with '{} {}', put it into a directory and name that in DUOTRACE_PROVIDERS",
                elf.path().display(),
                series.generate,
                elf.path().display()
            );
            if let Some(fault) = tables.faults.first() {
                text += &format!(" ({fault})");
            }
            out.problem = Some(text);
        }
        out
    }
}

/// The sites in a file of a series that needs no table: every build has the same layout.
pub fn of_abi(text: &str, elf: &Elf) -> Result<Vec<UsdtSite>, String> {
    let series = text::series(text)?;
    if !series.abi {
        return Err(format!("series {} wants a table of offsets", series.name));
    }
    let mut out: Vec<UsdtSite> = Vec::new();
    if elf.machine() != Machine::X86_64 {
        return Ok(out);
    }
    for probe in &series.probes {
        sites(elf, probe, &Offsets::default(), &Build::default(), &mut out)?;
    }
    // Versions of a symbol are one place.
    let mut seen = HashSet::new();
    out.retain(|site| seen.insert((site.name.clone(), site.vaddr)));
    Ok(out)
}

/// Adds the sites of one probe in a file: none where the file does not have the function.
fn sites(
    elf: &Elf,
    probe: &ProbeText,
    offsets: &Offsets,
    build: &Build,
    out: &mut Vec<UsdtSite>,
) -> Result<(), String> {
    // A table without the site is one of a build that lacks it.
    if probe.place == Place::Site && !build.sites.contains_key(&probe.symbol) {
        return Ok(());
    }
    let mut recipes = recipes(probe, offsets, build)?;
    let when = match probe.place {
        Place::Profile => Some(LookWhen::Profile),
        Place::OffCpu => Some(LookWhen::OffCpu),
        _ => None,
    };
    if let Some(when) = when {
        let Some(key) = elf.symbol_vaddr(&probe.symbol) else { return Ok(()) };
        recipes.look = Some(Look { when, key });
        let recipes = Arc::new(recipes);
        out.extend(probe.providers.iter().map(|provider| UsdtSite {
            provider: provider.clone(),
            name: probe.name.clone(),
            vaddr: key,
            offset: 0,
            semaphore: None,
            args: String::new(),
            named: Some(probe.function.clone().unwrap_or_default()),
            recipes: Some(Arc::clone(&recipes)),
            entry: 0,
        }));
        return Ok(());
    }
    let recipes = Arc::new(recipes);
    if probe.place == Place::Site {
        let vaddr = build.sites.get(&probe.symbol).copied();
        let Some((vaddr, offset)) = vaddr.and_then(|at| Some((at, elf.vaddr_to_offset(at)?))) else {
            return Ok(());
        };
        let function = probe.function.clone().unwrap_or_default();
        out.extend(probe.providers.iter().map(|provider| UsdtSite {
            provider: provider.clone(),
            name: probe.name.clone(),
            vaddr,
            offset,
            semaphore: None,
            args: String::new(),
            named: Some(function.clone()),
            recipes: Some(Arc::clone(&recipes)),
            entry: 0,
        }));
        return Ok(());
    }
    let mut functions = match probe.symbol.contains('*') {
        true => elf.functions_where(|name| glob_match(&probe.symbol, name)),
        false => elf.functions_named(&probe.symbol),
    };
    if functions.is_empty()
        && let Some(vaddr) = build.functions.get(&probe.symbol)
        && let Some(offset) = elf.vaddr_to_offset(*vaddr)
    {
        let name = probe.symbol.clone();
        functions.push(Function { name, vaddr: *vaddr, size: 0, offset, indirect: false });
    }
    for function in functions {
        let name = named(probe, &function);
        if matches!(probe.place, Place::Call | Place::Called) {
            calls(elf, probe, &function, &name, &recipes, out);
            continue;
        }
        let entry = code::entry_site(elf, &function).offset;
        for (vaddr, offset) in places(elf, &function, probe.place) {
            for provider in &probe.providers {
                out.push(UsdtSite {
                    provider: provider.clone(),
                    name: name.clone(),
                    vaddr,
                    offset,
                    semaphore: None,
                    args: String::new(),
                    named: Some(probe.function.clone().unwrap_or_else(|| function.name.clone())),
                    recipes: Some(Arc::clone(&recipes)),
                    entry,
                });
            }
        }
    }
    Ok(())
}

/// Adds the sites at the calls in a function of what others have registered.
fn calls(
    elf: &Elf,
    probe: &ProbeText,
    function: &Function,
    name: &str,
    recipes: &Recipes,
    out: &mut Vec<UsdtSite>,
) {
    for call in code::disassemble(elf, function).map_or(Vec::new(), |code| code.pointer_calls) {
        let at_call = |recipe: &Arc<Recipe>| Arc::new(recipe.at_call(call.base, call.disp));
        let mut recipes = recipes.clone();
        recipes.when = recipes.when.as_ref().map(&at_call);
        recipes.args.iter_mut().for_each(|arg| arg.value = at_call(&arg.value));
        let recipes = Arc::new(recipes);
        let within = if probe.place == Place::Call { call.at } else { call.next };
        out.extend(probe.providers.iter().map(|provider| UsdtSite {
            provider: provider.clone(),
            name: name.to_owned(),
            vaddr: function.vaddr + within,
            offset: function.offset + within,
            semaphore: None,
            args: String::new(),
            named: Some(probe.function.clone().unwrap_or_else(|| function.name.clone())),
            recipes: Some(Arc::clone(&recipes)),
            entry: 0,
        }));
    }
}

/// The probe's name in a function: `*-entry` of `ap_run_*` is `post_config-entry` in `ap_run_post_config`.
fn named(probe: &ProbeText, function: &Function) -> String {
    let Some((head, tail)) = probe.symbol.split_once('*') else { return probe.name.clone() };
    let rest = function.name.strip_prefix(head).unwrap_or_default();
    probe.name.replace('*', rest.strip_suffix(tail).unwrap_or(rest))
}

/// Addresses and file offsets of the sites in a function.
fn places(elf: &Elf, function: &Function, place: Place) -> Vec<(u64, u64)> {
    match place {
        Place::Entry => {
            let site = code::entry_site(elf, function);
            vec![(site.vaddr, site.offset)]
        }
        // A tail jump leaves before the value is known, and the function it goes to may have a probe itself.
        Place::Site | Place::Call | Place::Called | Place::Profile | Place::OffCpu => Vec::new(),
        Place::Return => code::disassemble(elf, function).map_or(Vec::new(), |code| {
            let leaves = code.leaves.iter().filter(|(_, leave)| *leave == Leave::Return);
            leaves.map(|(at, _)| (function.vaddr + at, function.offset + at)).collect()
        }),
    }
}

/// The recipes of a probe in terms of registers and numbers.
fn recipes(probe: &ProbeText, offsets: &Offsets, build: &Build) -> Result<Recipes, String> {
    let mut lets: Vec<Recipe> = Vec::new();
    let name_of = |name: &str, upto: usize| {
        let at = probe.lets.iter().take(upto).rposition(|(other, _)| other == name);
        match at.and_then(|at| u8::try_from(at).ok()) {
            Some(at) => Some(Recipe::Named(at)),
            None => match build.registers.get(name) {
                Some(offset) => Some(Recipe::Register(*offset)),
                None => offsets.values.get(name).map(|value| Recipe::Const(*value)),
            },
        }
    };
    for (index, (name, text)) in probe.lets.iter().enumerate() {
        let value =
            expr::parse(text, &|word| name_of(word, index)).map_err(|e| format!("let {name}: {e}"))?;
        lets.push(value);
    }
    let all = lets.len();
    let recipe = |text: &str| {
        let body = expr::parse(text, &|word| name_of(word, all)).map_err(|e| format!("'{text}': {e}"))?;
        Ok::<_, String>(Arc::new(with_lets(body, &lets)))
    };
    Ok(Recipes {
        when: probe.when.as_deref().map(recipe).transpose()?,
        keep: probe.keep.as_deref().map(recipe).transpose()?,
        args: probe
            .args
            .iter()
            .map(|(ty, text)| Ok(RecipeArg { ty: ty.clone(), value: recipe(text)? }))
            .collect::<Result<_, String>>()?,
        at_entry: probe.place == Place::Entry,
        at_return: probe.place == Place::Return,
        alias_of: probe.alias_of.clone(),
        look: None,
    })
}

/// A recipe with the `let`s around it that it needs.
fn with_lets(body: Recipe, lets: &[Recipe]) -> Recipe {
    let mut used = BTreeSet::new();
    names(&body, &mut used);
    for (name, value) in lets.iter().enumerate().rev() {
        if used.contains(&(name as u8)) {
            names(value, &mut used);
        }
    }
    used.iter().rev().fold(body, |body, name| match lets.get(usize::from(*name)) {
        Some(value) => Recipe::Let { name: *name, value: Box::new(value.clone()), body: Box::new(body) },
        None => body,
    })
}

/// The names that a recipe mentions.
fn names(recipe: &Recipe, out: &mut BTreeSet<u8>) {
    match recipe {
        Recipe::Const(_)
        | Recipe::Register(_)
        | Recipe::Found
        | Recipe::Kept
        | Recipe::Tid
        | Recipe::Called
        | Recipe::Thread => {}
        Recipe::Named(name) => {
            out.insert(*name);
        }
        Recipe::Load { at, .. } => names(at, out),
        Recipe::Binary { left, right, .. } => [left, right].iter().for_each(|part| names(part, out)),
        Recipe::If { cond, then, otherwise } => {
            [cond, then, otherwise].iter().for_each(|part| names(part, out));
        }
        Recipe::Let { value, body, .. } => [value, body].iter().for_each(|part| names(part, out)),
    }
}
