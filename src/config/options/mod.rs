//! The one table of options: for every kind of section the name, how the value is parsed, the
//! default, what changing it does, and the help text. Everything that knows an option reads it.

mod circus;
mod socket;
mod stream;
mod watcher;

pub use circus::CIRCUS;
pub use socket::{PLUGIN, SOCKET};
pub use stream::{STREAM, StreamDraft};
pub use watcher::WATCHER;

use crate::config::spelling;
use crate::config::value::flag;
use serde_json::{Map, Number, Value};

/// An option. `T` is what its value is put into, `S` the settings that it is shown from.
#[derive(Debug)]
pub struct Row<T: 'static, S: 'static = T> {
    /// Its name; one that ends in `*` stands for all names that begin so.
    pub name: &'static str,
    /// Value when nothing is written; empty when there is none.
    pub default: &'static str,
    /// What changing it does to what runs.
    pub change: Change,
    /// How far this version goes.
    pub support: Support,
    /// One line for people.
    pub help: &'static str,
    /// Checks a value and puts it where it belongs.
    pub parse: fn(&mut T, &str) -> Result<(), String>,
    /// How it is shown to clients, and compared.
    pub show: Show<S>,
}

/// Where the value of an option is found again.
#[derive(Debug)]
pub enum Show<S: 'static> {
    /// In the settings.
    From(fn(&S) -> Value),
    /// Among the texts that settings keep of options that have no field of their own.
    Kept(Form),
}

/// What a kept text is to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text; null when it is empty.
    Text,
    /// True or false.
    Flag,
    /// A number; null when it is empty.
    Number,
}

/// Settings that keep the text of options that have no field of their own.
pub trait Keeps {
    /// All of them: name and text.
    fn kept(&self) -> &[(Box<str>, Box<str>)];
}

impl<T, S: Keeps> Row<T, S> {
    /// The name begins so, and the rest is free.
    pub fn is_family(&self) -> bool {
        self.name.ends_with('*')
    }

    /// The text is kept, because there is no field for it.
    pub fn is_kept(&self) -> bool {
        matches!(self.show, Show::Kept(_))
    }

    /// The value in some settings. That of a family is an object of its members.
    pub fn value(&self, settings: &S) -> Value {
        match self.show {
            Show::From(show) => show(settings),
            Show::Kept(_) if self.is_family() => {
                let prefix = self.name.trim_end_matches('*');
                let kept = settings.kept().iter();
                let members = kept.filter_map(|(name, text)| {
                    Some((name.strip_prefix(prefix)?.to_owned(), Value::from(&**text)))
                });
                Value::Object(members.collect::<Map<_, _>>())
            }
            Show::Kept(form) => {
                let mut kept = settings.kept().iter();
                let text = kept.find(|(name, _)| **name == *self.name);
                form.value(text.map_or(self.default, |(_, text)| text))
            }
        }
    }
}

impl Form {
    fn value(self, text: &str) -> Value {
        let text = text.trim();
        if text.is_empty() {
            return Value::Null;
        }
        match self {
            Form::Text => text.into(),
            Form::Flag => flag(text).is_ok_and(|on| on).into(),
            Form::Number => number(text),
        }
    }
}

/// A whole number if it is one.
fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    text.parse().ok().and_then(Number::from_f64).map_or(text.into(), Value::Number)
}

/// Seconds as Circus shows those that it counts as whole: a decimal point only where needed.
fn seconds_shown(milliseconds: u64) -> Value {
    match milliseconds % 1000 {
        0 => (milliseconds / 1000).into(),
        _ => (milliseconds as f64 / 1000.0).into(),
    }
}

/// What changing an option does to what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing, or nothing before the next start.
    Nothing,
    /// It takes effect on what runs; no process is replaced.
    Adjust,
    /// Processes are replaced one after the other.
    Reload,
    /// All is stopped and started again.
    Restart,
}

/// How far this version goes with an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does what it says.
    Full,
    /// It is checked and listed as not done yet.
    Later,
    /// It has no meaning here and is accepted for old files.
    Meaningless,
}

/// The row of a name. Tables are sorted.
pub fn find<T, S>(table: &'static [Row<T, S>], name: &str) -> Option<&'static Row<T, S>> {
    match table.binary_search_by(|row| row.name.cmp(name)) {
        Ok(index) => Some(&table[index]),
        Err(_) => table
            .iter()
            .find(|row| row.name.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix))),
    }
}

/// What to say about a name that is in no row of its section's table.
pub fn unknown<T, S>(table: &'static [Row<T, S>], section: &str, name: &str) -> String {
    let mut home = None;
    for (header, known) in [
        ("[circus]", find(&CIRCUS, name).is_some()),
        ("[watcher:NAME]", find(&WATCHER, name).is_some()),
        ("[socket:NAME]", find(&SOCKET, name).is_some()),
    ] {
        if known && !section.starts_with(header.trim_end_matches("NAME]")) {
            home = home.or(Some(header));
        }
    }
    let names = table.iter().map(|row| row.name);
    match (family_question(name), spelling::closest(name, names), home) {
        (Some(question), _, _) => format!("is no option of {section}; {question}"),
        (None, Some(near), _) => {
            format!("is no option of {section}; did you mean `{near}`?")
        }
        (None, None, Some(header)) => {
            format!("is no option of {section}; it belongs into {header}")
        }
        (None, None, None) => {
            format!("is no option of {section}; remove it, or name it `x_…` if it is your own")
        }
    }
}

/// Misspelt beginnings such as `stdout_steam.class` and `RLIMIT_CORE`.
fn family_question(name: &str) -> Option<String> {
    let folded = name.to_lowercase();
    if folded.starts_with("rlimit_") {
        return Some(format!("did you mean `{folded}`?"));
    }
    let (prefix, key) = name.split_once('.')?;
    let near = spelling::closest(prefix, ["stdout_stream", "stderr_stream", "hooks"])?;
    (near != prefix).then(|| format!("did you mean `{near}.{key}`?"))
}

/// Accepts whatever is written.
fn free<T>(_: &mut T, _: &str) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Default, S>(table: &'static [Row<T, S>]) {
        assert!(table.is_sorted_by(|a, b| a.name < b.name));
        for row in table {
            assert!(!row.help.is_empty(), "{}", row.name);
            if !row.default.is_empty() {
                assert_eq!((row.parse)(&mut T::default(), row.default), Ok(()), "{}", row.name);
            }
        }
    }

    #[test]
    fn tables_are_sorted_and_their_defaults_are_valid() {
        check(&CIRCUS);
        check(&SOCKET);
        check(&PLUGIN);
        check(&STREAM);
        check(&WATCHER);
    }

    #[test]
    fn unknown_names_get_the_question_that_helps_most() {
        let section = "[watcher:NAME]";
        assert!(unknown(&WATCHER, section, "NumProcesses").contains("`numprocesses`"));
        assert!(unknown(&WATCHER, section, "stdout_steam.class").contains("`stdout_stream.class`"));
        assert!(unknown(&WATCHER, section, "pidfile").contains("[circus]"));
        assert!(unknown(&WATCHER, section, "banana").contains("x_"));
    }
}
