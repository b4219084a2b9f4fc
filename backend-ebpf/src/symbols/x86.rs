//! x86-64 instructions: lengths, returns, tail jumps, and how the kernel's uprobes treat them.

use super::code::{Code, Leave, PointerCall, SiteKind};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

/// The class of the instruction that `bytes` begin with.
pub(super) fn classify(bytes: &[u8]) -> SiteKind {
    match bytes {
        [0x90, ..] => SiteKind::Nop1,
        [0x0f, 0x1f, 0x44, 0x00, 0x00, ..] => SiteKind::Nop5,
        [0xf3, 0x0f, 0x1e, 0xfa, ..] => SiteKind::Endbr64,
        [0x50..=0x57, ..] | [0x41, 0x50..=0x57, ..] => SiteKind::Push,
        // Relative jumps and calls; conditional jumps, short and near (arch/x86/kernel/uprobes.c).
        [0xeb | 0xe9 | 0xe8 | 0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..] => SiteKind::Jump,
        _ => {
            let decoded = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
            if decoded.mnemonic() == Mnemonic::Nop { SiteKind::Nop } else { SiteKind::Other }
        }
    }
}

/// The general registers in the order of the kernel's `struct pt_regs`, but for what lies between `rdi` and `rsp`.
const REGISTERS: [Register; 15] = [
    Register::R15,
    Register::R14,
    Register::R13,
    Register::R12,
    Register::RBP,
    Register::RBX,
    Register::R11,
    Register::R10,
    Register::R9,
    Register::R8,
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RSI,
    Register::RDI,
];

/// All instructions of a function at `vaddr`; the error is the offset of what is no instruction.
pub(super) fn disassemble(bytes: &[u8], vaddr: u64, own_part: &dyn Fn(u64) -> bool) -> Result<Code, u64> {
    let mut code = Code::default();
    let mut decoder = Decoder::with_ip(64, bytes, vaddr, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    // How long ago a `movslq (table,index,4)` was seen: the mark of a jump table.
    let mut since_table_load = u32::MAX;
    while decoder.can_decode() {
        let at = decoder.position() as u64;
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            return Err(at);
        }
        code.starts.push(at);
        since_table_load = match instruction.mnemonic() {
            Mnemonic::Movsxd if instruction.op1_kind() == OpKind::Memory => 0,
            _ => since_table_load.saturating_add(1),
        };
        match instruction.flow_control() {
            FlowControl::Return => code.leaves.push((at, Leave::Return)),
            FlowControl::Call => code.recurses |= instruction.near_branch_target() == vaddr,
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                let target = instruction.near_branch_target();
                let inside = target.wrapping_sub(vaddr) < bytes.len() as u64;
                if !inside && !own_part(target) {
                    code.leaves.push((at, Leave::TailJump));
                }
            }
            FlowControl::IndirectCall
                if instruction.op0_kind() == OpKind::Memory
                    && instruction.memory_index() == Register::None
                    && !instruction.has_segment_prefix() =>
            {
                let base = REGISTERS.iter().position(|register| *register == instruction.memory_base());
                code.pointer_calls.extend(base.map(|base| PointerCall {
                    at,
                    next: decoder.position() as u64,
                    base: 8 * base as u16,
                    disp: instruction.memory_displacement64().cast_signed(),
                }));
            }
            FlowControl::IndirectBranch if is_tail_jump(&instruction, bytes, at, since_table_load) => {
                code.leaves.push((at, Leave::TailJump));
            }
            _ => {}
        }
    }
    Ok(code)
}

/// An indirect jump is a tail call unless it goes through a jump table. Compilers mark table jumps `notrack`,
/// index memory with a scale, or load the distance with `movslq` just before.
fn is_tail_jump(i: &Instruction, bytes: &[u8], at: u64, since_table_load: u32) -> bool {
    let notrack = usize::try_from(at).ok().and_then(|at| bytes.get(at)) == Some(&0x3e);
    if notrack {
        return false;
    }
    match i.op0_kind() {
        OpKind::Memory => i.memory_index() == Register::None,
        _ => since_table_load > 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (bytes, want) in [
            (&[0x90][..], SiteKind::Nop1),
            (&[0x0f, 0x1f, 0x44, 0, 0], SiteKind::Nop5),
            (&[0x66, 0x90], SiteKind::Nop),
            (&[0xf3, 0x0f, 0x1e, 0xfa], SiteKind::Endbr64),
            (&[0x55], SiteKind::Push),
            (&[0x41, 0x57], SiteKind::Push),
            (&[0x48, 0x83, 0xec, 0x08], SiteKind::Other),
            (&[0xeb, 0x00], SiteKind::Jump),
            (&[], SiteKind::Other),
        ] {
            assert_eq!(classify(bytes), want, "{bytes:02x?}");
        }
    }

    #[test]
    fn leaves() {
        // push rbp; je +1; ret; jmp out; jmp *0x10(%rax); jmp *(,%rax,8); notrack jmp *%rax; jmp *%rax
        let bytes = [
            0x55, 0x74, 0x01, 0xc3, 0xe9, 0x00, 0x10, 0x00, 0x00, 0xff, 0x60, 0x10, 0xff, 0x24, 0xc5, 0, 0,
            0, 0, 0x3e, 0xff, 0xe0, 0xff, 0xe0,
        ];
        let code = disassemble(&bytes, 0x1000, &|_| false).unwrap();
        assert_eq!(code.starts, [0, 1, 3, 4, 9, 12, 19, 22]);
        let want = [(3, Leave::Return), (4, Leave::TailJump), (9, Leave::TailJump), (22, Leave::TailJump)];
        assert_eq!(code.leaves, want);
        assert!(!code.recurses);
        // nop; call to the nop; ret
        let code = disassemble(&[0x90, 0xe8, 0xfa, 0xff, 0xff, 0xff, 0xc3], 0x1000, &|_| false).unwrap();
        assert!(code.recurses);
        assert_eq!(disassemble(&[0x90, 0x06], 0, &|_| false), Err(1));
    }
}
