//! How names of watchers are compared with what a client wrote; always without regard to case.

use crate::commands::{Errno, Refusal, quoted};
use crate::pattern;
use regex_lite::{Regex, RegexBuilder};

/// How a name is compared with a pattern.
#[derive(Debug, Clone)]
pub enum Matching {
    /// Equal.
    Simple,
    /// A shell pattern, of the whole name.
    Glob,
    /// A regular expression, from the name's beginning but not necessarily to its end.
    Regex(Regex),
}

impl Matching {
    /// By the name that Circus gives to it.
    ///
    /// # Errors
    /// There is no such kind, or the pattern is no regular expression.
    pub fn from_name(name: &str, pattern: &str) -> Result<Matching, Refusal> {
        match name {
            "simple" => Ok(Matching::Simple),
            "glob" if pattern.len() > GLOB_BYTES_MAX => {
                let reason = format!("a pattern has no more than {GLOB_BYTES_MAX} bytes");
                Err(Refusal::new(Errno::Message, reason))
            }
            "glob" => Ok(Matching::Glob),
            "regex" => regex(pattern).map(Matching::Regex),
            _ => {
                // Circus shows it without quotes.
                let shown = quoted(name);
                let reason = format!("unknown match method {}", &shown[1..shown.len() - 1]);
                Err(Refusal::new(Errno::Message, reason))
            }
        }
    }

    /// A watcher with this name is meant. The pattern is the one that this was made for.
    pub fn matches(&self, pattern: &str, name: &str) -> bool {
        match self {
            Matching::Glob if pattern::is_pattern(pattern) => {
                pattern::matches(&pattern.to_lowercase(), &name.to_lowercase())
            }
            Matching::Simple | Matching::Glob => {
                let is_ascii = pattern.is_ascii() && name.is_ascii();
                pattern.eq_ignore_ascii_case(name)
                    || !is_ascii && pattern.to_lowercase() == name.to_lowercase()
            }
            // The leftmost match begins where the name does, or there is none that does.
            Matching::Regex(regex) => {
                regex.find(&name.to_lowercase()).is_some_and(|found| found.start() == 0)
            }
        }
    }
}

fn regex(pattern: &str) -> Result<Regex, Refusal> {
    // The crate knows the case of ASCII only. Escapes are ASCII: `\S` must not become `\s`.
    let lowered: String = pattern
        .chars()
        .flat_map(|character| {
            let kept = character.is_ascii().then_some(character);
            let lowered = (!character.is_ascii()).then(|| character.to_lowercase());
            kept.into_iter().chain(lowered.into_iter().flatten())
        })
        .collect();
    let built = RegexBuilder::new(&lowered).case_insensitive(true).size_limit(BYTES_MAX).build();
    built.map_err(|error| {
        let reason = format!("{} is no regular expression: {error}", quoted(pattern));
        Refusal::new(Errno::Command, reason)
    })
}

/// Of a regular expression that is ready for use. Its size times the length of a name is the time
/// that a comparison takes.
const BYTES_MAX: usize = 32 << 10;
/// Of a shell pattern, likewise. No name of a watcher is longer than 255.
const GLOB_BYTES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(kind: &str, pattern: &str, name: &str) -> bool {
        Matching::from_name(kind, pattern).unwrap().matches(pattern, name)
    }

    #[test]
    fn case_never_counts() {
        for kind in ["simple", "glob", "regex"] {
            assert!(matches(kind, "WEB-1", "Web-1"), "{kind}");
            assert!(matches(kind, "éCOLE", "École"), "{kind}");
            assert!(!matches(kind, "web-1", "web-2"), "{kind}");
        }
    }

    #[test]
    fn a_shell_pattern_is_for_the_whole_name_and_a_regular_expression_for_its_beginning() {
        assert!(matches("glob", "WEB-?", "web-1"));
        assert!(matches("glob", "w[!a-d]b*", "Web-10"));
        assert!(!matches("glob", "web", "web-1"));
        assert!(!matches("glob", "", "web-1"));
        assert!(!matches("simple", "web-*", "web-1"));
        assert!(matches("regex", "web-[12]", "WEB-2"));
        assert!(matches("regex", "web", "web-10"));
        assert!(!matches("regex", "eb-1", "web-1"));
        assert!(matches("regex", "x|we", "web"));
        assert!(matches("regex", "[a-z0-9._-]{1,63}$", "Web-1.b"));
        assert!(!matches("regex", "web$", "web-1"));
        assert!(matches("regex", "", "web"));
    }

    #[test]
    fn escapes_of_regular_expressions_keep_their_meaning() {
        assert!(matches("regex", r"a\S+$", "a-b"));
        assert!(!matches("regex", r"a\S+$", "a b"));
        assert!(matches("regex", r"A\DB", "axb"));
    }

    #[test]
    fn wrong_or_huge_expressions_are_refused() {
        for pattern in ["[", "a)(b", "(a{1000}){1000}", r"(a)\1", "(?=a)"] {
            let refusal = Matching::from_name("regex", pattern).unwrap_err();
            assert_eq!(refusal.errno, Errno::Command, "{pattern}");
            assert!(refusal.reason.contains("is no regular expression: "), "{}", refusal.reason);
        }
        let refusal = Matching::from_name("bogus", "web").unwrap_err();
        assert_eq!(refusal, Refusal::new(Errno::Message, "unknown match method bogus"));
    }
}
