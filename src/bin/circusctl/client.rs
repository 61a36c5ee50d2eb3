//! The command line client: a place holder.

use std::ffi::OsString;
use std::process::ExitCode;

/// Do what the words (without the program's name) ask for.
pub fn run(_words: Vec<OsString>) -> ExitCode {
    let curve = zmq::has("curve") == Some(true);
    println!("libzmq {:?}, CURVE {curve}", zmq::version());
    ExitCode::SUCCESS
}
