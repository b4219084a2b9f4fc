//! Tables of what D knows by name: one row per built-in variable, subroutine,
//! aggregating function and action. The checker, the documentation and `-x help`
//! read these rows. To add one: one row here and one lowering in each executor.

pub mod constants;
pub mod functions;
pub mod variables;

pub use functions::{FUNCTIONS, Function, FunctionKind};
pub use variables::{VARIABLES, Variable};
