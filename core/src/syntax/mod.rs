//! From text to tree. Never fails, never prints: a tree and diagnostics.

pub mod ast;
