//! The types that D has without any header: C's basic types under LP64 and the
//! typedefs of illumos' `<sys/types.h>` and of the D compiler itself.

use super::{IntType, Type, TypeId, Types};

/// Ids of the types that the checker names itself.
#[derive(Clone, Debug)]
pub struct Basic {
    pub void: TypeId,
    pub char: TypeId,
    pub signed_char: TypeId,
    pub unsigned_char: TypeId,
    pub short: TypeId,
    pub unsigned_short: TypeId,
    pub int: TypeId,
    pub unsigned_int: TypeId,
    pub long: TypeId,
    pub unsigned_long: TypeId,
    pub long_long: TypeId,
    pub unsigned_long_long: TypeId,
    pub float: TypeId,
    pub double: TypeId,
    pub long_double: TypeId,
    pub bool: TypeId,
    pub string: TypeId,
    pub dynamic: TypeId,
    pub stack: TypeId,
    pub symaddr: TypeId,
    pub usymaddr: TypeId,
    /// `int64_t` and `uint64_t`.
    pub int64: TypeId,
    pub uint64: TypeId,
    pub void_pointer: TypeId,
    pub char_pointer: TypeId,
}

impl Default for Basic {
    /// All void: `seed` fills them before anyone looks.
    fn default() -> Basic {
        let v = TypeId(0);
        Basic {
            void: v,
            char: v,
            signed_char: v,
            unsigned_char: v,
            short: v,
            unsigned_short: v,
            int: v,
            unsigned_int: v,
            long: v,
            unsigned_long: v,
            long_long: v,
            unsigned_long_long: v,
            float: v,
            double: v,
            long_double: v,
            bool: v,
            string: v,
            dynamic: v,
            stack: v,
            symaddr: v,
            usymaddr: v,
            int64: v,
            uint64: v,
            void_pointer: v,
            char_pointer: v,
        }
    }
}

/// Picks one of the basic types.
type Chosen = fn(&Basic) -> TypeId;

/// Typedefs: name and the basic type it stands for.
const TYPEDEFS: &[(&str, Chosen)] = &[
    ("int8_t", |b| b.signed_char),
    ("int16_t", |b| b.short),
    ("int32_t", |b| b.int),
    ("int64_t", |b| b.long),
    ("intptr_t", |b| b.long),
    ("uint8_t", |b| b.unsigned_char),
    ("uint16_t", |b| b.unsigned_short),
    ("uint32_t", |b| b.unsigned_int),
    ("uint64_t", |b| b.unsigned_long),
    ("uintptr_t", |b| b.unsigned_long),
    ("uchar_t", |b| b.unsigned_char),
    ("ushort_t", |b| b.unsigned_short),
    ("uint_t", |b| b.unsigned_int),
    ("ulong_t", |b| b.unsigned_long),
    ("longlong_t", |b| b.long_long),
    ("u_longlong_t", |b| b.unsigned_long_long),
    ("u_char", |b| b.unsigned_char),
    ("u_short", |b| b.unsigned_short),
    ("u_int", |b| b.unsigned_int),
    ("u_long", |b| b.unsigned_long),
    ("size_t", |b| b.unsigned_long),
    ("ssize_t", |b| b.long),
    ("off_t", |b| b.long),
    ("offset_t", |b| b.long_long),
    ("loff_t", |b| b.long_long),
    ("ptrdiff_t", |b| b.long),
    ("time_t", |b| b.long),
    ("hrtime_t", |b| b.long_long),
    ("clock_t", |b| b.long),
    ("pid_t", |b| b.int),
    ("id_t", |b| b.int),
    ("uid_t", |b| b.unsigned_int),
    ("gid_t", |b| b.unsigned_int),
    ("zoneid_t", |b| b.int),
    ("taskid_t", |b| b.int),
    ("projid_t", |b| b.int),
    ("poolid_t", |b| b.int),
    ("ctid_t", |b| b.int),
    ("processorid_t", |b| b.int),
    ("psetid_t", |b| b.int),
    ("chipid_t", |b| b.int),
    ("lgrp_id_t", |b| b.int),
    ("dev_t", |b| b.unsigned_long),
    ("ino_t", |b| b.unsigned_long),
    ("mode_t", |b| b.unsigned_int),
    ("nlink_t", |b| b.unsigned_int),
    ("blkcnt_t", |b| b.long),
    ("major_t", |b| b.unsigned_int),
    ("minor_t", |b| b.unsigned_int),
    ("diskaddr_t", |b| b.unsigned_long_long),
    ("daddr_t", |b| b.long),
    ("caddr_t", |b| b.char_pointer),
    ("ipaddr_t", |b| b.unsigned_int),
    ("in_port_t", |b| b.unsigned_short),
    ("port_id_t", |b| b.int),
    ("boolean_t", |b| b.int),
    ("wchar_t", |b| b.int),
    ("bool", |b| b.bool),
    ("_Bool", |b| b.bool),
    ("string", |b| b.string),
    // Linux's own names for the same.
    ("__u8", |b| b.unsigned_char),
    ("__u16", |b| b.unsigned_short),
    ("__u32", |b| b.unsigned_int),
    ("__u64", |b| b.unsigned_long_long),
    ("__s32", |b| b.int),
    ("__s64", |b| b.long_long),
];

/// Fills a fresh table.
pub(super) fn seed(types: &mut Types) {
    let mut int =
        |name, bytes, signed, character| types.add(Type::Int(IntType { name, bytes, signed, character }));
    let char = int("char", 1, true, true);
    let signed_char = int("signed char", 1, true, true);
    let unsigned_char = int("unsigned char", 1, false, true);
    let short = int("short", 2, true, false);
    let unsigned_short = int("unsigned short", 2, false, false);
    let plain = int("int", 4, true, false);
    let unsigned_int = int("unsigned int", 4, false, false);
    let long = int("long", 8, true, false);
    let unsigned_long = int("unsigned long", 8, false, false);
    let long_long = int("long long", 8, true, false);
    let unsigned_long_long = int("unsigned long long", 8, false, false);
    let bool = int("_Bool", 1, false, false);
    let void = types.add(Type::Void);
    let basic = Basic {
        void,
        char,
        signed_char,
        unsigned_char,
        short,
        unsigned_short,
        int: plain,
        unsigned_int,
        long,
        unsigned_long,
        long_long,
        unsigned_long_long,
        float: types.add(Type::Float { name: "float", bytes: 4 }),
        double: types.add(Type::Float { name: "double", bytes: 8 }),
        long_double: types.add(Type::Float { name: "long double", bytes: 16 }),
        bool,
        string: types.add(Type::String),
        dynamic: types.add(Type::Dyn),
        stack: types.add(Type::Stack),
        symaddr: types.add(Type::Symaddr),
        usymaddr: types.add(Type::Usymaddr),
        int64: long,
        uint64: unsigned_long,
        void_pointer: types.pointer(void),
        char_pointer: types.pointer(char),
    };
    types.basic = basic.clone();
    for (name, pick) in TYPEDEFS {
        // A table without duplicates: nothing to report.
        let id = pick(&basic);
        let id =
            if *name == "string" { id } else { types.add(Type::Typedef { name: name.to_string(), to: id }) };
        types.typedefs.insert(name.to_string(), id);
    }
    types.basic.int64 = types.typedefs["int64_t"];
    types.basic.uint64 = types.typedefs["uint64_t"];
}
