//! Arithmetic on canonical 64-bit values.

use duotrace_core::ir::{BinaryOp, Ty, UnaryOp};

/// Is a type signed? Pointers and all else that is no integer count as unsigned.
pub(super) fn signed(ty: Ty) -> bool {
    matches!(ty, Ty::Int { signed: true, .. })
}

/// The low `bits` of a value, extended.
pub(super) fn extend(value: u64, bits: u32, signed: bool) -> u64 {
    match bits {
        0 | 64.. => value,
        bits if signed => ((value << (64 - bits)) as i64 >> (64 - bits)) as u64,
        bits => value << (64 - bits) >> (64 - bits),
    }
}

/// A value in the canonical form of a type: truncated, then extended.
pub(super) fn canonical(value: u64, ty: Ty) -> u64 {
    match ty {
        Ty::Int { bytes, signed } => extend(value, u32::from(bytes) * 8, signed),
        _ => value,
    }
}

/// `op value`.
pub(super) fn unary(op: UnaryOp, value: u64, ty: Ty) -> u64 {
    match op {
        UnaryOp::Neg => canonical(value.wrapping_neg(), ty),
        UnaryOp::BitNot => canonical(!value, ty),
        UnaryOp::LogNot => u64::from(value == 0),
    }
}

/// `left op right` in type `ty`, of operands in its canonical form; `None` for a division by zero.
pub(super) fn binary(op: BinaryOp, left: u64, right: u64, ty: Ty) -> Option<u64> {
    let (a, b) = (left as i64, right as i64);
    let signed = signed(ty);
    let value = match op {
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Sub => left.wrapping_sub(right),
        BinaryOp::Mul => left.wrapping_mul(right),
        BinaryOp::And => left & right,
        BinaryOp::Or => left | right,
        BinaryOp::Xor => left ^ right,
        BinaryOp::Shl => left << (right & 63),
        BinaryOp::Shr if signed => (a >> (right & 63)) as u64,
        BinaryOp::Shr => left >> (right & 63),
        BinaryOp::Div | BinaryOp::Mod if right == 0 => return None,
        BinaryOp::Div if signed => a.wrapping_div(b) as u64,
        BinaryOp::Div => left / right,
        BinaryOp::Mod if signed => a.wrapping_rem(b) as u64,
        BinaryOp::Mod => left % right,
        compare => return Some(u64::from(holds(compare, left, right, signed))),
    };
    Some(canonical(value, ty))
}

/// Does a comparison hold?
pub(super) fn holds(op: BinaryOp, left: u64, right: u64, signed: bool) -> bool {
    let order = if signed { (left as i64).cmp(&(right as i64)) } else { left.cmp(&right) };
    compares(op, order)
}

/// Does a comparison hold of two things in this order?
pub(super) fn compares(op: BinaryOp, order: std::cmp::Ordering) -> bool {
    match op {
        BinaryOp::Eq => order.is_eq(),
        BinaryOp::Ne => order.is_ne(),
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::Le => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        BinaryOp::Ge => order.is_ge(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_and_signs() {
        assert_eq!(canonical(0xff, Ty::Int { bytes: 1, signed: true }), u64::MAX);
        assert_eq!(canonical(u64::MAX, Ty::Int { bytes: 2, signed: false }), 0xffff);
        let i32_max = i32::MAX as u64;
        assert_eq!(binary(BinaryOp::Add, i32_max, 1, Ty::I32), Some(i32::MIN as i64 as u64));
        assert_eq!(binary(BinaryOp::Div, i64::MIN as u64, u64::MAX, Ty::I64), Some(i64::MIN as u64));
        assert_eq!(binary(BinaryOp::Mod, i64::MIN as u64, u64::MAX, Ty::I64), Some(0));
        assert_eq!(binary(BinaryOp::Div, 1, 0, Ty::I64), None);
        assert_eq!(binary(BinaryOp::Shl, 1, 64, Ty::U64), Some(1));
        assert_eq!(binary(BinaryOp::Lt, u64::MAX, 0, Ty::U64), Some(0));
        assert_eq!(binary(BinaryOp::Lt, u64::MAX, 0, Ty::I64), Some(1));
    }
}
