//! Files to a whole configuration: reads them all, then every section, and collects every mistake.

use crate::config::environment::{Assigned, Environments};
use crate::config::expand::{Layer, Scope, joined};
use crate::config::ini::{CUT_QUOTE, Document, Entry, Section};
use crate::config::later::Later;
use crate::config::mistake::{Mistake, Mistakes, Position, Warnings, shortened};
use crate::config::options::{self, PLUGIN, Row, SOCKET, WATCHER};
use crate::config::settings::{CircusSettings, Config, Variable};
use crate::config::users::Users;
use crate::config::value::flag;
use crate::config::{Source, spelling};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Reads a configuration with everything that it includes. `environment` is circusd's own.
pub fn load(
    path: &str,
    environment: &[Variable],
    source: &dyn Source,
) -> Result<Config, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let mut inherited = Layer::default();
    for (name, value) in environment {
        inherited.set(name, value, false);
    }
    let inherited = Rc::new(inherited);
    let mut document = document(path, source, &inherited, &mut mistakes);
    let warnings = std::mem::take(&mut document.warnings);
    let general = general(&document, source, &inherited, &mut mistakes);
    let mut layer = Layer::over(inherited.clone());
    for variable in &general {
        layer.set(&variable.name, &variable.value, variable.secret);
    }
    let mut reading = Reading {
        source,
        mistakes,
        warnings,
        later: Later::default(),
        general: Rc::new(layer),
        environments: Environments::new(source, inherited.clone(), environment, general),
        users: Users::new(source),
        free_prefixes: BTreeSet::from(["flapping"]),
        hosts: None,
    };
    let config = reading.document(&document, &inherited);
    // A quote without its end is easily explained.
    for (at, key) in &document.cut {
        if reading.mistakes.concern(at) {
            reading.mistakes.add(at, key, CUT_QUOTE);
        }
    }
    if reading.mistakes.is_empty() { Ok(config) } else { Err(reading.mistakes.into_sorted()) }
}

/// What all parts of the reading share.
pub struct Reading<'a> {
    /// Where files come from.
    pub source: &'a dyn Source,
    /// What is wrong.
    pub mistakes: Mistakes,
    /// What will surprise.
    pub warnings: Warnings,
    /// What is not done yet.
    pub later: Later,
    /// circusd's environment and `[env]`.
    pub general: Rc<Layer>,
    /// Environments of watchers.
    pub environments: Environments<'a>,
    /// Users and groups.
    pub users: Users<'a>,
    free_prefixes: BTreeSet<&'a str>,
    /// All names in /etc/hosts, if somebody has asked for them.
    hosts: Option<Vec<String>>,
}

/// A value with its variables replaced.
pub struct Value {
    /// As text.
    pub text: String,
    /// A part of it comes from a file.
    pub secret: bool,
}

impl Mistakes {
    /// The value of an entry; `None` if a variable is wrong.
    pub fn expanded(&mut self, scope: &Scope<'_>, entry: &Entry) -> Option<Value> {
        if self.is_full() {
            return None;
        }
        let expanded = match scope.expand(&entry.value) {
            Ok(expanded) => expanded,
            Err(reasons) => {
                reasons.into_iter().for_each(|reason| self.add(&entry.at, &entry.key, reason));
                return None;
            }
        };
        let more = expanded.bytes.len().saturating_sub(entry.value.len());
        if !self.has_room(&entry.at, &entry.key, more) {
            return None;
        }
        match String::from_utf8(expanded.bytes) {
            Ok(text) => Some(Value { text, secret: expanded.secret }),
            Err(_) => {
                self.wrong_value(entry, "has a variable that is not UTF-8 text");
                None
            }
        }
    }

    /// A value that cannot be used. It is shown as written, never with its variables replaced.
    pub fn wrong_value(&mut self, entry: &Entry, reason: &str) {
        match entry.value.as_str() {
            "" => self.add(&entry.at, &entry.key, format!("an empty value {reason}")),
            written => {
                self.add(&entry.at, &entry.key, format!("`{}` {reason}", shortened(written)));
            }
        }
    }
}

