//! Sections of which there may be many: sockets, plugins, watchers, and whether they fit together.

use crate::config::draft::Draft;
use crate::config::ini::{Document, Entry, Section};
use crate::config::load::Reading;
use crate::config::mistake::Position;
use crate::config::options::{self, PLUGIN, SOCKET, WATCHER};
use crate::config::settings::WatcherSettings;
use crate::config::watcher::{self, Named, Read};
use crate::config::{dependencies, spelling};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

impl<'a> Reading<'a> {
    /// Checks the sockets. Returns their names, those of switched off ones too.
    pub fn sockets(&mut self, document: &Document, defaults: &[&Entry]) -> BTreeSet<String> {
        let mut names: BTreeMap<String, &Position> = BTreeMap::new();
        for section in &document.sections {
            let Some(name) = section.header.strip_prefix("socket:") else {
                continue;
            };
            let name = name.to_lowercase();
            let header = format!("[{}]", section.header);
            if name.trim().is_empty() {
                self.mistakes.add(&section.at, &header, "has no name; write [socket:NAME]");
            }
            if let Some(first) = names.insert(name, &section.at) {
                let text = format!("is there already in {}:{}; rename one", first.file, first.line);
                self.mistakes.add(&section.at, &header, text);
            }
            if !self.is_enabled(section) {
                continue;
            }
            for entry in
                with_defaults(section, defaults, |key| options::find(&SOCKET, key).is_some())
            {
                self.row(&SOCKET, "[socket:NAME]", entry, &mut ());
            }
            self.later.section(&section.header);
        }
        names.into_keys().collect()
    }

    /// Checks what circusd itself knows of plugins.
    pub fn plugins(&mut self, document: &Document, defaults: &[&Entry]) {
        for section in &document.sections {
            if !section.header.starts_with("plugin:") || !self.is_enabled(section) {
                continue;
            }
            let known = |key: &str| {
                options::find(&PLUGIN, key).is_some() || options::find(&WATCHER, key).is_some()
            };
            let mut class = String::new();
            for entry in with_defaults(section, defaults, known) {
                if options::find(&PLUGIN, &entry.key).is_none() {
                    self.expanded(entry);
                } else if let Some((row, value)) =
                    self.row(&PLUGIN, "[plugin:NAME]", entry, &mut ())
                    && row.name == "use"
                {
                    class = value.text;
                }
            }
            if class.trim().is_empty() {
                let at = section.get("use").map_or(&section.at, |entry| &entry.at);
                let text =
                    format!("is missing in [{}]; write `use = module.Class`", section.header);
                self.mistakes.add(at, "use", text);
            }
            self.later.section(&section.header);
        }
    }

    /// Reads the watchers, sorted by name.
    pub fn watchers(
        &mut self,
        document: &Document,
        defaults: &[&Entry],
        sockets: &BTreeSet<String>,
    ) -> Vec<Rc<WatcherSettings>> {
        let known = |entry: &&Entry| options::find(&WATCHER, &entry.key).is_some();
        let defaults: Vec<&Entry> = defaults.iter().copied().filter(known).collect();
        let template = Draft::with_defaults();
        let mut watchers = Vec::new();
        let mut left_out = BTreeSet::new();
        for section in &document.sections {
            let Some(name) = section.header.strip_prefix("watcher:") else {
                continue;
            };
            if watchers.len() == WATCHERS_MAX {
                let text = format!("there are more than {WATCHERS_MAX} watchers");
                self.mistakes.add(&section.at, "", text);
                break;
            }
            match watcher::read(self, section, &defaults, &template) {
                Some(read) => watchers.push(read),
                None => {
                    left_out.insert(name);
                }
            }
        }
        watchers.sort_by(|a, b| a.settings.name.cmp(&b.settings.name));
        self.check_names(&watchers);
        self.check_dependencies(&watchers, &left_out);
        self.check_stdin_sockets(&watchers, sockets);
        let settings = watchers.into_iter().map(|read| Rc::new(read.settings));
        let mut settings: Vec<Rc<WatcherSettings>> = settings.collect();
        // The collection took over the memory of the larger elements.
        settings.shrink_to_fit();
        settings
    }

