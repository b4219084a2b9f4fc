//! x
use super::Test;
/// x
pub const TESTS: &[(&str, Test)] = &[];
