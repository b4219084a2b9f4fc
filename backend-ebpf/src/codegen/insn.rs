//! BPF instructions as values: eight bytes each, built by name, printed as the kernel prints them.
//!
//! The encoding is that of RFC 9669 (BPF ISA) and `linux/bpf.h`. Constructors
//! never fail and never look at the kernel: whether an instruction exists on the
//! running kernel (v4 `sdiv`, `movsx`, `gotol`) is the caller's question to `kernel::features`.

mod display;
mod helper;

pub use display::disassemble;
pub use helper::Helper;

/// A register. `R0` results, `R1`..`R5` arguments (lost by calls), `R6`..`R9` kept, `R10` frame pointer (read only).
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reg {
    R0 = 0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// How many bytes a load or a store moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// One byte.
    B,
    /// Two bytes.
    H,
    /// Four bytes.
    W,
    /// Eight bytes.
    DW,
}

impl Size {
    /// The width in bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Size::B => 1,
            Size::H => 2,
            Size::W => 4,
            Size::DW => 8,
        }
    }

    /// The size that moves `bytes` bytes, for 1, 2, 4 and 8.
    pub fn of_bytes(bytes: u64) -> Option<Size> {
        match bytes {
            1 => Some(Size::B),
            2 => Some(Size::H),
            4 => Some(Size::W),
            8 => Some(Size::DW),
            _ => None,
        }
    }

    fn code(self) -> u8 {
        match self {
            Size::W => 0x00,
            Size::H => 0x08,
            Size::B => 0x10,
            Size::DW => 0x18,
        }
    }
}

/// A two-operand arithmetic instruction. `SDiv` and `SMod` need kernel 6.6 (ISA v4).
///
/// Division by zero gives 0 and modulo by zero leaves the dividend (RFC 9669, 4.1): code that must fault tests first.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    SDiv,
    Or,
    And,
    Lsh,
    Rsh,
    Mod,
    SMod,
    Xor,
    Mov,
    Arsh,
}

impl Alu {
    /// The operation's code and the offset field that tells signed division apart.
    fn code(self) -> (u8, i16) {
        match self {
            Alu::Add => (0x00, 0),
            Alu::Sub => (0x10, 0),
            Alu::Mul => (0x20, 0),
            Alu::Div => (0x30, 0),
            Alu::SDiv => (0x30, 1),
            Alu::Or => (0x40, 0),
            Alu::And => (0x50, 0),
            Alu::Lsh => (0x60, 0),
            Alu::Rsh => (0x70, 0),
            Alu::Mod => (0x90, 0),
            Alu::SMod => (0x90, 1),
            Alu::Xor => (0xa0, 0),
            Alu::Mov => (0xb0, 0),
            Alu::Arsh => (0xc0, 0),
        }
    }
}

/// A branch condition; `S...` compare as signed. `Set` is "any bit in common" (`&`).
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cond {
    Eq,
    Gt,
    Ge,
    Set,
    Ne,
    SGt,
    SGe,
    Lt,
    Le,
    SLt,
    SLe,
}

impl Cond {
    fn code(self) -> u8 {
        match self {
            Cond::Eq => 0x10,
            Cond::Gt => 0x20,
            Cond::Ge => 0x30,
            Cond::Set => 0x40,
            Cond::Ne => 0x50,
            Cond::SGt => 0x60,
            Cond::SGe => 0x70,
            Cond::Lt => 0xa0,
            Cond::Le => 0xb0,
            Cond::SLt => 0xc0,
            Cond::SLe => 0xd0,
        }
    }

    /// The condition that holds exactly when this one does not; `None` for `Set`, which has no opposite.
    pub fn negated(self) -> Option<Cond> {
        Some(match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Gt => Cond::Le,
            Cond::Le => Cond::Gt,
            Cond::Ge => Cond::Lt,
            Cond::Lt => Cond::Ge,
            Cond::SGt => Cond::SLe,
            Cond::SLe => Cond::SGt,
            Cond::SGe => Cond::SLt,
            Cond::SLt => Cond::SGe,
            Cond::Set => return None,
        })
    }
}

/// A read-modify-write in memory. `Xchg` and `Cmpxchg` always fetch.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Atomic {
    Add,
    Or,
    And,
    Xor,
    /// The source register receives the old value.
    FetchAdd,
    FetchOr,
    FetchAnd,
    FetchXor,
    /// Memory and the source register change places.
    Xchg,
    /// `R0` holds the expected value and receives the old one.
    Cmpxchg,
}

impl Atomic {
    fn imm(self) -> i32 {
        match self {
            Atomic::Add => 0x00,
            Atomic::Or => 0x40,
            Atomic::And => 0x50,
            Atomic::Xor => 0xa0,
            Atomic::FetchAdd => 0x01,
            Atomic::FetchOr => 0x41,
            Atomic::FetchAnd => 0x51,
            Atomic::FetchXor => 0xa1,
            Atomic::Xchg => 0xe1,
            Atomic::Cmpxchg => 0xf1,
        }
    }
}

