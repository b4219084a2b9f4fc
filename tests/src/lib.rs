//! End-to-end tests of duotrace.
