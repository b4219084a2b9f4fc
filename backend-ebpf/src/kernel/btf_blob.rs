//! A few BTF types written by hand, for the two places where the kernel insists on BTF:
//! the value of a task storage map and the functions of a program with several.
//!
//! Format: Documentation/bpf/btf.rst. The descriptor may be closed once map or program exist.

use super::sys::{self, FuncInfo};
use super::{Error, Kind};
use crate::codegen::asm::{Arg, Function, Linkage};
use std::collections::HashMap;
use std::os::fd::OwnedFd;

const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const INT_SIGNED: u32 = 1;

/// Collects types and names; type ids count from 1.
struct Blob {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Blob {
    fn new() -> Blob {
        Blob { types: Vec::new(), strings: vec![0], count: 0 }
    }

    fn name(&mut self, name: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(name.bytes().filter(|&b| b != 0));
        self.strings.push(0);
        at
    }

    fn push(&mut self, words: &[u32]) -> u32 {
        self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        self.count += 1;
        self.count
    }

    fn int(&mut self, name: &str, bytes: u32, encoding: u32) -> u32 {
        let name = self.name(name);
        self.push(&[name, KIND_INT << 24, bytes, (encoding << 24) | (bytes * 8)])
    }

    /// `struct name { unsigned char bytes[size]; }`
    fn bytes_struct(&mut self, name: &str, size: u32, byte: u32) -> u32 {
        let array = self.push(&[0, KIND_ARRAY << 24, 0, byte, byte, size]);
        let (name, member) = (self.name(name), self.name("bytes"));
        self.push(&[name, KIND_STRUCT << 24 | 1, size, member, array, 0])
    }

    fn finish(self) -> Vec<u8> {
        let header = 24u32;
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut blob = Vec::with_capacity((header + types + strings) as usize);
        blob.extend(0xeb9f_u16.to_ne_bytes());
        blob.extend([1, 0]);
        for word in [header, 0, types, types, strings] {
            blob.extend(word.to_ne_bytes());
        }
        blob.extend(self.types);
        blob.extend(self.strings);
        blob
    }
}

fn load(blob: Blob) -> Result<OwnedFd, Error> {
    sys::btf_load(&blob.finish()).map_err(|errno| Error::new("bpf(BPF_BTF_LOAD)", errno).with_privileges())
}

/// BTF for a map's key and value.
pub(super) struct MapTypes {
    pub fd: OwnedFd,
    pub key: u32,
    pub value: u32,
}

/// `int` keys and values of `value_size` bytes.
pub(super) fn map_types(value_size: u32) -> Result<MapTypes, Error> {
    let mut blob = Blob::new();
    let key = blob.int("int", 4, INT_SIGNED);
    let byte = blob.int("unsigned char", 1, 0);
    let value = blob.bytes_struct("value", value_size, byte);
    Ok(MapTypes { fd: load(blob)?, key, value })
}

/// BTF for the functions of a program.
pub(super) struct FunctionTypes {
    pub fd: OwnedFd,
    pub info: Vec<FuncInfo>,
}

/// A `FUNC` for each function, in the order given, which is that of their instructions.
pub(super) fn function_types(kind: Kind, functions: &[Function]) -> Result<FunctionTypes, Error> {
    let mut blob = Blob::new();
    let int = blob.int("int", 4, INT_SIGNED);
    let long = blob.int("unsigned long", 8, 0);
    let byte = blob.int("unsigned char", 1, 0);
    let mut pointers = HashMap::new();
    let mut info = Vec::with_capacity(functions.len());
    for (index, function) in functions.iter().enumerate() {
        let mut params = Vec::with_capacity(function.args.len() * 2);
        for (n, arg) in function.args.iter().enumerate() {
            let type_id = match arg {
                Arg::Scalar => long,
                _ => *pointers.entry(*arg).or_insert_with(|| {
                    let pointee = match arg {
                        Arg::Mem(size) => blob.bytes_struct(&format!("mem{size}"), *size, byte),
                        _ => context(&mut blob, kind),
                    };
                    blob.push(&[0, KIND_PTR << 24, pointee])
                }),
            };
            params.extend([blob.name(&format!("a{n}")), type_id]);
        }
        let result = if index == 0 { int } else { long };
        let mut proto = vec![0, KIND_FUNC_PROTO << 24 | function.args.len() as u32, result];
        proto.extend(params);
        let proto = blob.push(&proto);
        let name = blob.name(&identifier(&function.name));
        let linkage = match function.linkage {
            Linkage::Static => 0,
            Linkage::Global => 1,
        };
        let type_id = blob.push(&[name, KIND_FUNC << 24 | linkage, proto]);
        info.push(FuncInfo { insn_off: function.start, type_id });
    }
    Ok(FunctionTypes { fd: load(blob)?, info })
}

/// The type by whose name the verifier knows a program's context.
fn context(blob: &mut Blob, kind: Kind) -> u32 {
    let structure = |blob: &mut Blob, name: &str| {
        let name = blob.name(name);
        blob.push(&[name, KIND_STRUCT << 24, 0])
    };
    match kind.context_name() {
        "bpf_user_pt_regs_t" => {
            let regs = structure(blob, "pt_regs");
            let name = blob.name("bpf_user_pt_regs_t");
            blob.push(&[name, KIND_TYPEDEF << 24, regs])
        }
        name => structure(blob, name),
    }
}

/// A C identifier, which is what the kernel accepts as a function's name.
fn identifier(name: &str) -> String {
    let mut text: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).take(120).collect();
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        text.insert(0, '_');
    }
    text
}
