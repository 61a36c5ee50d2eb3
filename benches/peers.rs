//! circusd beside the inits and supervisors that Debian and PyPI package, each as PID 1 of a pid
//! namespace of its own: how fast, how lean. Prints a table in Markdown.
//!
//! `cargo bench -- --help` tells the options; `docs/performance.md` shows a result.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod board;
mod clients;
mod container;
mod contestants;
mod control;
mod echo;
mod laboratory;
mod metrics;
mod processes;
mod table;

use contestants::Contestant;
use laboratory::Laboratory;
use metrics::{METRICS, Metric};
use std::ffi::OsString;
use std::process::ExitCode;

const HELP: &str = "\
cargo bench [-- OPTIONS]

  --quick             few rounds: shows that it works, measures nothing
  --only A,B…         these metrics: start, start-100, start-1000, respawn, orphans, stop, stop-100,
                      idle, memory, size, control, control-command, control-1000, control-idle
  --contestants A,B…  these contestants; floor and echo are always there
  --help              print this

PEERS_VENV=FOLDER     a Python virtual environment with PyPI's circus and supervisor

Needs cc with static libc, and root or user namespaces.
";

/// What the command line asks for.
#[derive(Debug, Default)]
struct Options {
    quick: bool,
    only: Vec<String>,
    contestants: Vec<String>,
    help: bool,
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = echo::role(&words) {
        return code;
    }
    let result = options().and_then(|options| match options.help {
        true => {
            print!("{HELP}");
            Ok(())
        }
        false => run(&options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peers: {message}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    let list = |value: Result<std::ffi::OsString, lexopt::Error>| {
        let text = value.and_then(|value| value.string()).map_err(|error| error.to_string())?;
        Ok::<_, String>(text.split(',').map(str::to_string).collect())
    };
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Long("quick") => options.quick = true,
            Long("only") => options.only = list(parser.value())?,
            Long("contestants") => options.contestants = list(parser.value())?,
            Long("help") | Short('h') => options.help = true,
            // Cargo itself says this.
            Long("bench") => {}
            _ => return Err(format!("{}\n\n{HELP}", arg.unexpected())),
        }
    }
    let known = |name: &str| METRICS.iter().chain(control::METRICS).any(|one| one.name == name);
    match options.only.iter().find(|name| !known(name)) {
        Some(name) => Err(format!("no metric {name}\n\n{HELP}")),
        None => Ok(options),
    }
}

fn run(options: &Options) -> Result<(), String> {
    let laboratory = Laboratory::open(options.quick)?;
    let (present, missing) = contestants::all(&laboratory.programs.floor);
    for line in &missing {
        eprintln!("left out: {line}");
    }
    let wanted = |contestant: &Contestant| {
        let names = &options.contestants;
        contestant.name == "floor" || names.is_empty() || names.iter().any(|n| n == contestant.name)
    };
    let present: Vec<Contestant> = present.into_iter().filter(wanted).collect();
    laboratory.try_out(&present[0])?;
    let before = table::Conditions::now();
    let operated = contestants::operated(&present)?;
    let measure = |metrics: &[Metric], contestants| {
        let wanted = |metric: &&Metric| {
            options.only.is_empty() || options.only.iter().any(|name| name == metric.name)
        };
        let mut rows = Vec::new();
        for metric in metrics.iter().filter(wanted) {
            eprintln!("{}…", metric.name);
            rows.extend((metric.measure)(&laboratory, contestants));
        }
        table::Table { contestants, rows }
    };
    let tables = [measure(METRICS, &present), measure(control::METRICS, &operated)];
    print!("{}", table::page(&present, &tables, &before, options.quick));
    Ok(())
}
