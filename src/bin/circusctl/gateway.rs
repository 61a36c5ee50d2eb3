//! The control gateway: nothing yet.

use std::ffi::OsString;
use std::process::ExitCode;

/// Serve until circusd closes its end.
pub fn run(_words: Vec<OsString>) -> ExitCode {
    ExitCode::from(2)
}