/// The second operand of arithmetic and of branches: a register, or a constant sign-extended to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A register.
    Reg(Reg),
    /// A 32-bit constant.
    Imm(i32),
}

impl From<Reg> for Operand {
    fn from(reg: Reg) -> Operand {
        Operand::Reg(reg)
    }
}

impl From<i32> for Operand {
    fn from(imm: i32) -> Operand {
        Operand::Imm(imm)
    }
}

pub(crate) const CLASS_LD: u8 = 0x00;
pub(crate) const CLASS_LDX: u8 = 0x01;
pub(crate) const CLASS_ST: u8 = 0x02;
pub(crate) const CLASS_STX: u8 = 0x03;
pub(crate) const CLASS_ALU32: u8 = 0x04;
pub(crate) const CLASS_JMP: u8 = 0x05;
pub(crate) const CLASS_JMP32: u8 = 0x06;
pub(crate) const CLASS_ALU64: u8 = 0x07;
/// "The operand is a register" (`BPF_X`).
const SRC_REG: u8 = 0x08;
const MODE_MEM: u8 = 0x60;
const MODE_MEMSX: u8 = 0x80;
const MODE_ATOMIC: u8 = 0xc0;
/// `BPF_LD | BPF_IMM | BPF_DW`: the only instruction of sixteen bytes.
pub(crate) const LD_IMM64: u8 = 0x18;
pub(crate) const JA: u8 = CLASS_JMP;
/// `gotol`, a jump whose distance is the 32-bit immediate (kernel 6.6).
pub(crate) const JA32: u8 = CLASS_JMP32;
pub(crate) const CALL: u8 = 0x85;
pub(crate) const EXIT: u8 = 0x95;

/// `src_reg` values of `LD_IMM64` (`BPF_PSEUDO_MAP_FD`, `_MAP_VALUE`, `_BTF_ID`, `_FUNC`).
pub(crate) const PSEUDO_MAP_FD: u8 = 1;
pub(crate) const PSEUDO_MAP_VALUE: u8 = 2;
pub(crate) const PSEUDO_BTF_ID: u8 = 3;
pub(crate) const PSEUDO_FUNC: u8 = 4;
/// `src_reg` values of `CALL`.
pub(crate) const PSEUDO_CALL: u8 = 1;
pub(crate) const PSEUDO_KFUNC_CALL: u8 = 2;

/// One instruction, laid out as the kernel reads it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Insn {
    /// Class, operation and source kind.
    pub code: u8,
    /// Destination and source register, four bits each, in the byte order of the machine.
    pub regs: u8,
    /// Offset of a memory access or of a branch.
    pub off: i16,
    /// Constant.
    pub imm: i32,
}

