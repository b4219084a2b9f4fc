//! The `-S` listing: each program's instructions under the piece of script they come from, in the columns of
//! dtrace's listing of DIF (offset, opcode, instruction).

use super::Image;
use super::insn::disassemble;
use duotrace_core::diagnostic::SourceMap;
use std::fmt::Write;

/// One line per instruction; a comment with place and text whenever the place changes. `clauses` names what a
/// group of sites runs.
pub fn listing(image: &Image, sources: &SourceMap, clauses: &dyn Fn(usize) -> String) -> String {
    let mut out = String::new();
    for program in &image.programs {
        let (name, count) = (&program.name, program.code.insns.len());
        let _ =
            writeln!(out, "Disassembly of clause {}, {name} ({count} instructions):", clauses(program.group));
        let _ = writeln!(out, "{:<4} {:<6} {:<23} INSTRUCTION", "INS", "OFF", "OPCODE");
        let mut last = None;
        for (at, text) in disassemble(&program.code.insns) {
            if let Some(function) =
                program.code.functions.iter().find(|function| function.start as usize == at)
            {
                let _ = writeln!(out, "{}:", function.name);
                last = None;
            }
            let tag = program.code.span_of(at).filter(|tag| *tag != 0);
            if tag != last
                && let Some(span) = tag.and_then(|tag| image.spans.get(tag as usize))
            {
                let position = sources.position(*span);
                let source = sources.get(span.source).map_or("", |source| source.text.as_str());
                let piece = source.get(span.start as usize..span.end as usize).unwrap_or("");
                let piece = piece.lines().next().unwrap_or("").trim();
                let _ = writeln!(out, "; {}:{}: {piece}", position.line, position.column);
            }
            last = tag;
            let text = match program.code.map_refs.iter().find(|reference| reference.insn as usize == at) {
                Some(reference) => match image.maps.iter().find(|map| map.id == reference.map) {
                    Some(map) => text.replace("fd:0", &map.spec.name),
                    None => text,
                },
                None => text,
            };
            // The second half of a wide load shares its line and shows in the text.
            let opcode = program.code.insns.get(at).map_or(String::new(), |insn| {
                let (dst, src) = (insn.regs & 0xf, insn.regs >> 4);
                format!("{:02x} {dst:x} {src:x} {:04x} {:08x}", insn.code, insn.off, insn.imm)
            });
            let _ = writeln!(out, "{at:04} {:05}: {opcode:<22} {text}", at * 8);
        }
    }
    out
}
