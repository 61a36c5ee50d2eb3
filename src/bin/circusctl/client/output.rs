//! Standard output: a terminal or not, in colour or not. What comes from the daemon never controls
//! the terminal.

use super::failure::Failure;
use circus::sys::terminal;
use std::io::{ErrorKind, IsTerminal, Write};

/// Where we print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// A person reads it.
    pub terminal: bool,
    pub colour: bool,
    /// Lines and marks may be other characters than ASCII.
    pub utf8: bool,
    /// Of the terminal.
    pub width: Option<usize>,
}

impl Output {
    /// Ask what it is.
    pub fn find() -> Output {
        let terminal = std::io::stdout().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let colour =
            terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let width = if terminal { terminal::width().map(usize::from) } else { None };
        Output { terminal, colour, utf8: is_utf8(), width }
    }

    /// Print a text from the daemon, and a line's end.
    pub fn say(&self, text: &str) -> Result<(), Failure> {
        if !self.terminal {
            return self.print(text);
        }
        let lines: Vec<String> = text.split('\n').map(printable).collect();
        self.print(&lines.join("\n"))
    }

    /// Print as it is, and a line's end.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\n');
        // In one piece: others may write to the same file.
        match std::io::stdout().lock().write_all(&bytes).and_then(|()| std::io::stdout().flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::NobodyReads),
            Err(error) => {
                Err(Failure::Trouble(format!("cannot write to standard output: {error}")))
            }
        }
    }
}

/// What the locale says; the first of its variables that is set holds.
fn is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Without anything that a terminal would act on; a tab is a blank.
pub fn printable(text: &str) -> String {
    let visible = |char: char| match char {
        '\t' => ' ',
        other if other.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.chars().map(visible).collect()
}

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Green,
    Yellow,
    Red,
}

impl Paint {
    /// What begins it.
    pub fn begin(self) -> &'static str {
        match self {
            Paint::Plain => "",
            Paint::Green => "\u{1b}[32m",
            Paint::Yellow => "\u{1b}[33m",
            Paint::Red => "\u{1b}[31m",
        }
    }

    /// What ends it.
    pub fn end(self) -> &'static str {
        if self == Paint::Plain { "" } else { "\u{1b}[0m" }
    }
}