/// The main file and what it includes. Included files include nothing, as in Circus.
fn document(path: &str, source: &dyn Source, layer: &Layer, mistakes: &mut Mistakes) -> Document {
    let mut document = Document::default();
    match source.read(path) {
        Ok(content) => document.add(path, &content, mistakes),
        Err(reason) => mistakes.add(&Position::file(path), "", format!("cannot be read: {reason}")),
    }
    let mut seen = BTreeSet::from([path.to_owned()]);
    // What is wrong with it is told when the section itself is read.
    let is_enabled =
        |section: &&Section| is_enabled(section, source, layer, &mut Mistakes::default());
    if !document.section("circus").as_ref().is_some_and(is_enabled) {
        return document;
    }
    let mut patterns = BTreeSet::new();
    for (option, suffix) in [("include", ""), ("include_dir", "/*.ini")] {
        let circus = document.section("circus");
        let Some(entry) = circus.and_then(|section| section.get(option)) else {
            continue;
        };
        let (at, written) = (entry.at.clone(), entry.value.clone());
        let scope = Scope {
            variables: layer,
            source,
            directory: at.directory(),
            dollar_names: false,
            at_spawn: None,
        };
        let Some(value) = mistakes.expanded(&scope, entry) else {
            continue;
        };
        for item in value.text.split_whitespace() {
            let wanted = format!("{}{suffix}", joined(at.directory(), item.trim_end_matches('/')));
            if !patterns.insert(wanted.clone()) {
                continue;
            }
            if patterns.len() > INCLUDED_FILES_MAX {
                mistakes.add(&at, option, format!("names more than {INCLUDED_FILES_MAX} files"));
                return document;
            }
            let paths = source.glob(&wanted);
            if paths.is_empty() {
                let item = if value.secret { shortened(&written) } else { shortened(item) };
                let text = format!("`{item}` leads to no file");
                document.warnings.add(&at, option, &text);
            }
            for path in paths {
                if !seen.insert(path.clone()) {
                    continue;
                }
                if seen.len() > INCLUDED_FILES_MAX + 1 {
                    mistakes.add(
                        &at,
                        option,
                        format!("leads to more than {INCLUDED_FILES_MAX} files"),
                    );
                    return document;
                }
                match source.read(&path) {
                    Ok(content) => document.add(&path, &content, mistakes),
                    Err(reason) => {
                        let shown =
                            if value.secret { "the file".to_owned() } else { shortened(&path) };
                        mistakes.add(&at, option, format!("cannot read {shown}: {reason}"))
                    }
                }
            }
        }
    }
    document
}

fn general(
    document: &Document,
    source: &dyn Source,
    inherited: &Layer,
    mistakes: &mut Mistakes,
) -> Vec<Assigned> {
    match document.section("env") {
        Some(section) if is_enabled(section, source, inherited, mistakes) => {
            assigned(section, source, inherited, mistakes)
        }
        Some(_) | None => Vec::new(),
    }
}

/// Variables of an environment section; they see only circusd's own environment.
fn assigned(
    section: &Section,
    source: &dyn Source,
    inherited: &Layer,
    mistakes: &mut Mistakes,
) -> Vec<Assigned> {
    let mut assigned = Vec::new();
    for entry in section.entries.iter().filter(|entry| &*entry.key != "enabled") {
        if entry.key.contains(char::is_whitespace) {
            mistakes.add(&entry.at, &entry.key, "is no name of a variable: it has blanks");
            continue;
        }
        let scope = Scope {
            variables: inherited,
            source,
            directory: entry.at.directory(),
            dollar_names: true,
            at_spawn: None,
        };
        if mistakes.is_full() {
            break;
        }
        match scope.expand(&entry.value) {
            Ok(expanded)
                if !mistakes.has_room(
                    &entry.at,
                    &entry.key,
                    expanded.bytes.len().saturating_sub(entry.value.len()),
                ) =>
            {
                break;
            }
            Ok(expanded) => assigned.push(Assigned {
                name: entry.key.as_bytes().into(),
                value: expanded.bytes.into(),
                secret: expanded.secret,
            }),
            Err(reasons) => {
                reasons.into_iter().for_each(|reason| mistakes.add(&entry.at, &entry.key, reason));
            }
        }
    }
    assigned
}

fn is_enabled(
    section: &Section,
    source: &dyn Source,
    layer: &Layer,
    mistakes: &mut Mistakes,
) -> bool {
    let Some(entry) = section.get("enabled") else {
        return true;
    };
    let scope = Scope {
        variables: layer,
        source,
        directory: entry.at.directory(),
        dollar_names: false,
        at_spawn: None,
    };
    let Some(value) = mistakes.expanded(&scope, entry) else {
        return true;
    };
    flag(&value.text).unwrap_or_else(|reason| {
        mistakes.wrong_value(entry, &reason);
        true
    })
}

impl<'a> Reading<'a> {
    /// A free name: it belongs to a plugin.
    pub fn is_free(&self, key: &str) -> bool {
        key.split_once('.').is_some_and(|(prefix, _)| self.free_prefixes.contains(prefix))
    }

    /// The names in /etc/hosts.
    pub fn hosts(&mut self) -> &[String] {
        let source = self.source;
        self.hosts.get_or_insert_with(|| {
            let content = source.read("/etc/hosts").unwrap_or_default();
            let text = String::from_utf8_lossy(&content).into_owned();
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
            let names = lines.flat_map(|line| line.split_ascii_whitespace().skip(1));
            names.map(str::to_owned).collect()
        })
    }

    /// Nothing that is still to be read would change what is told.
    pub fn is_over(&mut self) -> bool {
        self.mistakes.is_full()
            || self.mistakes.is_out_of_room()
            || self.environments.is_exhausted()
    }

    /// Notes something that will surprise.
    pub fn warn(&mut self, entry: &Entry, text: &str) {
        self.warnings.add(&entry.at, &entry.key, text);
    }

