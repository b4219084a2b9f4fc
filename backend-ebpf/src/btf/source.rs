//! The compiler's questions, answered from BTF and /proc/kallsyms.

use super::import::Importer;
use super::{Btf, DIRECTORY, Entry, Kind, VMLINUX, kallsyms, variables};
use duotrace_core::backend::TypeSource;
use duotrace_core::types::{TypeId, Types};
use std::collections::HashMap;

/// The running kernel's types and symbols, read when first asked for.
///
/// Nothing of a type table is kept between calls: the compiler's ids hold for one compilation.
#[derive(Debug, Default)]
pub struct KernelTypes {
    /// Types of the modules asked for; `None` for what has none.
    modules: HashMap<String, Option<Btf>>,
    /// Addresses found, or not.
    addresses: HashMap<(Option<String>, String), Option<u64>>,
}

/// dtrace's names for the core kernel, illumos' too.
fn is_core(module: &str) -> bool {
    matches!(module, "vmlinux" | "kernel" | "genunix" | "unix")
}

/// What a C type name asks for: its module, the kinds that can have it, the bare name.
fn wanted(name: &str) -> (Option<&str>, &'static [Kind], &str) {
    let (kinds, name): (&[Kind], &str) = match name.split_once(' ') {
        Some(("struct", tag)) => (&[Kind::Struct], tag),
        Some(("union", tag)) => (&[Kind::Union], tag),
        Some(("enum", tag)) => (&[Kind::Enum, Kind::Enum64], tag),
        _ => (&[Kind::Typedef], name),
    };
    match name.split_once('`') {
        Some((module, name)) => (Some(module), kinds, name),
        None => (None, kinds, name),
    }
}

impl TypeSource for KernelTypes {
    /// As the seam says; ``struct ext4`inode`` and ``ext4`name_t`` look into one module.
    fn lookup(&mut self, types: &mut Types, name: &str) -> Option<TypeId> {
        let (module, kinds, name) = wanted(name);
        let entry = self.find(module, kinds, name)?;
        Importer::new(entry.blob(), types).whole(entry.id)
    }

    fn symbol(
        &mut self,
        types: &mut Types,
        module: Option<&str>,
        name: &str,
    ) -> Option<(u64, Option<TypeId>)> {
        let address = self.address(module, name)?;
        Some((address, self.symbol_type(types, module, name)))
    }

    fn missing(&self) -> Option<String> {
        let none = Btf::vmlinux().is_none();
        none.then(|| format!("this kernel does not tell its types: there is no {VMLINUX}"))
    }
}

impl KernelTypes {
    fn address(&mut self, module: Option<&str>, name: &str) -> Option<u64> {
        let key = (module.map(str::to_string), name.to_string());
        *self.addresses.entry(key).or_insert_with(|| {
            let module = module.map(|module| Some(module).filter(|module| !is_core(module)));
            kallsyms::address(module, name)
        })
    }

    /// The type of a variable, or the prototype of a function.
    pub(super) fn symbol_type(
        &mut self,
        types: &mut Types,
        module: Option<&str>,
        name: &str,
    ) -> Option<TypeId> {
        if let Some(entry) = self.find(module, &[Kind::Variable, Kind::Function], name) {
            return Importer::new(entry.blob(), types).whole(entry.word);
        }
        if !module.is_none_or(is_core) {
            return None;
        }
        let shape = variables::find(name)?;
        let basic = types.basic();
        let mut ty = match shape.base {
            "void" => basic.void,
            "char" => basic.char,
            "int" => basic.int,
            "unsigned int" => basic.unsigned_int,
            "unsigned long" => basic.unsigned_long,
            "unsigned long long" => basic.unsigned_long_long,
            other => self.lookup(types, other)?,
        };
        for _ in 0..shape.pointers {
            ty = types.pointer(ty);
        }
        Some(if shape.len > 0 { types.array(ty, shape.len) } else { ty })
    }

    /// The first type of a name: of one module, else of the core kernel, else of any module.
    fn find(&mut self, module: Option<&str>, kinds: &[Kind], name: &str) -> Option<Entry<'_>> {
        match module {
            Some(module) if !is_core(module) => self.module(module)?.find(kinds, name),
            Some(_) => Btf::vmlinux()?.find(kinds, name),
            None => {
                if let Some(entry) = Btf::vmlinux()?.find(kinds, name) {
                    return Some(entry);
                }
                let mut names: Vec<String> = std::fs::read_dir(DIRECTORY)
                    .ok()?
                    .filter_map(|file| file.ok()?.file_name().into_string().ok())
                    .filter(|name| !is_core(name))
                    .collect();
                names.sort_unstable();
                let holder = names.into_iter().find(|module| {
                    self.module(module).is_some_and(|btf| btf.find_own(kinds, name).is_some())
                })?;
                self.module(&holder)?.find(kinds, name)
            }
        }
    }

    fn module(&mut self, name: &str) -> Option<&Btf> {
        self.modules.entry(name.to_string()).or_insert_with(|| Btf::module(name)).as_ref()
    }
}
