//! Completion, for the interactive shell and for bash, zsh and fish: their scripts ask
//! `circusctl completion --line LINE` and get a candidate a line.

use super::commands::{self, COMMANDS, GLOBAL};
use super::row::{Flag, Noun, Row};
use circus::config::options::{Support, WATCHER};

/// Something that may stand there, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub word: String,
    pub help: String,
}

impl Candidate {
    fn new(word: impl Into<String>, help: impl Into<String>) -> Candidate {
        let help: String = help.into();
        Candidate { word: word.into(), help: help.replace('\n', " ") }
    }

    /// Whether a word may become it; without regard to case, as circusd looks names up.
    pub fn fits(&self, begun: &str) -> bool {
        self.word.to_lowercase().starts_with(&begun.to_lowercase())
    }
}

/// The script for a shell.
pub fn script(shell: &str) -> Option<&'static str> {
    match shell {
        "bash" => Some(include_str!("completion.bash")),
        "zsh" => Some(include_str!("completion.zsh")),
        "fish" => Some(include_str!("completion.fish")),
        _ => None,
    }
}

/// What may stand where the line ends, and where that word begins. `watchers` is asked for names
/// only if they are wanted.
pub fn candidates(line: &str, watchers: impl FnOnce() -> Vec<String>) -> (usize, Vec<Candidate>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let (before, begun) = (&line[..start], &line[start..]);
    let mut words = before.split_whitespace().peekable();
    let mut row: Option<&'static Row> = None;
    let mut count = 0;
    let mut pending: Option<&'static Flag> = None;
    while let Some(word) = words.next() {
        let flag = flags(row).find(|flag| word.strip_prefix("--") == Some(flag.name));
        match (flag, row) {
            (Some(flag), _) if flag.value.is_some() => {
                let value = words.next_if(|word| flag.takes(word));
                pending = (value.is_none() && flag.takes(begun)).then_some(flag);
            }
            (Some(_), _) => {}
            (None, _) if word.starts_with('-') => {}
            (None, None) => match commands::find(word) {
                Some(found) => row = Some(found),
                None => return (start, Vec::new()),
            },
            (None, Some(_)) => count += 1,
        }
    }
    let all = match (pending, row) {
        (Some(flag), _) => values(flag),
        (None, _) if begun.starts_with('-') => {
            flags(row).map(|flag| Candidate::new(format!("--{}", flag.name), flag.help)).collect()
        }
        (None, None) => command_names(),
        (None, Some(row)) => nouns(row, count, watchers),
    };
    (start, all.into_iter().filter(|candidate| candidate.fits(begun)).collect())
}

fn flags(row: Option<&'static Row>) -> impl Iterator<Item = &'static Flag> {
    row.map_or(&[][..], |row| row.flags).iter().chain(GLOBAL)
}

fn command_names() -> Vec<Candidate> {
    COMMANDS.iter().map(|row| Candidate::new(row.name, row.summary)).collect()
}

/// What the value of an option may be.
fn values(flag: &Flag) -> Vec<Candidate> {
    match flag.value {
        Some("METHOD") => ["glob", "regex", "simple"].map(|word| Candidate::new(word, "")).into(),
        Some("SIGNAL") => signals(),
        _ => Vec::new(),
    }
}

/// What the word after `count` others may be.
fn nouns(row: &Row, count: usize, watchers: impl FnOnce() -> Vec<String>) -> Vec<Candidate> {
    let Some(last) = row.nouns.len().checked_sub(1).filter(|_| count < row.words.1) else {
        return Vec::new();
    };
    match row.nouns[count.min(last)] {
        Noun::Watcher | Noun::Topic => {
            watchers().into_iter().map(|name| Candidate::new(name, "")).collect()
        }
        Noun::OptionPairs if count.is_multiple_of(2) => Vec::new(),
        Noun::WatcherOption | Noun::OptionPairs => WATCHER
            .iter()
            .filter(|row| row.support != Support::Meaningless)
            .map(|row| Candidate::new(row.name.trim_end_matches('*'), row.help))
            .collect(),
        Noun::GlobalOption => GLOBAL_OPTIONS.map(|word| Candidate::new(word, "")).into(),
        Noun::Signal => signals(),
        Noun::Command => command_names(),
        Noun::Shell => ["bash", "fish", "zsh"].map(|word| Candidate::new(word, "")).into(),
        Noun::CommandLine | Noun::Anything => Vec::new(),
    }
}

fn signals() -> Vec<Candidate> {
    ["TERM", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "WINCH", "STOP", "CONT"]
        .map(|word| Candidate::new(word, ""))
        .into()
}

/// The words that only the interactive shell has.
pub fn shell_words() -> [Candidate; 2] {
    [Candidate::new("exit", "leave the shell"), Candidate::new("?", "the help")]
}

const GLOBAL_OPTIONS: [&str; 5] =
    ["check_delay", "endpoint", "multicast_endpoint", "pubsub_endpoint", "stats_endpoint"];

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let names = || vec!["Web".to_string(), "plugin:x".to_string()];
        let (start, candidates) = candidates(line, names);
        assert!(line.is_char_boundary(start));
        candidates.into_iter().map(|candidate| candidate.word).collect()
    }

    #[test]
    fn commands_watchers_options_and_values_are_completed() {
        for (line, expected) in [
            ("sta", &["start", "stats", "status"][..]),
            ("--json reloadc", &["reloadconfig"]),
            ("--timeout 3 reloadc", &["reloadconfig"]),
            ("stop ", &["Web", "plugin:x"]),
            ("stop pl", &["plugin:x"]),
            ("stop Web ", &[]),
            ("stop --match ", &["glob", "regex", "simple"]),
            ("stop --match regex W", &["Web"]),
            ("stop --wa", &["--waiting"]),
            ("stop --wi", &["--with-dependants"]),
            ("health Web --wai", &["--wait"]),
            ("health Web pl", &["plugin:x"]),
            ("health --wait 5 W", &["Web"]),
            ("health --wait W", &["Web"]),
            ("tr", &["tree"]),
            ("kill Web --signum Q", &["QUIT"]),
            ("signal Web US", &["USR1", "USR2"]),
            ("get Web numpr", &["numprocesses"]),
            ("get Web cmd gra", &["graceful_timeout"]),
            ("set Web cmd x gra", &["graceful_timeout"]),
            ("set Web numprocesses ", &[]),
            ("listen w", &["Web"]),
            ("help rel", &["reload", "reloadconfig"]),
            ("globaloptions pub", &["pubsub_endpoint"]),
            ("completion z", &["zsh"]),
            ("nope ", &[]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
        assert!(words("--").contains(&"--endpoint".to_string()));
        assert_eq!(words("").len(), COMMANDS.len());
    }
}
