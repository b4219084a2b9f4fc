//! `print()`: a value with its type, as illumos' D prints it; what a pointer points to, as Oracle's does.

use crate::ir::{PrintShape, Ty};
use crate::record::Value;

/// Appends `type value`.
pub fn print(out: &mut Vec<u8>, type_name: &str, shape: &PrintShape, value: &Value) {
    let bytes = match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Int { raw, .. } => raw.to_ne_bytes().to_vec(),
        Value::Str(text) => text.to_vec(),
        _ => Vec::new(),
    };
    match shape {
        PrintShape::Str => {
            out.extend_from_slice(b"string ");
            quoted(out, &bytes);
        }
        _ => {
            out.extend_from_slice(type_name.as_bytes());
            out.push(b' ');
            if let Value::Int { raw, bytes: width, signed } = value {
                show(out, shape, &bytes, Ty::Int { bytes: *width, signed: *signed }, Some(*raw), 0);
            } else {
                show(out, shape, &bytes, Ty::Bytes(bytes.len() as u32), None, 0);
            }
        }
    }
}

/// Blanks before a pointer's target.
const TARGET_INDENT: usize = 44;

/// Appends `address = *` and the object there. What is zero is left out, as there.
pub fn target(out: &mut Vec<u8>, addr: u64, type_name: &str, shape: &PrintShape, value: &Value) {
    let Value::Bytes(bytes) = value else { return };
    out.extend_from_slice(format!("{addr:#x} = *\n").as_bytes());
    blanks(out, TARGET_INDENT);
    out.extend_from_slice(format!("({type_name})").as_bytes());
    members(out, shape, bytes, TARGET_INDENT);
    out.push(b'\n');
}

/// What follows the type of an object that lies in `bytes`; less than all of it when `bytes` end before.
fn members(out: &mut Vec<u8>, shape: &PrintShape, bytes: &[u8], depth: usize) {
    match shape {
        PrintShape::Struct { members: list, .. } => {
            out.extend_from_slice(b" {\n");
            for member in list {
                let Some(part) = bytes.get(member.offset as usize..).filter(|part| !part.is_empty()) else {
                    blanks(out, depth + 1);
                    out.extend_from_slice(b"...\n");
                    break;
                };
                let size = size(member.ty).min(part.len());
                let part = &part[..size];
                let field = member.bits.map(|(shift, bits)| {
                    let unit = scalar(part, member.ty) >> shift;
                    if bits >= 64 { unit } else { unit & ((1u64 << bits) - 1) }
                });
                if field.map_or_else(|| part.iter().all(|byte| *byte == 0), |field| field == 0) {
                    continue;
                }
                blanks(out, depth + 1);
                if !member.name.is_empty() {
                    out.extend_from_slice(format!(".{} = ", member.name).as_bytes());
                }
                out.extend_from_slice(format!("({})", kind_name(&member.shape)).as_bytes());
                element(out, &member.shape, part, member.ty, field, depth + 1);
                out.extend_from_slice(b",\n");
            }
            blanks(out, depth);
            out.push(b'}');
        }
        PrintShape::CharArray { .. } => {
            out.extend_from_slice(b" [\n");
            for byte in bytes.iter().take_while(|byte| **byte != 0) {
                blanks(out, depth + 1);
                out.extend_from_slice(format!("(char){},\n", character(*byte)).as_bytes());
            }
            blanks(out, depth);
            out.push(b']');
        }
        PrintShape::Array { of, element: size, len, ty, .. } => {
            out.extend_from_slice(b" [\n");
            let parts = bytes.chunks((*size as usize).max(1)).take(*len as usize);
            for part in parts.filter(|part| part.iter().any(|byte| *byte != 0)) {
                blanks(out, depth + 1);
                out.extend_from_slice(format!("({})", kind_name(of)).as_bytes());
                element(out, of, part, *ty, None, depth + 1);
                out.extend_from_slice(b",\n");
            }
            blanks(out, depth);
            out.push(b']');
        }
        _ => {}
    }
}

/// A member's or element's value, behind its type.
fn element(out: &mut Vec<u8>, shape: &PrintShape, bytes: &[u8], ty: Ty, field: Option<u64>, depth: usize) {
    match shape {
        PrintShape::Struct { .. } | PrintShape::CharArray { .. } | PrintShape::Array { .. } => {
            members(out, shape, bytes, depth);
        }
        PrintShape::Int { type_name } if type_name == "char" && field.is_none() => {
            out.extend_from_slice(character(bytes.first().copied().unwrap_or(0)).as_bytes());
        }
        PrintShape::Int { .. } => {
            let value = field.unwrap_or_else(|| scalar(bytes, ty));
            let signed = matches!(ty, Ty::Int { signed: true, .. });
            let text = if signed { (value as i64).to_string() } else { value.to_string() };
            out.extend_from_slice(text.as_bytes());
        }
        _ => show(out, shape, bytes, ty, field, 0),
    }
}

