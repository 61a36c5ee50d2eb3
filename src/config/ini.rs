//! Text of ini files to sections and keys, each with file and line, by Circus's line rules: first
//! value wins, a semicolon after a blank starts a comment, indented lines continue a value.
//!
//! No ini crate: the ones there are know other line rules and forget positions. Working round both
//! takes a pass with these rules and line numbers first, and that pass is already the whole parser.

use crate::config::mistake::{Mistakes, Position, Warnings, shortened};
use std::collections::BTreeMap;

/// What all files say together. Later files never override earlier ones.
#[derive(Debug, Default)]
pub struct Document {
    /// Sections in the order in which they first appeared, each header once.
    pub sections: Vec<Section>,
    /// Lines that will surprise.
    pub warnings: Warnings,
    by_header: BTreeMap<Box<str>, usize>,
    /// Where a comment begins inside quotes.
    pub cut: Vec<(Position, Box<str>)>,
}

/// One section, put together from everywhere its header appeared.
#[derive(Debug)]
pub struct Section {
    /// Text between the brackets.
    pub header: Box<str>,
    /// Where it appeared first.
    pub at: Position,
    /// Keys in the order of the files, each once.
    pub entries: Vec<Entry>,
    by_key: BTreeMap<Box<str>, usize>,
    is_full: bool,
}

/// A key and its value.
#[derive(Debug)]
pub struct Entry {
    /// Left of the `=` or `:`.
    pub key: Box<str>,
    /// Right of it; continuation lines after a newline each.
    pub value: String,
    /// Where the key is.
    pub at: Position,
}

impl Document {
    /// The section with this header.
    pub fn section(&self, header: &str) -> Option<&Section> {
        self.by_header.get(header).map(|index| &self.sections[*index])
    }

    /// Adds what a file says.
    pub fn add(&mut self, file: &str, content: &[u8], mistakes: &mut Mistakes) {
        let mut at = Position::file(file);
        if content.len() > FILE_BYTES_MAX {
            mistakes.add(&at, "", "is longer than 1 MiB; split it with include");
            return;
        }
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut open = Open { section: None, value: Value::None };
        for (line, number) in lines(content).zip(1..) {
            at.line = number;
            match readable(line) {
                Ok(text) => self.line(text, &at, &mut open, mistakes),
                Err(text) => mistakes.add(&at, "", text),
            }
        }
    }

    fn line(&mut self, line: &str, at: &Position, open: &mut Open, mistakes: &mut Mistakes) {
        let text = line.trim();
        if text.is_empty() || line.starts_with(['#', ';']) || is_remark(line) {
            return;
        }
        let indented = line.starts_with(char::is_whitespace);
        if indented && !matches!(open.value, Value::None) {
            self.continue_value(text, at, open, mistakes);
        } else if indented && text.starts_with(['#', ';']) {
            // Circus takes it for a key without a value; nobody means that.
        } else if text.starts_with('[') {
            open.value = Value::None;
            match header(text) {
                Some(name) => open.section = Some(self.open_section(name, at)),
                None => mistakes.add(at, "", "section header without `]`; write `[watcher:NAME]`"),
            }
        } else {
            self.option(text, at, open, mistakes);
        }
    }

    fn continue_value(&mut self, text: &str, at: &Position, open: &Open, mistakes: &mut Mistakes) {
        let (Value::At(index), Some(section)) = (open.value, open.section) else {
            return;
        };
        let entry = &mut self.sections[section].entries[index];
        if entry.value.len() + text.len() > VALUE_BYTES_MAX {
            mistakes.add(at, &entry.key, "is longer than 1 MiB");
            return;
        }
        if text.starts_with('[') && text.ends_with(']') {
            let text = "this indented line continues the value, it opens no section; remove the blanks before it";
            self.warnings.add(at, &entry.key, text);
        }
        entry.value.push('\n');
        entry.value.push_str(text);
    }

