//! The disassembler: instructions spelled as the kernel's verifier log and `bpftool` spell them.

use super::*;
use std::fmt;

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class() {
            CLASS_ALU64 | CLASS_ALU32 => arithmetic(*self, f),
            CLASS_LDX => {
                let kind = if self.code & 0xe0 == MODE_MEMSX { 's' } else { 'u' };
                let (dst, src) = (self.dst(), self.src());
                write!(f, "r{dst} = *({kind}{} *)(r{src} {:+})", bits(self.code), self.off)
            }
            CLASS_STX if self.code & 0xe0 == MODE_ATOMIC => atomic(*self, f),
            CLASS_STX => {
                let (dst, src) = (self.dst(), self.src());
                write!(f, "*(u{} *)(r{dst} {:+}) = r{src}", bits(self.code), self.off)
            }
            CLASS_ST => {
                write!(f, "*(u{} *)(r{} {:+}) = {}", bits(self.code), self.dst(), self.off, self.imm)
            }
            CLASS_LD if self.is_wide() => wide(*self, 0, f),
            CLASS_JMP | CLASS_JMP32 => jump(*self, f),
            _ => write!(f, "BUG_{:02x}", self.code),
        }
    }
}

fn bits(code: u8) -> u32 {
    match code & 0x18 {
        0x00 => 32,
        0x08 => 16,
        0x10 => 8,
        _ => 64,
    }
}

fn arithmetic(insn: Insn, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (dst, src) = (insn.dst(), insn.src());
    let r = if insn.class() == CLASS_ALU64 { 'r' } else { 'w' };
    let signed = insn.off == 1;
    let op = match insn.code & 0xf0 {
        0x00 => "+=",
        0x10 => "-=",
        0x20 => "*=",
        0x30 if signed => "s/=",
        0x30 => "/=",
        0x40 => "|=",
        0x50 => "&=",
        0x60 => "<<=",
        0x70 => ">>=",
        0x80 => return write!(f, "{r}{dst} = -{r}{dst}"),
        0x90 if signed => "s%=",
        0x90 => "%=",
        0xa0 => "^=",
        0xb0 if insn.off != 0 => return write!(f, "{r}{dst} = (s{}){r}{src}", insn.off),
        0xb0 => "=",
        0xc0 => "s>>=",
        0xd0 => {
            let order = match (insn.class() == CLASS_ALU64, insn.code & SRC_REG != 0) {
                (true, _) => "bswap",
                (false, true) => "be",
                (false, false) => "le",
            };
            return write!(f, "r{dst} = {order}{} r{dst}", insn.imm);
        }
        _ => return write!(f, "BUG_alu_{:02x}", insn.code),
    };
    if insn.code & SRC_REG != 0 {
        write!(f, "{r}{dst} {op} {r}{src}")
    } else {
        write!(f, "{r}{dst} {op} {}", insn.imm)
    }
}

fn atomic(insn: Insn, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (dst, src, off, bits) = (insn.dst(), insn.src(), insn.off, bits(insn.code));
    let place = format!("(u{bits} *)(r{dst} {off:+})");
    let prefix = if bits == 64 { "atomic64" } else { "atomic" };
    let (op, name) = match insn.imm & 0xf0 {
        0x00 => ("+=", "add"),
        0x40 => ("|=", "or"),
        0x50 => ("&=", "and"),
        0xa0 => ("^=", "xor"),
        0xe0 => return write!(f, "r{src} = {prefix}_xchg({place}, r{src})"),
        0xf0 => return write!(f, "r0 = {prefix}_cmpxchg({place}, r0, r{src})"),
        _ => return write!(f, "BUG_atomic_{:02x}", insn.imm),
    };
    if insn.imm & 1 != 0 {
        write!(f, "r{src} = {prefix}_fetch_{name}({place}, r{src})")
    } else {
        write!(f, "lock *{place} {op} r{src}")
    }
}

fn wide(insn: Insn, high: i32, f: &mut dyn fmt::Write) -> fmt::Result {
    let dst = insn.dst();
    let value = u64::from(high as u32) << 32 | u64::from(insn.imm as u32);
    match insn.src() {
        PSEUDO_MAP_FD => write!(f, "r{dst} = map[fd:{}]", insn.imm),
        PSEUDO_MAP_VALUE => write!(f, "r{dst} = map[fd:{}][0]+{high}", insn.imm),
        PSEUDO_BTF_ID => write!(f, "r{dst} = btf_id:{}", insn.imm),
        PSEUDO_FUNC => write!(f, "r{dst} = func[{:+}]", insn.imm),
        _ => write!(f, "r{dst} = {value:#x}"),
    }
}

