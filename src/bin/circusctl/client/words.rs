//! A command line, understood by the table of commands. Options may stand anywhere; a beginning
//! that only one option has stands for it, as in Circus.

use super::commands::{self, COMMANDS, GLOBAL};
use super::row::{Flag, Noun, Row};
use circus::config::spelling;
use std::iter::Peekable;

/// What a command line asks for.
pub struct Line {
    pub options: Options,
    pub wants: Wants,
}

/// Of this, one.
pub enum Wants {
    /// Help on everything or on one command.
    Help(Option<&'static Row>),
    Version,
    Command(&'static Row, Words),
    /// Nothing was named: the interactive shell.
    Shell,
}

/// Options of all commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub endpoint: Option<String>,
    /// `None`: for ever.
    pub timeout_ms: Option<u64>,
    pub json: bool,
    pub prettify: bool,
    pub curve_key: Option<String>,
    pub curve_server_key: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            endpoint: None,
            timeout_ms: Some(5000),
            json: false,
            prettify: false,
            curve_key: None,
            curve_server_key: None,
        }
    }
}

/// The words and options of one command, as many as it takes.
#[derive(Debug, Default)]
pub struct Words {
    words: Vec<String>,
    options: Vec<(&'static str, Option<String>)>,
}

impl Words {
    /// All words after the command.
    pub fn all(&self) -> &[String] {
        &self.words
    }

    /// One of them.
    pub fn get(&self, number: usize) -> Option<&str> {
        self.words.get(number).map(String::as_str)
    }

    /// Whether an option is given.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == option)
    }

    /// The value of an option; the last one wins.
    pub fn value(&self, option: &str) -> Option<&str> {
        let last = self.options.iter().rev().find(|(name, _)| *name == option);
        last.and_then(|(_, value)| value.as_deref())
    }
}

/// Understand the words after the program's name. `inherited`: options that hold unless this line
/// says otherwise. The error is a sentence.
pub fn parse(line: Vec<String>, inherited: &Options) -> Result<Line, String> {
    let mut options = inherited.clone();
    let mut row: Option<&'static Row> = None;
    let mut words = Words::default();
    let (mut help, mut version, mut closed) = (false, false, false);
    let mut rest = line.into_iter().peekable();
    while let Some(word) = rest.next() {
        if !closed && word == "--" {
            closed = true;
            continue;
        }
        // What follows the command of `add` is that command's.
        let foreign = row.is_some_and(|row| {
            row.nouns.last() == Some(&Noun::CommandLine) && words.words.len() >= row.nouns.len()
        });
        if !closed && is_option(&word) {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (word.as_str(), None),
            };
            match find_option(row, name, foreign) {
                Ok((flag, own)) => {
                    let value = value_of(flag, value, &mut rest)?;
                    match (own, flag.name) {
                        (true, name) => words.options.push((name, value)),
                        (false, "help") => help = true,
                        (false, "version") => version = true,
                        (false, name) => set(&mut options, name, value)?,
                    }
                    continue;
                }
                Err(_) if foreign => {}
                Err(problem) => return Err(problem),
            }
        }
        match row {
            None => row = Some(command(&word)?),
            Some(_) => words.words.push(word),
        }
    }
    let wants = match row {
        _ if version => Wants::Version,
        _ if help => Wants::Help(row),
        None => Wants::Shell,
        Some(row) => {
            count(row, &words.words)?;
            Wants::Command(row, words)
        }
    };
    Ok(Line { options, wants })
}

/// Not a number below zero.
fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word.parse::<f64>().is_err()
}

/// The option that is meant, and whether it is the command's own.
fn find_option(
    row: Option<&'static Row>,
    word: &str,
    exactly: bool,
) -> Result<(&'static Flag, bool), String> {
    let own = row.map_or(&[][..], |row| row.flags);
    let known = || {
        let globals = if exactly { &[] } else { GLOBAL };
        own.iter().map(|flag| (flag, true)).chain(globals.iter().map(|flag| (flag, false)))
    };
    let Some(name) = word.strip_prefix("--") else {
        let letter = word.strip_prefix('-').filter(|rest| rest.chars().count() == 1);
        let short = letter.and_then(|rest| rest.chars().next());
        let found = known().find(|(flag, _)| short.is_some() && flag.short == short);
        return found.ok_or_else(|| format!("there is no option {word}"));
    };
    if let Some(found) = known().find(|(flag, _)| flag.name == name) {
        return Ok(found);
    }
    let near: Vec<_> = known().filter(|(flag, _)| flag.name.starts_with(name)).collect();
    match near[..] {
        [found] if !exactly => Ok(found),
        [_, _, ..] => Err(format!(
            "--{name} may mean {}",
            near.iter()
                .map(|(flag, _)| format!("--{}", flag.name))
                .collect::<Vec<_>>()
                .join(" or ")
        )),
        _ if name.starts_with("ssh") => Err(format!(
            "there is no --{name}: use ssh itself, `ssh HOST circusctl …` or a tunnel to a tcp endpoint"
        )),
        _ => {
            let question = spelling::question(name, known().map(|(flag, _)| flag.name));
            let of = row.map(|row| format!(" of {}", row.name)).unwrap_or_default();
            Err(format!("there is no option --{name}{of}{question}"))
        }
    }
}

fn value_of(
    flag: &Flag,
    given: Option<String>,
    rest: &mut Peekable<impl Iterator<Item = String>>,
) -> Result<Option<String>, String> {
    match (flag.value, given) {
        (Some(value), None) if value.starts_with('[') => Ok(rest.next_if(|word| flag.takes(word))),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(format!("--{} takes no value", flag.name)),
        (Some(_), Some(value)) => Ok(Some(value)),
        (Some(value), None) => match rest.next() {
            Some(word) => Ok(Some(word)),
            None => Err(format!("--{} needs a value: {value}", flag.name)),
        },
    }
}

