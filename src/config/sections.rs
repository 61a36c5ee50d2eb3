//! Sections of which there may be many: plugins, watchers, and whether they fit together.

use crate::config::draft::Draft;
use crate::config::ini::{Document, Entry, Section};
use crate::config::load::Reading;
use crate::config::mistake::shortened;
use crate::config::options::{self, PLUGIN, WATCHER};
use crate::config::settings::{Dependency, SocketSettings, WatcherSettings};
use crate::config::watcher::{self, ENTRY_BYTES, Named, Read};
use crate::config::{dependencies, spelling};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

impl<'a> Reading<'a> {
    /// Checks what circusd itself knows of plugins.
    pub fn plugins(&mut self, document: &Document, defaults: &[&Entry]) {
        let defaults = known(defaults, |key| {
            options::find(&PLUGIN, key).is_some() || options::find(&WATCHER, key).is_some()
        });
        let mut count = 0;
        for section in &document.sections {
            if !section.header.starts_with("plugin:") || !self.is_enabled(section) {
                continue;
            }
            if !self.is_one_more(section, count, PLUGINS_MAX) {
                break;
            }
            count += 1;
            let mut class = String::new();
            for entry in self.with_defaults(section, &defaults) {
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
                let header = shortened(&section.header);
                let text = format!("is missing in [{header}]; write `use = module.Class`");
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
        sockets: &[Rc<SocketSettings>],
        switched_off: &BTreeSet<String>,
    ) -> Vec<Rc<WatcherSettings>> {
        let defaults = known(defaults, |key| options::find(&WATCHER, key).is_some());
        let template = Draft::with_defaults();
        let mut watchers = Vec::new();
        let mut left_out = BTreeSet::new();
        for section in &document.sections {
            let Some(name) = section.header.strip_prefix("watcher:") else {
                continue;
            };
            if !self.is_one_more(section, watchers.len(), WATCHERS_MAX) {
                break;
            }
            match watcher::read(self, section, &defaults, &template) {
                Some(read) => watchers.push(read),
                None => {
                    left_out.insert(name);
                }
            }
        }
        crate::sort::sort_by(&mut watchers, |a, b| a.settings.name.cmp(&b.settings.name));
        self.check_names(&watchers);
        self.resolve_dependencies(&mut watchers, &left_out);
        self.doubt_dependencies(&watchers);
        self.check_sockets(&watchers, sockets, switched_off);
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

    /// What they depend on is known, and can ever be had.
    fn resolve_dependencies(&mut self, watchers: &mut [Read], left_out: &BTreeSet<&str>) {
        let oneshots: BTreeMap<Box<str>, bool> = watchers
            .iter()
            .map(|read| (read.settings.name.clone(), read.settings.oneshot))
            .collect();
        for read in watchers.iter_mut() {
            let Some(Named { text, at, is_plain }) = &read.depends_on else {
                continue;
            };
            let is_known = |name: &str| oneshots.contains_key(name) || left_out.contains(name);
            let mut all = Vec::new();
            if dependencies::items(text, is_known).is_empty() && !text.trim().is_empty() {
                self.mistakes.add(at, "depends_on", dependencies::NOBODY);
            }
            for (name, written) in dependencies::items(text, is_known) {
                if self.is_over() || !self.mistakes.has_room(at, "depends_on", DEPENDENCY_BYTES) {
                    return;
                }
                match oneshots
                    .get(name)
                    .map(|is_oneshot| dependencies::gate(name, written, *is_oneshot))
                {
                    Some(_) if name == &*read.settings.name => {
                        self.mistakes.add(at, "depends_on", dependencies::OWN);
                    }
                    Some(Ok(gate)) => all.push(Dependency { name: name.into(), gate }),
                    Some(Err(reason)) => self.mistakes.add(at, "depends_on", reason),
                    None if left_out.contains(name) => {
                        let name = shortened(name);
                        let text =
                            format!("watcher {name} is switched off, so nothing waits for it");
                        self.warnings.add(at, "depends_on", &text);
                    }
                    None => {
                        let known = || oneshots.keys().map(|name| &**name);
                        let text = match dependencies::wrong_gate(name, is_known) {
                            Some(text) => text,
                            None if *is_plain => {
                                let question = spelling::question(name, known());
                                format!("there is no watcher `{}`{question}", shortened(name))
                            }
                            None => {
                                format!("there is no watcher{}", spelling::question(name, known()))
                            }
                        };
                        self.mistakes.add(at, "depends_on", text);
                    }
                }
            }
            read.settings.depends_on = dependencies::unique(all);
        }
        self.check_circles(watchers);
    }

    fn check_circles(&mut self, watchers: &[Read]) {
        let needs = watchers
            .iter()
            .map(|read| (&*read.settings.name, &*read.settings.depends_on))
            .collect();
        let circles = dependencies::circles(&needs);
        if circles.is_empty() {
            return;
        }
        let places: BTreeMap<&str, &Read> =
            watchers.iter().map(|read| (&*read.settings.name, read)).collect();
        for circle in circles {
            let at = places.get(circle[0]).and_then(|read| read.depends_on.as_ref());
            if let Some(Named { at, .. }) = at {
                let circle = dependencies::shown(&circle);
                let text = format!("goes round in a circle: {circle}; remove one");
                self.mistakes.add(at, "depends_on", text);
            }
        }
    }

    /// There may be so many of a kind, and all is still well.
    pub fn is_one_more(&mut self, section: &Section, count: usize, most: usize) -> bool {
        if count == most {
            let header = format!("[{}]", section.header);
            let text = format!("is one more than the {most} of its kind that there may be");
            self.mistakes.add(&section.at, &header, text);
        }
        count < most && !self.is_over()
    }

    /// Entries of a section, then those of `[DEFAULT]` that it does not have.
    pub fn with_defaults<'e>(
        &mut self,
        section: &'e Section,
        defaults: &[&'e Entry],
    ) -> Vec<&'e Entry> {
        let more = defaults.iter().copied().filter(|entry| section.get(&entry.key).is_none());
        let more: Vec<&Entry> = more.collect();
        let bytes = more.iter().map(|entry| entry.value.len() + ENTRY_BYTES).sum();
        if !self.mistakes.has_room(&section.at, "[DEFAULT]", bytes) {
            return Vec::new();
        }
        section.entries.iter().chain(more).collect()
    }
}

/// Entries of `[DEFAULT]` that are known to a kind of section.
fn known<'e>(defaults: &[&'e Entry], is_known: impl Fn(&str) -> bool) -> Vec<&'e Entry> {
    defaults.iter().copied().filter(|entry| is_known(&entry.key)).collect()
}

/// What an item of `depends_on` takes.
const DEPENDENCY_BYTES: usize = 48;
const WATCHERS_MAX: usize = 10_000;
const PLUGINS_MAX: usize = 1000;
