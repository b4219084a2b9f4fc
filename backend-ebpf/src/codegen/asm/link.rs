//! Linking: which functions stay, where each lies, how far each branch goes.

use super::*;

/// Instructions that a conditional branch turned into a long one takes:
/// `if cond goto +1; goto +1; gotol target`.
const LONG_BRANCH: usize = 3;

/// Lays out the reachable functions and resolves every fix-up.
pub(super) fn link(asm: Assembler) -> Result<Program, AsmError> {
    if let Some(label) = asm.bound_twice {
        return Err(AsmError::BoundTwice(label));
    }
    let order = reachable(&asm)?;
    let mut bodies = Vec::with_capacity(order.len());
    for id in &order {
        bodies.push(layout(&asm, *id)?);
    }
    let mut starts = vec![None; asm.bodies.len()];
    let mut at = 0usize;
    for (id, layout) in order.iter().zip(&bodies) {
        if let Some(start) = starts.get_mut(id.0 as usize) {
            *start = Some(at);
        }
        at += layout.size;
    }
    if i32::try_from(at).is_err() {
        return Err(AsmError::TooLong);
    }
    let mut program = Program::default();
    for (id, layout) in order.iter().zip(&bodies) {
        emit(&asm, *id, layout, &starts, &mut program)?;
    }
    Ok(program)
}

fn body(asm: &Assembler, id: FuncId) -> Result<&Body, AsmError> {
    match asm.bodies.get(id.0 as usize) {
        Some(body) if !body.items.is_empty() => Ok(body),
        Some(body) => Err(AsmError::Empty(body.name.clone())),
        None => Err(AsmError::Empty(format!("function {}", id.0))),
    }
}

/// The entry and all it calls or takes the address of, in order of declaration.
fn reachable(asm: &Assembler) -> Result<Vec<FuncId>, AsmError> {
    let mut found = vec![asm.entry()];
    let mut next = 0;
    while let Some(id) = found.get(next).copied() {
        for item in &body(asm, id)?.items {
            if let Fixup::Call(callee) | Fixup::Address(callee) = item.fixup
                && !found.contains(&callee)
            {
                found.push(callee);
            }
        }
        next += 1;
    }
    found.sort();
    Ok(found)
}

struct Layout {
    /// Offset of each item from the function's start, and of the end.
    offsets: Vec<usize>,
    /// Which items are long branches.
    long: Vec<bool>,
    size: usize,
}

/// Offsets of a function's items, with branches lengthened until all reach.
fn layout(asm: &Assembler, id: FuncId) -> Result<Layout, AsmError> {
    let body = body(asm, id)?;
    let mut long = vec![false; body.items.len()];
    loop {
        let mut offsets = Vec::with_capacity(body.items.len() + 1);
        let mut at = 0;
        for (item, long) in body.items.iter().zip(&long) {
            offsets.push(at);
            at += if *long && item.insn.code != Insn::ja(0).code { LONG_BRANCH } else { 1 };
        }
        offsets.push(at);
        let mut grown = false;
        for (index, item) in body.items.iter().enumerate() {
            let Fixup::Branch(label) = item.fixup else { continue };
            let target = target(asm, id, label, item, &offsets)?;
            let from = offsets.get(index).copied().unwrap_or(0) + 1;
            let reaches = i16::try_from(target as i64 - from as i64).is_ok();
            if let Some(long) = long.get_mut(index)
                && !reaches
                && !*long
            {
                if !asm.long_jumps {
                    return Err(AsmError::TooFar { function: body.name.clone(), span: item.span });
                }
                *long = true;
                grown = true;
            }
        }
        if !grown {
            return Ok(Layout { offsets, long, size: at });
        }
    }
}

fn target(
    asm: &Assembler,
    id: FuncId,
    label: Label,
    item: &Item,
    offsets: &[usize],
) -> Result<usize, AsmError> {
    let unbound = || AsmError::Unbound {
        function: asm.bodies.get(id.0 as usize).map_or_else(String::new, |body| body.name.clone()),
        span: item.span,
    };
    let (function, index) = asm.labels.get(label.0 as usize).copied().flatten().ok_or_else(unbound)?;
    // A label after the last instruction would let control run into the next function.
    if function != id || index + 1 >= offsets.len() {
        return Err(unbound());
    }
    offsets.get(index).copied().ok_or_else(unbound)
}

fn emit(
    asm: &Assembler,
    id: FuncId,
    layout: &Layout,
    starts: &[Option<usize>],
    program: &mut Program,
) -> Result<(), AsmError> {
    let body = body(asm, id)?;
    let start = program.insns.len();
    let start_of = |callee: FuncId| starts.get(callee.0 as usize).copied().flatten();
    let distance = |to: usize, next: usize| i32::try_from(to as i64 - next as i64);
    for (item, long) in body.items.iter().zip(&layout.long) {
        let mut insn = item.insn;
        let here = program.insns.len();
        match item.fixup {
            Fixup::None | Fixup::WideTail => {}
            Fixup::Map(map) => program.map_refs.push(MapRef { insn: here as u32, map }),
            Fixup::Call(callee) | Fixup::Address(callee) => {
                let to = start_of(callee).ok_or_else(|| AsmError::Empty(format!("function {}", callee.0)))?;
                insn.imm = distance(to, here + 1).map_err(|_| AsmError::TooLong)?;
            }
            Fixup::Branch(label) => {
                let to = start + target(asm, id, label, item, &layout.offsets)?;
                if !*long {
                    let too_far = || AsmError::TooFar { function: body.name.clone(), span: item.span };
                    insn.off = i16::try_from(to as i64 - (here as i64 + 1)).map_err(|_| too_far())?;
                } else if insn.code == Insn::ja(0).code {
                    insn = Insn::ja32(distance(to, here + 1).map_err(|_| AsmError::TooLong)?);
                } else {
                    insn.off = 1;
                    program.insns.extend([insn, Insn::ja(1)]);
                    program.spans.extend([item.span, item.span]);
                    insn = Insn::ja32(distance(to, here + LONG_BRANCH).map_err(|_| AsmError::TooLong)?);
                }
            }
        }
        program.insns.push(insn);
        program.spans.push(item.span);
    }
    program.functions.push(Function {
        name: body.name.clone(),
        start: start as u32,
        end: program.insns.len() as u32,
        linkage: body.linkage,
        args: body.args.clone(),
    });
    Ok(())
}