    fn open_section(&mut self, name: &str, at: &Position) -> usize {
        if let Some(index) = self.by_header.get(name) {
            return *index;
        }
        self.by_header.insert(name.into(), self.sections.len());
        self.sections.push(Section {
            header: name.into(),
            at: at.clone(),
            entries: Vec::new(),
            by_key: BTreeMap::new(),
            is_full: false,
        });
        self.sections.len() - 1
    }

    fn option(&mut self, text: &str, at: &Position, open: &mut Open, mistakes: &mut Mistakes) {
        open.value = Value::None;
        let Some(equals) = text.find(['=', ':']) else {
            mistakes.add(at, &shortened(text), "has no value; write `option = value`");
            return;
        };
        let (key, value) = (text[..equals].trim_end(), &text[equals + 1..]);
        let Some(section) = open.section else {
            mistakes.add(at, key, "stands before any section; write a `[section]` line above it");
            return;
        };
        if key.is_empty() {
            mistakes.add(at, "", "has no name before the `=`; write `option = value`");
            return;
        }
        let section = &mut self.sections[section];
        if section.by_key.contains_key(key) {
            open.value = Value::Ignored;
            return;
        }
        if section.entries.len() == OPTIONS_MAX && !section.is_environment() {
            let text = format!("is more than {OPTIONS_MAX} options in one section; remove some");
            if !std::mem::replace(&mut section.is_full, true) {
                mistakes.add(at, key, text);
            }
            open.value = Value::Ignored;
            return;
        }
        if cuts_a_quote(value) {
            if self.cut.len() < CUT_MAX {
                self.cut.push((at.clone(), key.into()));
            }
            self.warnings.add(at, key, CUT_QUOTE);
        }
        open.value = Value::At(section.entries.len());
        section.by_key.insert(key.into(), section.entries.len());
        section.entries.push(Entry { key: key.into(), value: value_of(value), at: at.clone() });
    }
}

impl Section {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key).map(|index| &self.entries[*index])
    }

    /// Its keys are variables.
    fn is_environment(&self) -> bool {
        &*self.header == "env" || self.header.starts_with("env:")
    }
}

/// Where the parser is inside a file.
struct Open {
    section: Option<usize>,
    value: Value,
}

/// What an indented line continues.
#[derive(Clone, Copy)]
enum Value {
    /// Nothing.
    None,
    /// The value of this entry of the section.
    At(usize),
    /// A value that lost against an earlier one.
    Ignored,
}

/// A newline is what Python says it is: `\n`, `\r\n` or `\r`.
fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(content);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            rest = None;
            return Some(text);
        };
        let length = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&text[end + length..]);
        Some(&text[..end])
    })
}

fn readable(line: &[u8]) -> Result<&str, &'static str> {
    if line.len() > LINE_BYTES_MAX {
        return Err("is longer than 64 KiB; continue it on indented lines");
    }
    if line.contains(&0) {
        return Err("contains a NUL byte; remove it");
    }
    std::str::from_utf8(line).map_err(|_| "is not UTF-8 text; save the file as UTF-8")
}

/// The word `rem` in the first column makes the line a comment.
fn is_remark(line: &str) -> bool {
    line.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("rem"))
        && line[3..].chars().next().is_none_or(char::is_whitespace)
}

/// Up to the last bracket, as in Circus; but a comment after the header is not part of it.
fn header(text: &str) -> Option<&str> {
    let end = [text.find("] ;"), text.find("] #"), text.rfind(']')].into_iter().flatten().min()?;
    Some(&text[1..end]).filter(|name| !name.is_empty())
}

/// Whether the comment after a value has begun inside quotes that end in it.
fn cuts_a_quote(text: &str) -> bool {
    let text = text.trim();
    let (mut open, mut before) = (None, ' ');
    let end = match text.find(';') {
        Some(at) if text[..at].ends_with(char::is_whitespace) => at,
        _ => return false,
    };
    for mark in text[..end].chars() {
        match open {
            Some(other) if mark == other => open = None,
            None if matches!(mark, '\'' | '"') && before != '\\' => open = Some(mark),
            Some(_) | None => {}
        }
        before = mark;
    }
    open.is_some_and(|mark| text[end..].contains(mark))
}

