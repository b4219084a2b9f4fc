//! Structure layout as the System V ABI does it for C, bit-fields included.

use super::{Member, Type, TypeId, Types};

/// A member as declared: the layout is computed from these.
#[derive(Clone, Debug)]
pub struct MemberSpec {
    pub name: String,
    pub ty: TypeId,
    /// Width of a bit-field.
    pub bits: Option<u8>,
}

impl MemberSpec {
    /// An ordinary member.
    pub fn plain(name: &str, ty: TypeId) -> MemberSpec {
        MemberSpec { name: name.to_string(), ty, bits: None }
    }
}

/// Why a structure cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The composite is complete already.
    Complete,
    /// The member of this name is of incomplete type.
    Incomplete(String),
    /// The name stands twice.
    Duplicate(String),
    /// Larger than 4 GB.
    TooBig,
}

impl Types {
    /// Completes a struct or union whose layout is known already, as the kernel's types have it. Does nothing to
    /// one that is complete.
    pub fn import_composite(&mut self, id: TypeId, members: Vec<Member>, size: u32, align: u32) {
        if let Type::Composite(composite) = &mut self.types[id.0 as usize]
            && composite.members.is_none()
        {
            *composite = super::Composite {
                members: Some(members),
                size,
                align,
                ..std::mem::replace(
                    composite,
                    super::Composite { union: false, tag: String::new(), members: None, size: 0, align: 1 },
                )
            };
        }
    }

    /// Completes an enum with what is known of it. Its names are for printing values: as in dtrace they are no
    /// identifiers (the kernel's thousands would take names away from scripts).
    pub fn import_enum(&mut self, id: TypeId, names: Vec<(String, i64)>, bytes: u8, signed: bool) {
        if let Type::Enum(e) = &mut self.types[id.0 as usize]
            && e.names.is_none()
        {
            (e.names, e.bytes, e.signed) = (Some(names), bytes, signed);
        }
    }

    /// Completes a struct or union with its members.
    pub fn complete(&mut self, id: TypeId, specs: Vec<MemberSpec>) -> Result<(), LayoutError> {
        let Type::Composite(composite) = self.get(id) else { return Ok(()) };
        if composite.members.is_some() {
            return Err(LayoutError::Complete);
        }
        let union = composite.union;
        let mut members: Vec<Member> = Vec::with_capacity(specs.len());
        let mut names = std::collections::HashSet::new();
        let (mut bit, mut size, mut align) = (0u64, 0u64, 1u32);
        for spec in specs {
            if !spec.name.is_empty() && !names.insert(spec.name.clone()) {
                return Err(LayoutError::Duplicate(spec.name));
            }
            let flexible = matches!(self.element(spec.ty), Some((_, 0)));
            let bytes = match self.size(spec.ty) {
                Some(bytes) => bytes,
                None if flexible => 0,
                None => return Err(LayoutError::Incomplete(spec.name)),
            };
            let own = self.align(spec.ty).max(1);
            if union {
                bit = 0;
            }
            match spec.bits {
                Some(0) => {
                    // An unnamed zero-width bit-field closes the unit.
                    bit = bit.next_multiple_of(bytes * 8);
                    continue;
                }
                Some(width) => {
                    let unit = bytes * 8;
                    if bit / unit != (bit + width as u64 - 1) / unit {
                        bit = bit.next_multiple_of(unit);
                    }
                    let offset = bit / unit * bytes;
                    members.push(Member {
                        name: spec.name.clone(),
                        ty: spec.ty,
                        offset: offset as u32,
                        bits: Some(((bit - offset * 8) as u8, width)),
                    });
                    bit += width as u64;
                }
                None => {
                    let offset = bit.div_ceil(8).next_multiple_of(own as u64);
                    if offset + bytes > u32::MAX as u64 {
                        return Err(LayoutError::TooBig);
                    }
                    members.push(Member { name: spec.name, ty: spec.ty, offset: offset as u32, bits: None });
                    bit = (offset + bytes) * 8;
                }
            }
            if spec.bits.is_none() || !members.last().is_some_and(|m| m.name.is_empty()) {
                align = align.max(own);
            }
            size = size.max(bit.div_ceil(8));
        }
        let size = size.next_multiple_of(align as u64);
        if size > u32::MAX as u64 {
            return Err(LayoutError::TooBig);
        }
        if let Type::Composite(composite) = &mut self.types[id.0 as usize] {
            composite.members = Some(members);
            composite.size = size as u32;
            composite.align = align;
        }
        Ok(())
    }

    /// Completes a struct or union whose layout is known (from BTF).
    pub fn complete_as(&mut self, id: TypeId, members: Vec<Member>, size: u32, align: u32) {
        if let Type::Composite(composite) = &mut self.types[id.0 as usize] {
            composite.members = Some(members);
            composite.size = size;
            composite.align = align;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TagKind;

    #[test]
    fn bit_fields_share_their_unit() {
        let mut t = Types::new(256);
        let (int, uint) = (t.basic().int, t.basic().unsigned_int);
        let id = t.tag(TagKind::Struct, "bf");
        let bit = |name: &str, ty, bits| MemberSpec { name: name.into(), ty, bits: Some(bits) };
        t.complete(id, vec![bit("a", int, 3), bit("b", uint, 5), bit("c", uint, 8), bit("d", uint, 20)])
            .unwrap();
        assert_eq!(t.size(id), Some(8));
        assert_eq!(t.member(id, "c").unwrap().bits, Some((8, 8)));
        assert_eq!((t.member(id, "d").unwrap().offset, t.member(id, "d").unwrap().bits), (4, Some((0, 20))));
    }

    #[test]
    fn members_are_aligned() {
        let mut t = Types::new(256);
        let (char, long) = (t.basic().char, t.basic().long);
        let id = t.tag(TagKind::Struct, "s");
        t.complete(id, vec![MemberSpec::plain("c", char), MemberSpec::plain("l", long)]).unwrap();
        assert_eq!((t.member(id, "l").unwrap().offset, t.size(id)), (8, Some(16)));
    }
}
