//! What the files ask for that this version does not do yet, said in as few words as possible.

use crate::config::mistake::shortened;
use crate::config::value::flag;
use std::collections::BTreeMap;

/// The value asks for something, and for something else than the default.
pub fn is_wanted(text: &str, default: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text != default && flag(text) != Ok(false)
}

/// Collects it.
#[derive(Debug, Default)]
pub struct Later {
    circus: Vec<String>,
    sections: Vec<String>,
    watchers: BTreeMap<Vec<String>, Vec<String>>,
}

impl Later {
    /// An option of `[circus]`.
    pub fn circus(&mut self, option: &str) {
        self.circus.push(option.to_owned());
    }

    /// A whole section.
    pub fn section(&mut self, header: &str) {
        self.sections.push(format!("[{}]", shortened(header)));
    }

    /// Options of a watcher.
    pub fn watcher(&mut self, name: &str, mut options: Vec<String>) {
        crate::sort::sort(&mut options);
        options.dedup();
        if !options.is_empty() {
            self.watchers.entry(options).or_default().push(name.to_owned());
        }
    }

    /// A few words each: what is equal for many watchers is said once.
    pub fn into_words(mut self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.circus.is_empty() {
            crate::sort::sort(&mut self.circus);
            words.push(format!("[circus]: {}", self.circus.join(", ")));
        }
        crate::sort::sort(&mut self.sections);
        let more = self.sections.len().saturating_sub(SECTIONS_SHOWN);
        words.extend(self.sections.into_iter().take(SECTIONS_SHOWN));
        if more > 0 {
            words.push(format!("{more} more sections"));
        }
        for (options, mut names) in self.watchers {
            crate::sort::sort(&mut names);
            let who = match &names[..] {
                [name] => format!("watcher {name}"),
                names if names.len() <= NAMES_SHOWN => format!("watchers {}", names.join(", ")),
                names => {
                    let rest = names.len() - NAMES_SHOWN;
                    format!("watchers {} and {rest} more", names[..NAMES_SHOWN].join(", "))
                }
            };
            words.push(format!("{who}: {}", options.join(", ")));
        }
        words
    }
}

const NAMES_SHOWN: usize = 3;
const SECTIONS_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_equal_watchers_are_one_line() {
        let mut later = Later::default();
        later.circus("statsd");
        later.circus("endpoint");
        later.section("socket:web");
        for name in ["a", "b", "c", "d", "e"] {
            later.watcher(name, vec!["stdout_stream".to_owned()]);
        }
        later.watcher("web", vec!["stdout_stream".to_owned(), "hooks.before_start".to_owned()]);
        assert_eq!(
            later.into_words(),
            [
                "[circus]: endpoint, statsd",
                "[socket:web]",
                "watcher web: hooks.before_start, stdout_stream",
                "watchers a, b, c and 2 more: stdout_stream",
            ]
        );
    }
}
