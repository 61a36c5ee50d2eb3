//! The command line.

use circus::config::settings::LogLevel;
use lexopt::prelude::*;
use std::ffi::OsString;

pub const HELP: &str = "\
circusd: init and process supervisor for containers

  circusd [OPTIONS] [CONFIG]             run the watchers in CONFIG
  circusd [OPTIONS] [CONFIG] -- CMD ARG… the same, and CMD as the main command
  circusd -- CMD ARG…                    run CMD only: forward signals, reap, exit with its code
  circusd --check [CONFIG]               say what would run, or every mistake; starts nothing

CONFIG, if neither it nor CMD is given: /etc/circus/circus.ini, then ./circus.ini.

Options:
  --log-level LEVEL    debug, info (default), warning, error or critical;
                       warning if there is no CONFIG
  --log-output OUTPUT  stdout (default), stderr (default if there is no CONFIG), a file,
                       syslog://ADDRESS[:PORT][?FACILITY] or syslog:///PATH[?FACILITY]
  --pidfile FILE       write the process id there
  --daemon             go into the background; needs --log-output or logoutput
  --check              check the configuration and print what would run
  --version            print the version
  --help               print this

Exit codes: that of CMD or of an essential watcher that ended (128 + number if a signal killed
it), 0 if stopped on request, 2 if the command line or the configuration is wrong, 70 if circusd
itself failed.

Signals: TERM, INT and QUIT stop everything in order, a second one at once; HUP reloads the
watchers; others are passed on to CMD and to watchers that ask for them.
";

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Args {
    pub config: Option<OsString>,
    pub command: Vec<OsString>,
    pub log_level: Option<LogLevel>,
    pub log_output: Option<String>,
    pub pidfile: Option<String>,
    pub daemon: bool,
    pub check: bool,
    pub wants: Option<Wants>,
}

/// Something to print in place of running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    Help,
    Version,
}

/// Understand the words after the program's name. The error is a sentence.
pub fn parse(words: impl Iterator<Item = OsString>) -> Result<Args, String> {
    let mut ours: Vec<OsString> = words.collect();
    let mut args = Args::default();
    let separator = ours.iter().position(|word| word == "--");
    if let Some(at) = separator {
        args.command = ours.split_off(at + 1);
        ours.pop();
        if args.command.is_empty() {
            return Err("after -- a command is expected".to_string());
        }
    }
    let mut parser = lexopt::Parser::from_args(ours);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Long("help") | Short('h') => args.wants = Some(Wants::Help),
            Long("version") => args.wants = Some(Wants::Version),
            Long("check") => args.check = true,
            Long("daemon") => args.daemon = true,
            Long("log-level") => {
                let word = text(parser.value())?;
                args.log_level = Some(level(&word).ok_or_else(|| {
                    format!("--log-level {word}: use debug, info, warning, error or critical")
                })?);
            }
            Long("log-output") => args.log_output = Some(text(parser.value())?),
            Long("pidfile") => args.pidfile = Some(text(parser.value())?),
            Long("logger-config") => {
                return Err("--logger-config is for Python's logging: use --log-level, \
                            --log-output and log_format"
                    .to_string());
            }
            Value(word) if args.config.is_none() => args.config = Some(word),
            Value(word) => {
                return Err(format!(
                    "unexpected word {word:?}: there is one CONFIG, and a command stands after --"
                ));
            }
            Short(_) | Long(_) => return Err(arg.unexpected().to_string()),
        }
    }
    Ok(args)
}

fn text(value: Result<OsString, lexopt::Error>) -> Result<String, String> {
    let value = value.map_err(|error| error.to_string())?;
    value.into_string().map_err(|word| format!("{word:?} is not UTF-8"))
}

fn level(word: &str) -> Option<LogLevel> {
    match word.to_ascii_lowercase().as_str() {
        "debug" => Some(LogLevel::Debug),
        "info" => Some(LogLevel::Info),
        "warning" | "warn" => Some(LogLevel::Warning),
        "error" => Some(LogLevel::Error),
        "critical" => Some(LogLevel::Critical),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_after_the_separator_belong_to_the_command() {
        let args = words("--log-level ERROR a.ini -- ls --help -- x").expect("valid");
        assert_eq!(args.config.as_deref(), Some("a.ini".as_ref()));
        assert_eq!(args.command, ["ls", "--help", "--", "x"]);
        assert_eq!(args.log_level, Some(LogLevel::Error));
        assert_eq!(args.wants, None);
    }

    #[test]
    fn a_command_without_separator_is_explained() {
        let error = words("bash -c true").expect_err("unknown option");
        assert!(error.contains("-c"), "{error}");
        let error = words("sleep 10").expect_err("two words");
        assert!(error.contains("after --"), "{error}");
        assert!(words("--").is_err());
    }
}