    /// Commands of clients are not case-sensitive, so names that differ only in case would hide
    /// each other.
    fn check_names(&mut self, watchers: &[Read]) {
        let mut places: BTreeMap<String, &Read> = BTreeMap::new();
        for read in watchers {
            if let Some(first) = places.insert(read.settings.name.to_lowercase(), read) {
                let (first, second) = match first.at.line <= read.at.line {
                    true => (first, read),
                    false => (read, first),
                };
                let header = format!("[watcher:{}]", second.settings.name);
                let text = format!(
                    "has the same name as [watcher:{}] in {}:{}, case does not count; rename one",
                    first.settings.name, first.at.file, first.at.line
                );
                self.mistakes.add(&second.at, &header, text);
            }
        }
    }

    fn check_dependencies(&mut self, watchers: &[Read], left_out: &BTreeSet<&str>) {
        let places: BTreeMap<&str, &Read> =
            watchers.iter().map(|read| (&*read.settings.name, read)).collect();
        let is_known = |name: &str| places.contains_key(name) || left_out.contains(name);
        let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for read in watchers {
            let Some(Named { text, at, is_plain }) = &read.depends_on else {
                continue;
            };
            let mut list = dependencies::names(text, is_known);
            for name in list.iter().filter(|name| !is_known(name)) {
                let question = spelling::question(name, places.keys().copied());
                let name = if *is_plain { format!(" `{name}`") } else { String::new() };
                let text = format!("there is no watcher{name}{question}");
                self.mistakes.add(at, "depends_on", text);
            }
            for name in list.iter().filter(|name| left_out.contains(*name)) {
                let text = format!("watcher {name} is switched off, so nothing waits for it");
                self.warnings.push(format!("{}:{}: depends_on: {text}", at.file, at.line));
            }
            list.retain(|name| places.contains_key(name));
            needs.insert(&read.settings.name, list);
        }
        for circle in dependencies::circles(&needs) {
            let at = places.get(circle[0]).and_then(|read| read.depends_on.as_ref());
            if let Some(Named { at, .. }) = at {
                let text = format!("goes round in a circle: {}; remove one", shown(&circle));
                self.mistakes.add(at, "depends_on", text);
            }
        }
    }

    fn check_stdin_sockets(&mut self, watchers: &[Read], sockets: &BTreeSet<String>) {
        for Named { text: name, at, is_plain } in
            watchers.iter().filter_map(|read| read.stdin_socket.as_ref())
        {
            if !sockets.contains(&name.to_lowercase()) {
                let question = spelling::question(name, sockets.iter().map(String::as_str));
                let name = if *is_plain { &**name } else { "…" };
                let text = format!("there is no section [socket:{name}]{question}");
                self.mistakes.add(at, "stdin_socket", text);
            }
        }
    }
}

/// Entries of a section, then those of `[DEFAULT]` that it knows and does not have.
fn with_defaults<'e>(
    section: &'e Section,
    defaults: &[&'e Entry],
    known: impl Fn(&str) -> bool,
) -> Vec<&'e Entry> {
    let more = defaults.iter().copied();
    let more = more.filter(|entry| known(&entry.key) && section.get(&entry.key).is_none());
    section.entries.iter().chain(more).collect()
}

/// The names on a circle; of a long one the beginning and the end.
fn shown(circle: &[&str]) -> String {
    match circle {
        [first @ .., last] if first.len() > CIRCLE_SHOWN => {
            format!("{} -> … -> {last}", first[..CIRCLE_SHOWN].join(" -> "))
        }
        circle => circle.join(" -> "),
    }
}

const CIRCLE_SHOWN: usize = 10;
const WATCHERS_MAX: usize = 10_000;
