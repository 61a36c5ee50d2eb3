//! PID 1 of a container: runs the watchers of a configuration, or one command, and stops them.
//!
//! `circusd` decides nothing that has to do with processes: the core in `circus::supervisor` does.

#![cfg_attr(not(test), no_main)]
#![allow(clippy::disallowed_methods)]

mod args;
mod boot;
mod check;
mod control;
mod endpoints;
mod errands;
mod figures;
mod files;
mod gateway;
mod held;
mod hook;
mod journal;
mod keys;
mod last_words;
mod launcher;
mod log_writer;
mod names;
mod notifications;
mod opening;
mod pidfile;
mod probe;
mod seats;
mod shell;
mod sink;
mod sockets;
mod streams;
mod terminal;
mod termination;

use args::Wants;
use boot::Boot;
use circus::sys::{identity, signals};
use std::io::Write;

/// Wrong usage or configuration: nothing was started.
const EXIT_USAGE: u8 = 2;

/// The C library's entry in place of the Rust runtime's, which would take a twentieth of the time to
/// the first process for what PID 1 does not use: a handler for stack overflow, among others.
#[allow(unsafe_code)]
#[cfg_attr(not(test), unsafe(export_name = "main"))]
pub extern "C" fn start(_count: i32, _words: *const *const u8) -> i32 {
    // First of all: a signal that comes before this is lost (PID 1) or ends us.
    signals::block_all();
    last_words::prepare();
    match run() {
        Ok(()) => 0,
        Err(message) => {
            // Nobody may be there to read it: that changes nothing.
            let _ = writeln!(std::io::stderr(), "circusd: {message}");
            i32::from(EXIT_USAGE)
        }
    }
}

fn run() -> Result<(), String> {
    let words: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    if let Some(outcome) = probe::asked(&words) {
        return finish_probe(outcome);
    }
    if let Some(failure) = log_writer::asked(&words) {
        return Err(failure);
    }
    let args = args::parse(words.into_iter())?;
    match args.wants {
        Some(Wants::Help) => {
            return print(args::HELP);
        }
        Some(Wants::Version) => {
            return print(concat!("circusd ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        None => {}
    }
    if args.check {
        return print(&check::check(&args)?);
    }
    let boot = Boot::new(&args)?;
    if args.daemon {
        if identity::pid().number() == 1 {
            return Err("--daemon makes no sense for PID 1: the container would end".to_string());
        }
        boot.check_log()?;
        identity::daemonize().map_err(|error| format!("cannot become a daemon: {error}"))?;
    }
    let (mut shell, surprises, opening) = boot.shell()?;
    let code =
        shell.run(&surprises, |journal| opening.and_then(|opening| opening.open_at_last(journal)));
    // The kernel frees the rest faster than we could.
    identity::exit_now(code)
}

/// One line and a code, for whoever has sent it.
fn finish_probe(outcome: Result<(), String>) -> Result<(), String> {
    if let Err(reason) = outcome {
        let _ = writeln!(std::io::stdout(), "{reason}");
        identity::exit_now(1);
    }
    Ok(())
}

fn print(text: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout();
    let result = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    result.map_err(|error| format!("cannot write to standard output: {error}"))
}
