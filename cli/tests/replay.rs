//! The scripts of `tests/replay` over their events, as `duotrace test` runs them anywhere.

use std::path::Path;
use std::process::Command;

#[test]
fn cases_pass_without_privileges() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/replay");
    let output = Command::new(env!("CARGO_BIN_EXE_duotrace")).arg("test").arg(cases).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
