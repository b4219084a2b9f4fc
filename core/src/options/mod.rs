//! `-x` options: one row each (name, type, default, doc), one set of values.

/// The values of all options of a run.
#[derive(Clone, Debug, Default)]
pub struct Options {}