fn jump(insn: Insn, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (dst, src) = (insn.dst(), insn.src());
    match insn.code {
        JA => return write!(f, "goto pc{:+}", insn.off),
        JA32 => return write!(f, "gotol pc{:+}", insn.imm),
        EXIT => return f.write_str("exit"),
        CALL => {
            return match src {
                PSEUDO_CALL => write!(f, "call pc{:+}", insn.imm),
                PSEUDO_KFUNC_CALL => write!(f, "call kernel-function#{}", insn.imm),
                _ => {
                    let name = Helper::from_id(insn.imm).map_or("unknown", Helper::name);
                    write!(f, "call {name}#{}", insn.imm)
                }
            };
        }
        _ => {}
    }
    let op = match insn.code & 0xf0 {
        0x10 => "==",
        0x20 => ">",
        0x30 => ">=",
        0x40 => "&",
        0x50 => "!=",
        0x60 => "s>",
        0x70 => "s>=",
        0xa0 => "<",
        0xb0 => "<=",
        0xc0 => "s<",
        0xd0 => "s<=",
        _ => return write!(f, "BUG_jmp_{:02x}", insn.code),
    };
    let r = if insn.class() == CLASS_JMP { 'r' } else { 'w' };
    if insn.code & SRC_REG != 0 {
        write!(f, "if {r}{dst} {op} {r}{src} goto pc{:+}", insn.off)
    } else {
        write!(f, "if {r}{dst} {op} {:#x} goto pc{:+}", insn.imm, insn.off)
    }
}

/// A listing, one instruction a line with its index; the two halves of a wide load share one line.
pub fn disassemble(insns: &[Insn]) -> Vec<(usize, String)> {
    let mut lines = Vec::with_capacity(insns.len());
    let mut at = 0;
    while let Some(insn) = insns.get(at) {
        let mut text = String::new();
        if insn.is_wide() {
            let high = insns.get(at + 1).map_or(0, |second| second.imm);
            // Writing to a String cannot fail.
            let _ = wide(*insn, high, &mut text);
        } else {
            text = insn.to_string();
        }
        lines.push((at, text));
        at += if insn.is_wide() { 2 } else { 1 };
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reg::*;

    #[test]
    fn instructions_read_as_in_the_verifier_log() {
        let cases = [
            (Insn::mov(R6, R1), "r6 = r1"),
            (Insn::mov32(R6, 3), "w6 = 3"),
            (Insn::alu64(Alu::SMod, R1, R2), "r1 s%= r2"),
            (Insn::alu64(Alu::Arsh, R1, 3), "r1 s>>= 3"),
            (Insn::neg64(R3), "r3 = -r3"),
            (Insn::movsx(Size::H, R1, R2), "r1 = (s16)r2"),
            (Insn::to_be(R1, 32), "r1 = be32 r1"),
            (Insn::ldx(Size::DW, R1, R10, -8), "r1 = *(u64 *)(r10 -8)"),
            (Insn::ldsx(Size::W, R1, R2, 4), "r1 = *(s32 *)(r2 +4)"),
            (Insn::stx(Size::B, R10, -1, R0), "*(u8 *)(r10 -1) = r0"),
            (Insn::st(Size::DW, R10, -16, -1), "*(u64 *)(r10 -16) = -1"),
            (Insn::atomic(Atomic::Add, Size::DW, R1, 0, R2), "lock *(u64 *)(r1 +0) += r2"),
            (Insn::atomic(Atomic::FetchOr, Size::W, R1, 8, R2), "r2 = atomic_fetch_or((u32 *)(r1 +8), r2)"),
            (
                Insn::atomic(Atomic::Cmpxchg, Size::DW, R1, 0, R2),
                "r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)",
            ),
            (Insn::jmp(Cond::Ne, R0, 0, 4), "if r0 != 0x0 goto pc+4"),
            (Insn::jmp32(Cond::SLe, R0, R1, -4), "if w0 s<= w1 goto pc-4"),
            (Insn::ja(-2), "goto pc-2"),
            (Insn::call(Helper::GetAttachCookie), "call bpf_get_attach_cookie#174"),
            (Insn::exit(), "exit"),
        ];
        for (insn, text) in cases {
            assert_eq!(insn.to_string(), text);
        }
    }

    #[test]
    fn a_listing_joins_wide_loads() {
        let mut insns = Insn::ld_imm64(R1, 0x1_0000_0002).to_vec();
        insns.push(Insn::exit());
        let listing = disassemble(&insns);
        assert_eq!(listing, [(0, "r1 = 0x100000002".to_string()), (2, "exit".to_string())]);
    }
}
