//! A mistake in a configuration file and the collection of all of them. A mistake shows what is
//! written in the file, never what a variable made of it: that may be a secret.

use std::fmt;
use std::rc::Rc;

/// One thing that is wrong in a file, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The file, as it was asked for.
    pub file: String,
    /// The line, from 1; 0 when it concerns the whole file.
    pub line: u32,
    /// The option or `[section]`; empty when it concerns neither.
    pub option: String,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if !self.option.is_empty() {
            write!(f, " {}:", self.option)?;
        }
        write!(f, " {}", self.text)
    }
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub file: Rc<str>,
    /// The line, from 1; 0 is the whole file.
    pub line: u32,
}

impl Position {
    /// The whole file.
    pub fn file(name: &str) -> Position {
        Position { file: Rc::from(name), line: 0 }
    }

    /// The directory of the file, without its last slash; empty for the current one.
    pub fn directory(&self) -> &str {
        match self.file.rfind('/') {
            Some(0) => "/",
            Some(end) => &self.file[..end],
            None => "",
        }
    }
}

/// All mistakes found so far. At most `MISTAKES_MAX` are kept; the last says that there are more.
#[derive(Debug, Default)]
pub struct Mistakes {
    found: Vec<Mistake>,
    left_out: bool,
    /// What variables and `[DEFAULT]` have added to what is written.
    added_bytes: usize,
}

impl Mistakes {
    /// Notes one.
    pub fn add(&mut self, at: &Position, option: &str, text: impl Into<String>) {
        if self.is_full() {
            return;
        }
        self.found.push(Mistake {
            file: at.file.to_string(),
            line: at.line,
            option: shortened(option),
            text: text.into(),
        });
    }

    /// More would be left out, so there is no need to look for them.
    pub fn is_full(&mut self) -> bool {
        self.left_out |= self.found.len() >= MISTAKES_MAX;
        self.left_out
    }

    /// What variables and `[DEFAULT]` may add is used up; the mistake was noted.
    pub fn is_out_of_room(&self) -> bool {
        self.added_bytes > ADDED_BYTES_MAX
    }

    /// Something that takes so many bytes more than are written for it can be had. A short text may
    /// ask for a lot: a long value once more for each of many watchers.
    pub fn has_room(&mut self, at: &Position, option: &str, bytes: usize) -> bool {
        let had_room = !self.is_out_of_room();
        self.added_bytes = self.added_bytes.saturating_add(bytes);
        let has_room = !self.is_out_of_room();
        if had_room && !has_room {
            let text = "is where variables, [DEFAULT] and depends_on have made more than 32 MiB of these files; use them less";
            self.add(at, option, text);
        }
        has_room
    }

    /// Something was found in this line.
    pub fn concern(&self, at: &Position) -> bool {
        self.found.iter().any(|mistake| mistake.line == at.line && mistake.file == *at.file)
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them by file and line, each once.
    pub fn into_sorted(mut self) -> Vec<Mistake> {
        crate::sort::sort(&mut self.found);
        self.found.dedup();
        if self.left_out {
            let last = self.found.last().map(|mistake| mistake.file.clone()).unwrap_or_default();
            self.found.push(Mistake {
                file: last,
                line: 0,
                option: String::new(),
                text: format!("maybe more than {MISTAKES_MAX} mistakes; the others are not shown"),
            });
        }
        self.found
    }
}

/// What will surprise: `file:line: option: sentence`, as many of them as there may be mistakes.
#[derive(Debug, Default)]
pub struct Warnings {
    found: Vec<String>,
    left_out: bool,
}

impl Warnings {
    /// Notes one.
    pub fn add(&mut self, at: &Position, option: &str, text: &str) {
        if self.found.len() >= MISTAKES_MAX {
            self.left_out = true;
            return;
        }
        let option = shortened(option);
        self.found.push(format!("{}:{}: {option}: {text}", at.file, at.line));
    }

    /// All of them.
    pub fn into_lines(mut self) -> Vec<String> {
        if self.left_out {
            self.found.push(format!("more than {MISTAKES_MAX} warnings; the others are not shown"));
        }
        self.found
    }
}

/// Text from a file, short enough for a message.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

const MISTAKES_MAX: usize = 1000;
const ADDED_BYTES_MAX: usize = 32 << 20;
const SHOWN_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_shown_in_the_order_of_the_file_and_only_once() {
        let mut mistakes = Mistakes::default();
        let at = |line| Position { file: Rc::from("a.ini"), line };
        mistakes.add(&at(10), "cmd", "is empty");
        mistakes.add(&at(9), "args", "is odd");
        mistakes.add(&at(10), "cmd", "is empty");
        let shown: Vec<String> = mistakes.into_sorted().iter().map(Mistake::to_string).collect();
        assert_eq!(shown, ["a.ini:9: args: is odd", "a.ini:10: cmd: is empty"]);
    }

    #[test]
    fn a_flood_of_mistakes_is_cut_and_says_so() {
        let mut mistakes = Mistakes::default();
        for line in 0..5000 {
            mistakes.add(&Position { file: Rc::from("a"), line }, "", "x");
        }
        let all = mistakes.into_sorted();
        assert_eq!(all.len(), 1001);
        assert!(all[1000].text.contains("more than 1000"));
    }
}
