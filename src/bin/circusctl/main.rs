//! Everything that speaks ZeroMQ: the command line client, and the gateway that circusd starts.
//!
//! The role is the first word, or the name that the file is called by; else it is the client.

#![allow(clippy::disallowed_methods)]

mod client;
mod gateway;
mod zeromq;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let called = words.first().and_then(|path| Path::new(path).file_name());
    if called.is_some_and(|name| name == "circus-gateway") {
        return gateway::run(words.split_off(1));
    }
    if words.get(1).is_some_and(|word| word == "gateway") {
        return gateway::run(words.split_off(2));
    }
    client::run(words.split_off(words.len().min(1)))
}