fn character(byte: u8) -> String {
    match byte {
        b' '..=b'~' => format!("'{}'", char::from(byte)),
        _ => format!("{byte:#x}"),
    }
}

fn size(ty: Ty) -> usize {
    match ty {
        Ty::Int { bytes, .. } => bytes as usize,
        Ty::Bytes(bytes) => bytes as usize,
        _ => 8,
    }
}

fn blanks(out: &mut Vec<u8>, count: usize) {
    out.extend(std::iter::repeat_n(b' ', count));
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    out.push(b'"');
    out.extend_from_slice(&text[..end]);
    out.push(b'"');
}

/// The scalar in `bytes`, extended by its type.
fn scalar(bytes: &[u8], ty: Ty) -> u64 {
    let Ty::Int { bytes: width, signed } = ty else { return 0 };
    let mut raw = [0u8; 8];
    let n = bytes.len().min(width as usize);
    raw[..n].copy_from_slice(&bytes[..n]);
    let value = u64::from_ne_bytes(raw);
    let shift = 64 - 8 * width as u32;
    if signed { ((value << shift) as i64 >> shift) as u64 } else { value }
}

fn show(out: &mut Vec<u8>, shape: &PrintShape, bytes: &[u8], ty: Ty, raw: Option<u64>, depth: usize) {
    let value = || raw.unwrap_or_else(|| scalar(bytes, ty));
    match shape {
        PrintShape::Int { .. } => out.extend_from_slice(format!("{:#x}", masked(value(), ty)).as_bytes()),
        PrintShape::Pointer { .. } => out.extend_from_slice(format!("{:#x}", value()).as_bytes()),
        PrintShape::Str | PrintShape::CharArray { .. } => quoted(out, bytes),
        PrintShape::Enum { names, .. } => match names.iter().find(|(v, _)| *v == value() as i64) {
            Some((_, name)) => out.extend_from_slice(name.as_bytes()),
            None => out.extend_from_slice(format!("{}", value() as i64).as_bytes()),
        },
        PrintShape::Array { of, element, len, ty, .. } => {
            out.extend_from_slice(b"[ ");
            for i in 0..*len as usize {
                let at = i * *element as usize;
                let part = bytes.get(at..).unwrap_or(&[]);
                show(out, of, part.get(..*element as usize).unwrap_or(part), *ty, None, depth + 1);
                out.extend_from_slice(if i + 1 < *len as usize { b", " } else { b" " });
            }
            out.push(b']');
        }
        PrintShape::Struct { members, .. } => {
            out.extend_from_slice(b"{\n");
            for member in members {
                let part = bytes.get(member.offset as usize..).unwrap_or(&[]);
                indent(out, depth + 1);
                out.extend_from_slice(format!("{} {} = ", kind_name(&member.shape), member.name).as_bytes());
                let raw = member.bits.map(|(shift, bits)| {
                    let unit = scalar(part, member.ty) >> shift;
                    if bits >= 64 { unit } else { unit & ((1u64 << bits) - 1) }
                });
                let part = match member.ty {
                    Ty::Bytes(n) => part.get(..n as usize).unwrap_or(part),
                    _ => part,
                };
                show(out, &member.shape, part, member.ty, raw, depth + 1);
                out.push(b'\n');
            }
            indent(out, depth);
            out.push(b'}');
        }
    }
}

fn masked(value: u64, ty: Ty) -> u64 {
    match ty {
        Ty::Int { bytes, .. } if bytes < 8 => value & ((1u64 << (bytes * 8)) - 1),
        _ => value,
    }
}

fn kind_name(shape: &PrintShape) -> &str {
    match shape {
        PrintShape::Str => "string",
        PrintShape::Int { type_name }
        | PrintShape::Pointer { type_name }
        | PrintShape::CharArray { type_name }
        | PrintShape::Enum { type_name, .. }
        | PrintShape::Array { type_name, .. }
        | PrintShape::Struct { type_name, .. } => type_name,
    }
}

fn indent(out: &mut Vec<u8>, depth: usize) {
    blanks(out, depth * 4);
}
