//! PID 1 of a container: runs the watchers of a configuration, or one command, and stops them.
//!
//! `circusd` decides nothing that has to do with processes: the core in `circus::supervisor` does.

#![allow(clippy::disallowed_methods)]

mod args;
mod boot;
mod check;
mod files;
mod journal;
mod last_words;
mod launcher;
mod names;
mod pidfile;
mod shell;
mod sink;
mod terminal;

use args::Wants;
use boot::Boot;
use circus::sys::{identity, signals};
use std::process::ExitCode;

/// Wrong usage or configuration: nothing was started.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    // First of all: a signal that comes before this is lost (PID 1) or ends us.
    signals::block_all();
    last_words::prepare();
    match run() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("circusd: {message}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let args = args::parse(std::env::args_os().skip(1))?;
    match args.wants {
        Some(Wants::Help) => {
            print!("{}", args::HELP);
            return Ok(ExitCode::SUCCESS);
        }
        Some(Wants::Version) => {
            println!("circusd {}", env!("CARGO_PKG_VERSION"));
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    if args.check {
        return check::check(&args);
    }
    let boot = Boot::new(&args)?;
    if args.daemon {
        if identity::pid().number() == 1 {
            return Err("--daemon makes no sense for PID 1: the container would end".to_string());
        }
        identity::daemonize().map_err(|error| format!("cannot become a daemon: {error}"))?;
    }
    let mut shell = boot.shell()?;
    let code = shell.run();
    Ok(ExitCode::from(code))
}