/// Only the first semicolon is looked at, and only after a blank it starts a comment.
fn value_of(text: &str) -> String {
    let text = text.trim();
    let end = match text.find(';') {
        Some(at) if text[..at].ends_with(char::is_whitespace) => at,
        _ => text.len(),
    };
    match text[..end].trim_end() {
        "\"\"" => String::new(),
        value => value.to_owned(),
    }
}

const FILE_BYTES_MAX: usize = 1 << 20;
const LINE_BYTES_MAX: usize = 64 << 10;
const VALUE_BYTES_MAX: usize = 1 << 20;
const CUT_MAX: usize = 1000;
/// What is said of a comment that begins inside quotes.
pub const CUT_QUOTE: &str = "has a comment that begins inside quotes, which are left open by that: a semicolon after a blank always starts one; remove the blank before it";
/// Of a section, and all that one can give a watcher.
pub const OPTIONS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &[u8]) -> (Document, Vec<String>) {
        let mut document = Document::default();
        let mut mistakes = Mistakes::default();
        document.add("t.ini", content, &mut mistakes);
        (document, mistakes.into_sorted().iter().map(|mistake| mistake.to_string()).collect())
    }

    fn value(content: &str, key: &str) -> Option<String> {
        let (document, mistakes) = parse(content.as_bytes());
        assert!(mistakes.is_empty(), "{mistakes:?}");
        document.section("a").and_then(|section| section.get(key)).map(|entry| entry.value.clone())
    }

    #[test]
    fn the_first_value_wins_and_takes_no_lines_of_a_later_one() {
        assert_eq!(value("[a]\nk = 1\nk = 2\n  3\n[b]\n[a]\nk = 4\n", "k").as_deref(), Some("1"));
    }

    #[test]
    fn only_a_semicolon_after_a_blank_starts_a_comment() {
        for (text, expected) in [
            ("x # no", "x # no"),
            ("y ; c", "y"),
            ("p;q", "p;q"),
            ("p ;q;r", "p"),
            ("p;q ;r", "p;q ;r"),
            ("\"\"", ""),
            ("\"q q\"", "\"q q\""),
            ("", ""),
        ] {
            assert_eq!(
                value(&format!("[a]\nk = {text}\n"), "k").as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn indented_lines_continue_a_value_across_blank_lines_and_comments() {
        let text = "[a]\r\nk = one\r\n# c\r\n  two\r\n\r\n  three\r\n; c2\r\n   # inner\r\n";
        assert_eq!(value(text, "k").as_deref(), Some("one\ntwo\nthree\n# inner"));
    }

    #[test]
    fn remarks_bom_colons_and_comments_after_headers_are_understood() {
        let text = "\u{feff}rem x\nREM\n[a] ; see [b]\nk: x = y\nremark = 1\n";
        assert_eq!(value(text, "k").as_deref(), Some("x = y"));
        assert_eq!(value(text, "remark").as_deref(), Some("1"));
    }

    #[test]
    fn every_bad_line_is_reported_with_its_number() {
        let (_, mistakes) = parse(b"k = 1\n[a\n[a]\noops\n= 3\n\xff\nnul = \0\n");
        assert_eq!(mistakes.len(), 6);
        for (mistake, line) in mistakes.iter().zip([1, 2, 4, 5, 6, 7]) {
            assert!(mistake.starts_with(&format!("t.ini:{line}:")), "{mistake}");
        }
    }

    #[test]
    fn limits_are_mistakes() {
        let long = format!("[a]\nk = {}\n", "x".repeat(LINE_BYTES_MAX));
        assert!(parse(long.as_bytes()).1[0].contains("64 KiB"));
        assert!(parse(&vec![b'\n'; FILE_BYTES_MAX + 1]).1[0].contains("1 MiB"));
    }
}