/// An option of all commands.
fn set(options: &mut Options, name: &str, value: Option<String>) -> Result<(), String> {
    match name {
        "endpoint" => options.endpoint = value,
        "timeout" => options.timeout_ms = timeout(&value.unwrap_or_default())?,
        "json" => options.json = true,
        "prettify" => options.prettify = true,
        "curve-key" => options.curve_key = value,
        _ => options.curve_server_key = value,
    }
    Ok(())
}

fn timeout(text: &str) -> Result<Option<u64>, String> {
    match text.parse::<f64>() {
        Ok(0.0) => Ok(None),
        Ok(seconds) if seconds > 0.0 && seconds <= TIMEOUT_MAX => {
            Ok(Some(((seconds * 1000.0).ceil() as u64).max(1)))
        }
        _ => Err(format!("--timeout {text:?}: use seconds, such as 5 or 0.5; 0 is for ever")),
    }
}

/// A year.
const TIMEOUT_MAX: f64 = 366.0 * 86_400.0;

/// The row of a command's name.
pub fn command(word: &str) -> Result<&'static Row, String> {
    commands::find(word).ok_or_else(|| {
        if word == "ipython" {
            return "there is no ipython: circusd is no Python program".to_string();
        }
        let question = spelling::question(word, COMMANDS.iter().map(|row| row.name));
        format!("there is no command {word}{question}")
    })
}

fn count(row: &Row, words: &[String]) -> Result<(), String> {
    let (least, most) = row.words;
    let problem = if words.len() < least {
        "needs more words".to_string()
    } else if let Some(extra) = words.get(most) {
        let takes = match most {
            0 => "no words".to_string(),
            1 => "one word at most".to_string(),
            most => format!("{most} words at most"),
        };
        format!("takes {takes}; {extra:?} is too many")
    } else if row.nouns.first() == Some(&Noun::Watcher)
        && words.first().is_some_and(String::is_empty)
    {
        // A variable that is not set, more often than not.
        "was given an empty NAME".to_string()
    } else {
        return Ok(());
    };
    let line = format!("{problem}: circusctl {} {}", row.name, row.syntax);
    Err(format!("{} {}", row.name, line.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Line, String> {
        parse(line.split_whitespace().map(String::from).collect(), &Options::default())
    }

    fn words(line: &str) -> (Options, Words) {
        match parsed(line) {
            Ok(Line { options, wants: Wants::Command(_, words) }) => (options, words),
            Ok(_) => panic!("{line}: no command"),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    fn error(line: &str) -> String {
        parsed(line).err().unwrap_or_else(|| panic!("{line} is no mistake"))
    }

    #[test]
    fn options_of_all_commands_stand_before_or_after_the_command() {
        for line in ["--json --timeout 0.5 list web", "list --json web --timeout=0.5"] {
            let (options, words) = words(line);
            assert!(options.json);
            assert_eq!(options.timeout_ms, Some(500));
            assert_eq!(words.all(), ["web"]);
        }
        assert_eq!(words("--timeout 0 list").0.timeout_ms, None);
    }

    #[test]
    fn the_beginning_of_an_option_is_enough_if_it_is_the_only_one() {
        let (_, words) = words("stop web --wait --match=simple");
        assert!(words.has("waiting"));
        assert_eq!(words.value("match"), Some("simple"));
        assert!(error("--cu x list").contains("--curve-key or --curve-server-key"));
    }

    #[test]
    fn numbers_below_zero_are_words_and_so_is_all_after_two_dashes() {
        assert_eq!(words("set web max_retry -1").1.all(), ["web", "max_retry", "-1"]);
        assert_eq!(words("get -- --web --cmd").1.all(), ["--web", "--cmd"]);
    }

    #[test]
    fn what_follows_the_command_of_add_is_its_own() {
        let (options, words) = words("--json add x tail -f --timeout 5 --json --start log");
        assert_eq!(words.all(), ["x", "tail", "-f", "--timeout", "5", "--json", "log"]);
        assert!(words.has("start"));
        assert_eq!(options.timeout_ms, Some(5000));
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, part) in [
            ("stat", "did you mean `start`?"),
            ("statuss", "did you mean `status`?"),
            ("status --detial", "did you mean `detail`?"),
            ("incr", "incr NAME [N] [--waiting]"),
            ("list a b", "takes one word at most; \"b\" is too many"),
            ("stats a 1 2 3", "takes 2 words at most; \"2\" is too many"),
            ("--timeout list", "--timeout"),
            ("--timeout -1 list", "0 is for ever"),
            ("--timeout NaN list", "0 is for ever"),
            ("--endpoint", "needs a value: ENDPOINT"),
            ("--json=1 list", "takes no value"),
            ("--ssh me@host list", "ssh itself"),
            ("ipython", "no Python"),
            ("list -x", "-x"),
        ] {
            let error = error(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn help_and_version_win() {
        assert!(matches!(parsed("--help").map(|line| line.wants), Ok(Wants::Help(None))));
        assert!(matches!(parsed("incr -h").map(|line| line.wants), Ok(Wants::Help(Some(_)))));
        assert!(matches!(parsed("--version").map(|line| line.wants), Ok(Wants::Version)));
        assert!(matches!(parsed("").map(|line| line.wants), Ok(Wants::Shell)));
    }
}