    fn document(&mut self, document: &'a Document, inherited: &Rc<Layer>) -> Config {
        for section in &document.sections {
            self.header(section, inherited);
        }
        let defaults = document.section("DEFAULT").filter(|section| self.is_enabled(section));
        let defaults: Vec<&Entry> =
            defaults.into_iter().flat_map(|section| &section.entries).collect();
        self.check_defaults(&defaults);
        let circus = match document.section("circus") {
            Some(section) if self.is_enabled(section) => self.circus(section),
            Some(_) | None => CircusSettings::default(),
        };
        let (sockets, switched_off) = self.sockets(document, &defaults);
        self.plugins(document, &defaults);
        let watchers = self.watchers(document, &defaults, &sockets, &switched_off);
        Config {
            circus,
            watchers,
            sockets,
            unsupported: std::mem::take(&mut self.later).into_words(),
            warnings: std::mem::take(&mut self.warnings).into_lines(),
        }
    }

    /// Notes what a header brings: variables, a plugin's name, or a mistake.
    fn header(&mut self, section: &'a Section, inherited: &Layer) {
        if self.mistakes.is_full() {
            return;
        }
        let header = &*section.header;
        if ["circus", "env", "DEFAULT"].contains(&header)
            || header.starts_with(['x', 'X']) && header[1..].starts_with(['_', '-'])
        {
            return;
        }
        match header.split_once(':') {
            Some(("watcher" | "socket", _)) => {}
            Some(("plugin", name)) => {
                self.free_prefixes.insert(name);
            }
            Some(("env", patterns)) => {
                if self.is_enabled(section) {
                    let variables = assigned(section, self.source, inherited, &mut self.mistakes);
                    if let Err(reason) = self.environments.add(patterns, variables) {
                        self.mistakes.add(&section.at, &format!("[{header}]"), reason);
                    }
                }
            }
            Some(_) | None => {
                self.mistakes.add(
                    &section.at,
                    &format!("[{}]", shortened(header)),
                    unknown_section(header),
                );
            }
        }
    }

    /// Not switched off by `enabled = False`.
    pub fn is_enabled(&mut self, section: &Section) -> bool {
        let general = self.general.clone();
        is_enabled(section, self.source, &general, &mut self.mistakes)
    }

    /// `[DEFAULT]` gives only what some kind of section knows, else it would hide a typing error.
    fn check_defaults(&mut self, defaults: &[&Entry]) {
        for entry in defaults {
            if self.mistakes.is_full() {
                return;
            }
            let key = &*entry.key;
            let known = options::find(&WATCHER, key).is_some()
                || options::find(&SOCKET, key).is_some()
                || options::find(&PLUGIN, key).is_some();
            if !known && !key.starts_with("x_") && !self.is_free(key) {
                self.mistakes.add(&entry.at, key, options::unknown(&WATCHER, "[DEFAULT]", key));
            }
        }
    }

    /// The value of an entry that sees circusd's environment and `[env]`.
    pub fn expanded(&mut self, entry: &Entry) -> Option<Value> {
        let scope = Scope {
            variables: &self.general,
            source: self.source,
            directory: entry.at.directory(),
            dollar_names: false,
            at_spawn: None,
        };
        self.mistakes.expanded(&scope, entry)
    }

    /// Checks an entry of a section of which all options are known.
    pub fn row<T, S>(
        &mut self,
        table: &'static [Row<T, S>],
        section: &str,
        entry: &Entry,
        to: &mut T,
    ) -> Option<(&'static Row<T, S>, Value)> {
        if entry.key.starts_with("x_") {
            return None;
        }
        let Some(row) = options::find(table, &entry.key) else {
            if !self.mistakes.is_full() {
                let text = options::unknown(table, section, &entry.key);
                self.mistakes.add(&entry.at, &entry.key, text);
            }
            return None;
        };
        let value = self.expanded(entry)?;
        if let Err(reason) = (row.parse)(to, &value.text) {
            self.mistakes.wrong_value(entry, &reason);
        }
        Some((row, value))
    }
}

fn unknown_section(header: &str) -> String {
    let (kind, name) = match header.split_once(':') {
        Some((kind, name)) => (kind, Some(name)),
        None => (header, None),
    };
    match (
        spelling::closest(kind.trim(), ["circus", "watcher", "env", "plugin", "socket", "DEFAULT"]),
        name,
    ) {
        (Some(near @ ("circus" | "DEFAULT")), _) | (Some(near @ "env"), None) => {
            format!("is no kind of section; did you mean `[{near}]`?")
        }
        (Some(near), name) => {
            let name = shortened(name.map_or("NAME", str::trim));
            format!("is no kind of section; did you mean `[{near}:{name}]`?")
        }
        (None, _) => {
            "is no kind of section; remove it, or name it `[x-…]` if it is your own".to_owned()
        }
    }
}

const INCLUDED_FILES_MAX: usize = 100;
