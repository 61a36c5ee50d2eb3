//! What the table of commands is made of: a command, its options, what its words are.

use super::json::Json;
use super::request;
use super::words::Words;

/// A command.
pub struct Row {
    pub name: &'static str,
    /// Under which heading it is listed.
    pub group: Group,
    /// The words and options after the name, for people.
    pub syntax: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What else is worth knowing; may be empty.
    pub text: &'static str,
    /// A command line and what it is for.
    pub example: (&'static str, &'static str),
    /// How many words at least and at most.
    pub words: (usize, usize),
    /// Which options.
    pub flags: &'static [Flag],
    /// What each word is, for completion; the last one stands for all that follow.
    pub nouns: &'static [Noun],
    /// What is done.
    pub deed: Deed,
}

/// Headings of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Look,
    Processes,
    Configuration,
    Other,
}

/// An option.
#[derive(Debug)]
pub struct Flag {
    /// Without the dashes.
    pub name: &'static str,
    /// One letter for the same.
    pub short: Option<char>,
    /// What its value is called, if it takes one; in brackets if it may be left out.
    pub value: Option<&'static str>,
    pub help: &'static str,
}

impl Flag {
    /// Whether the next word is its value. One that may be left out is a number.
    pub fn takes(&self, word: &str) -> bool {
        let is_number = |word: &str| {
            word.is_empty()
                || word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                || word.parse::<f64>().is_ok()
        };
        self.value.is_some_and(|value| !value.starts_with('[') || is_number(word))
    }
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Watcher,
    WatcherOption,
    /// An option and its value, in turn.
    OptionPairs,
    GlobalOption,
    Signal,
    Topic,
    Command,
    Shell,
    /// The beginning of another program's command line: options that follow are its own.
    CommandLine,
    Anything,
}

/// What a command does.
#[derive(Clone, Copy)]
pub enum Deed {
    /// Ask the daemon for it, and print the reply.
    Ask {
        properties: fn(&Words) -> request::Properties,
        print: fn(&Json) -> Option<String>,
    },
    Status,
    Health,
    Tree,
    Sockets,
    ReloadConfig,
    Listen,
    Keygen,
    Completion,
    Help,
}

/// An option without a value.
pub const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, short: None, value: None, help }
}
