//! The `duotrace` command.
fn main() {}