impl Insn {
    /// Any instruction from its fields.
    pub fn raw(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Insn {
        let regs = if cfg!(target_endian = "little") {
            (src & 0xf) << 4 | (dst & 0xf)
        } else {
            (dst & 0xf) << 4 | (src & 0xf)
        };
        Insn { code, regs, off, imm }
    }

    /// Number of the destination register.
    pub fn dst(self) -> u8 {
        if cfg!(target_endian = "little") { self.regs & 0xf } else { self.regs >> 4 }
    }

    /// Number of the source register, or the pseudo kind of a load or call.
    pub fn src(self) -> u8 {
        if cfg!(target_endian = "little") { self.regs >> 4 } else { self.regs & 0xf }
    }

    /// The instruction class, the three low bits of `code`.
    pub fn class(self) -> u8 {
        self.code & 7
    }

    /// The first half of a sixteen byte constant load?
    pub fn is_wide(self) -> bool {
        self.code == LD_IMM64
    }

    /// `dst op= operand`, 64 bits.
    pub fn alu64(op: Alu, dst: Reg, operand: impl Into<Operand>) -> Insn {
        Insn::arithmetic(CLASS_ALU64, op, dst, operand.into())
    }

    /// `dst op= operand`, 32 bits; the upper half of `dst` becomes zero.
    pub fn alu32(op: Alu, dst: Reg, operand: impl Into<Operand>) -> Insn {
        Insn::arithmetic(CLASS_ALU32, op, dst, operand.into())
    }

    fn arithmetic(class: u8, op: Alu, dst: Reg, operand: Operand) -> Insn {
        let (code, off) = op.code();
        match operand {
            Operand::Reg(src) => Insn::raw(class | SRC_REG | code, dst as u8, src as u8, off, 0),
            Operand::Imm(imm) => Insn::raw(class | code, dst as u8, 0, off, imm),
        }
    }

    /// `dst = operand`, 64 bits (a constant is sign-extended).
    pub fn mov(dst: Reg, operand: impl Into<Operand>) -> Insn {
        Insn::alu64(Alu::Mov, dst, operand)
    }

    /// `dst = (u32)operand`.
    pub fn mov32(dst: Reg, operand: impl Into<Operand>) -> Insn {
        Insn::alu32(Alu::Mov, dst, operand)
    }

    /// `dst = -dst`, 64 bits.
    pub fn neg64(dst: Reg) -> Insn {
        Insn::raw(CLASS_ALU64 | 0x80, dst as u8, 0, 0, 0)
    }

    /// `dst = -dst`, 32 bits.
    pub fn neg32(dst: Reg) -> Insn {
        Insn::raw(CLASS_ALU32 | 0x80, dst as u8, 0, 0, 0)
    }

    /// `dst = src` sign-extended from its low B, H or W to 64 bits (kernel 6.6; `DW` is a plain move).
    pub fn movsx(size: Size, dst: Reg, src: Reg) -> Insn {
        let off = if size == Size::DW { 0 } else { (size.bytes() * 8) as i16 };
        Insn::raw(CLASS_ALU64 | SRC_REG | 0xb0, dst as u8, src as u8, off, 0)
    }

    /// `dst` converted between the machine's byte order and big endian, truncated to 16, 32 or 64 bits.
    pub fn to_be(dst: Reg, bits: i32) -> Insn {
        Insn::raw(CLASS_ALU32 | SRC_REG | 0xd0, dst as u8, 0, 0, bits)
    }

    /// `dst` converted between the machine's byte order and little endian, truncated to 16, 32 or 64 bits.
    pub fn to_le(dst: Reg, bits: i32) -> Insn {
        Insn::raw(CLASS_ALU32 | 0xd0, dst as u8, 0, 0, bits)
    }

    /// `dst` with its low 16, 32 or 64 bits' bytes reversed (kernel 6.6).
    pub fn bswap(dst: Reg, bits: i32) -> Insn {
        Insn::raw(CLASS_ALU64 | 0xd0, dst as u8, 0, 0, bits)
    }

    /// `dst = *(uSIZE *)(src + off)`, zero-extended.
    pub fn ldx(size: Size, dst: Reg, src: Reg, off: i16) -> Insn {
        Insn::raw(CLASS_LDX | MODE_MEM | size.code(), dst as u8, src as u8, off, 0)
    }

    /// `dst = *(sSIZE *)(src + off)`, sign-extended (kernel 6.6; B, H, W).
    pub fn ldsx(size: Size, dst: Reg, src: Reg, off: i16) -> Insn {
        let mode = if size == Size::DW { MODE_MEM } else { MODE_MEMSX };
        Insn::raw(CLASS_LDX | mode | size.code(), dst as u8, src as u8, off, 0)
    }

    /// `*(uSIZE *)(dst + off) = src`.
    pub fn stx(size: Size, dst: Reg, off: i16, src: Reg) -> Insn {
        Insn::raw(CLASS_STX | MODE_MEM | size.code(), dst as u8, src as u8, off, 0)
    }

    /// `*(uSIZE *)(dst + off) = imm`.
    pub fn st(size: Size, dst: Reg, off: i16, imm: i32) -> Insn {
        Insn::raw(CLASS_ST | MODE_MEM | size.code(), dst as u8, 0, off, imm)
    }

    /// An atomic operation on `*(size *)(dst + off)`; the kernel takes `W` and `DW`.
    pub fn atomic(op: Atomic, size: Size, dst: Reg, off: i16, src: Reg) -> Insn {
        Insn::raw(CLASS_STX | MODE_ATOMIC | size.code(), dst as u8, src as u8, off, op.imm())
    }

    /// `dst = value`, any 64 bits.
    pub fn ld_imm64(dst: Reg, value: u64) -> [Insn; 2] {
        Insn::wide(dst, 0, value as u32 as i32, (value >> 32) as u32 as i32)
    }

    /// `dst =` the map of a file descriptor.
    pub fn ld_map_fd(dst: Reg, fd: i32) -> [Insn; 2] {
        Insn::wide(dst, PSEUDO_MAP_FD, fd, 0)
    }

    /// `dst =` address of byte `off` of the value of an array map with one entry.
    pub fn ld_map_value(dst: Reg, fd: i32, off: i32) -> [Insn; 2] {
        Insn::wide(dst, PSEUDO_MAP_VALUE, fd, off)
    }

    /// `dst =` address of the function `delta` slots after this pair's second half (for `bpf_loop` callbacks).
    pub fn ld_func(dst: Reg, delta: i32) -> [Insn; 2] {
        Insn::wide(dst, PSEUDO_FUNC, delta, 0)
    }

    /// `dst =` address of a kernel variable, by its vmlinux BTF id.
    pub fn ld_btf_var(dst: Reg, btf_id: i32) -> [Insn; 2] {
        Insn::wide(dst, PSEUDO_BTF_ID, btf_id, 0)
    }

    fn wide(dst: Reg, pseudo: u8, low: i32, high: i32) -> [Insn; 2] {
        [Insn::raw(LD_IMM64, dst as u8, pseudo, 0, low), Insn::raw(0, 0, 0, 0, high)]
    }

    /// `if dst cond operand goto next + off`, comparing 64 bits.
    pub fn jmp(cond: Cond, dst: Reg, operand: impl Into<Operand>, off: i16) -> Insn {
        Insn::branch(CLASS_JMP, cond, dst, operand.into(), off)
    }

    /// `if (u32)dst cond (u32)operand goto next + off`.
    pub fn jmp32(cond: Cond, dst: Reg, operand: impl Into<Operand>, off: i16) -> Insn {
        Insn::branch(CLASS_JMP32, cond, dst, operand.into(), off)
    }

    fn branch(class: u8, cond: Cond, dst: Reg, operand: Operand, off: i16) -> Insn {
        match operand {
            Operand::Reg(src) => Insn::raw(class | SRC_REG | cond.code(), dst as u8, src as u8, off, 0),
            Operand::Imm(imm) => Insn::raw(class | cond.code(), dst as u8, 0, off, imm),
        }
    }

    /// `goto next + off`.
    pub fn ja(off: i16) -> Insn {
        Insn::raw(JA, 0, 0, off, 0)
    }

    /// `gotol next + off` (kernel 6.6).
    pub fn ja32(off: i32) -> Insn {
        Insn::raw(JA32, 0, 0, 0, off)
    }

    /// Calls a kernel helper.
    pub fn call(helper: Helper) -> Insn {
        Insn::raw(CALL, 0, 0, 0, helper as i32)
    }

    /// Calls the function that starts `delta` instructions after the next one.
    pub fn call_local(delta: i32) -> Insn {
        Insn::raw(CALL, 0, PSEUDO_CALL, 0, delta)
    }

    /// Calls a kfunc of vmlinux by its BTF id.
    pub fn call_kfunc(btf_id: i32) -> Insn {
        Insn::raw(CALL, 0, PSEUDO_KFUNC_CALL, 0, btf_id)
    }

    /// Returns `R0`.
    pub fn exit() -> Insn {
        Insn::raw(EXIT, 0, 0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_of_the_rfc() {
        let bytes = |insn: Insn| (insn.code, insn.dst(), insn.src(), insn.off, insn.imm);
        assert_eq!(bytes(Insn::mov(Reg::R1, Reg::R10)), (0xbf, 1, 10, 0, 0));
        assert_eq!(bytes(Insn::mov(Reg::R0, 7)), (0xb7, 0, 0, 0, 7));
        assert_eq!(bytes(Insn::alu64(Alu::SDiv, Reg::R1, Reg::R2)), (0x3f, 1, 2, 1, 0));
        assert_eq!(bytes(Insn::ldx(Size::DW, Reg::R1, Reg::R2, -8)), (0x79, 1, 2, -8, 0));
        assert_eq!(bytes(Insn::ldsx(Size::B, Reg::R1, Reg::R2, 1)), (0x91, 1, 2, 1, 0));
        assert_eq!(bytes(Insn::stx(Size::W, Reg::R10, -4, Reg::R3)), (0x63, 10, 3, -4, 0));
        assert_eq!(bytes(Insn::st(Size::B, Reg::R10, -4, 9)), (0x72, 10, 0, -4, 9));
        assert_eq!(bytes(Insn::atomic(Atomic::FetchAdd, Size::DW, Reg::R1, 0, Reg::R2)), (0xdb, 1, 2, 0, 1));
        assert_eq!(bytes(Insn::jmp(Cond::SLt, Reg::R1, 0, 5)), (0xc5, 1, 0, 5, 0));
        assert_eq!(bytes(Insn::jmp32(Cond::Ne, Reg::R1, Reg::R2, -1)), (0x5e, 1, 2, -1, 0));
        assert_eq!(bytes(Insn::call(Helper::KtimeGetNs)), (0x85, 0, 0, 0, 5));
        assert_eq!(bytes(Insn::exit()), (0x95, 0, 0, 0, 0));
        let wide = Insn::ld_imm64(Reg::R2, 0x1122_3344_8899_aabb);
        assert_eq!(bytes(wide[0]), (0x18, 2, 0, 0, 0x8899_aabb_u32 as i32));
        assert_eq!(wide[1].imm, 0x1122_3344);
    }

    #[test]
    fn an_instruction_is_eight_bytes() {
        assert_eq!(size_of::<Insn>(), 8);
    }
}
