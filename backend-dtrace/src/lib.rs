//! libdtrace by FFI: its own issue; the room is reserved.
