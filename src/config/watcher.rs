//! A section `[watcher:NAME]` becomes `WatcherSettings`.

use crate::config::change::NAME_BYTES_MAX;
use crate::config::draft::Draft;
use crate::config::environment::Recipe;
use crate::config::expand::{Layer, Scope};
use crate::config::ini::{Entry, Section};
use crate::config::later::is_wanted;
use crate::config::load::Reading;
use crate::config::mistake::Position;
use crate::config::options::{self, STREAM, StreamDraft, Support, WATCHER};
use crate::config::settings::{Hook, Readiness, ResourceLimit, Respawn, WatcherSettings};
use crate::config::{hooks, kernel, probe, program, spelling};
use std::rc::Rc;

/// The main command of the command line: its words are used as they are.
pub fn main_command<W: AsRef<[u8]>>(words: &[W]) -> WatcherSettings {
    let shown: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word.as_ref())).collect();
    let mut settings = Draft::with_defaults().settings;
    settings.name = "main".into();
    settings.cmd = shown.join(" ").into();
    settings.argv = Some(words.iter().map(|word| word.as_ref().into()).collect());
    settings.essential = true;
    settings.respawn = Respawn::Never;
    settings.priority = i32::MIN;
    settings.close_child_stdin = false;
    settings
}

/// A watcher that was read, with what can only be checked when all are known.
pub struct Read {
    /// The watcher.
    pub settings: WatcherSettings,
    /// Its section.
    pub at: Position,
    /// `depends_on`.
    pub depends_on: Option<Named>,
    /// Where the options are that ask for sockets.
    pub places: Vec<(&'static str, Position)>,
}

/// A value that names other sections.
pub struct Named {
    /// The value.
    pub text: Box<str>,
    /// Where it is.
    pub at: Position,
    /// It has no variables, so that it can be shown.
    pub is_plain: bool,
}

/// Reads one section; `defaults` are entries of `[DEFAULT]` that watchers know. `None` if it is
/// switched off or wrong.
pub fn read(
    reading: &mut Reading<'_>,
    section: &Section,
    defaults: &[&Entry],
    template: &Draft,
) -> Option<Read> {
    let written = section.entries.iter();
    let more: Vec<&Entry> =
        defaults.iter().copied().filter(|entry| section.get(&entry.key).is_none()).collect();
    let bytes = more.iter().map(|entry| entry.value.len() + ENTRY_BYTES).sum();
    if !reading.mistakes.has_room(&section.at, "[DEFAULT]", bytes) {
        return None;
    }
    let mut reader = Reader {
        entries: written.chain(more).collect(),
        draft: template.clone(),
        streams: Default::default(),
        hooks: Vec::new(),
        rlimits: Vec::new(),
        free: Vec::new(),
        kept: Vec::new(),
        masked: Vec::new(),
        later: Vec::new(),
        command_is_unknown: false,
        environment_is_partial: false,
    };
    let general = reading.general.clone();
    reader.rows(reading, &general, &["enabled", "name"]);
    if !reader.draft.enabled {
        return None;
    }
    let name = match &*reader.draft.name {
        "" => section.header.strip_prefix("watcher:").unwrap_or_default(),
        name => name,
    };
    if name.trim().is_empty() {
        reading.mistakes.add(&section.at, "[watcher:]", "has no name; write [watcher:NAME]");
        return None;
    }
    if name.len() > NAME_BYTES_MAX {
        let text = format!("has a name longer than {NAME_BYTES_MAX} bytes; choose a shorter one");
        reading.mistakes.add(&section.at, "[watcher:…]", text);
        return None;
    }
    reader.draft.settings.name = name.into();
    let sections = match reading.environments.sections_of(name) {
        Ok(sections) => sections,
        Err(missing) => {
            reading.mistakes.add(&section.at, missing.option, missing.text);
            return None;
        }
    };
    let recipe = Recipe { sections, ..Recipe::default() };
    let layer = reader.environment(reading, recipe.clone(), &section.at)?;
    reader.rows(reading, &layer, &ENVIRONMENT_OPTIONS);
    let layer = reader.whole_environment(reading, recipe, &section.at)?;
    for entry in reader.entries.clone() {
        let early = ["enabled", "name"].contains(&&*entry.key);
        if !early && !ENVIRONMENT_OPTIONS.contains(&&*entry.key) {
            reader.option(reading, &layer, entry);
        }
    }
    reader.finish(reading, section)
}

/// What an option takes beside its value.
pub const ENTRY_BYTES: usize = 128;
/// They make the environment with which all others are expanded.
const ENVIRONMENT_OPTIONS: [&str; 5] =
    ["copy_env", "env_file", "env_from_files", "virtualenv", "virtualenv_py_ver"];

/// They ask for sockets.
const SOCKET_OPTIONS: [&str; 7] =
    ["check", "cmd", "listen_fds", "on_demand", "ready", "stdin_socket", "use_sockets"];

struct Reader<'a> {
    entries: Vec<&'a Entry>,
    draft: Draft,
    streams: [(StreamDraft, Option<&'a Entry>); 2],
    hooks: Vec<Hook>,
    rlimits: Vec<ResourceLimit>,
    free: Vec<(Box<str>, Box<str>)>,
    kept: Vec<(Box<str>, Box<str>)>,
    masked: Vec<Box<str>>,
    later: Vec<String>,
    /// A variable in it is wrong, which was already reported.
    command_is_unknown: bool,
    /// Files of variables are missing, which was already reported.
    environment_is_partial: bool,
}

impl<'a> Reader<'a> {
    fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().copied().find(|entry| &*entry.key == key)
    }

    fn rows(&mut self, reading: &mut Reading<'_>, layer: &Layer, names: &[&str]) {
        for name in names {
            if let Some(entry) = self.entry(name) {
                self.option(reading, layer, entry);
            }
        }
    }

    fn environment(
        &mut self,
        reading: &mut Reading<'_>,
        recipe: Recipe,
        at: &Position,
    ) -> Option<Rc<Layer>> {
        match reading.environments.make(recipe) {
            Ok(environment) => {
                self.draft.settings.environment = environment.settings.clone();
                Some(environment.layer.clone())
            }
            Err(missing) => {
                let at = self.entry(missing.option).map_or(at, |entry| &entry.at);
                reading.mistakes.add(at, missing.option, missing.text);
                None
            }
        }
    }

    /// With files and the rest. Where they cannot be had the others are still checked.
    fn whole_environment(
        &mut self,
        reading: &mut Reading<'_>,
        recipe: Recipe,
        at: &Position,
    ) -> Option<Rc<Layer>> {
        let file = self.entry("env_file");
        let whole = Recipe {
            bare: !self.draft.copy_env,
            from_files: self.draft.env_from_files,
            env_file: self.draft.env_file.to_string(),
            env_file_is_secret: self.masked.iter().any(|option| **option == *"env_file"),
            directory: file.map_or("", |entry| entry.at.directory()).to_owned(),
            virtualenv: self.draft.virtualenv.to_string(),
            virtualenv_py_ver: self.draft.virtualenv_py_ver.to_string(),
            ..recipe.clone()
        };
        self.environment(reading, whole, at).or_else(|| {
            self.environment_is_partial = true;
            self.environment(reading, recipe, at)
        })
    }

    fn option(&mut self, reading: &mut Reading<'_>, layer: &Layer, entry: &'a Entry) {
        if reading.mistakes.is_full() {
            return;
        }
        let key = &*entry.key;
        let is_free = key.starts_with("x_") || reading.is_free(key);
        let row = options::find(&WATCHER, key).filter(|_| !is_free);
        let named = match row {
            Some(row) if row.name.ends_with('*') => check_family_name(key),
            None if !is_free => Err(unknown(key)),
            Some(_) | None => Ok(()),
        };
        if let Err(reason) = named {
            reading.mistakes.add(&entry.at, key, reason);
            return;
        }
        let scope = Scope {
            variables: layer,
            source: reading.source,
            directory: entry.at.directory(),
            dollar_names: false,
            at_spawn: is_command(entry).then_some(program::is_spawn_variable),
        };
        if self.environment_is_partial && scope.lacks_a_variable(&entry.value) {
            self.command_is_unknown |= key == "cmd";
            return;
        }
        let Some(value) = reading.mistakes.expanded(&scope, entry) else {
            self.command_is_unknown |= key == "cmd";
            return;
        };
        if value.secret {
            self.masked.push(key.into());
        }
        let text = &value.text;
        let result = match row {
            Some(row) if row.name.ends_with('*') => self.family(entry, text),
            Some(row) => (row.parse)(&mut self.draft, text),
            None => {
                self.free.push((key.into(), text.as_str().into()));
                Ok(())
            }
        };
        if let Err(reason) = result {
            reading.mistakes.wrong_value(entry, &reason);
        }
        if let Some(row) = row.filter(|row| row.is_kept())
            && (row.is_family() || !text.trim().is_empty() && text.trim() != row.default)
        {
            self.kept.push((key.into(), text.trim().into()));
        }
        if let Some(row) = row.filter(|row| row.support == Support::Later)
            && is_wanted(text, row.default)
        {
            let shown = key.split_once("_stream.").map(|(side, _)| format!("{side}_stream"));
            self.later.push(shown.unwrap_or(key.to_owned()));
        }
    }

    /// Options of which only the beginning is fixed. Their names were checked before.
    fn family(&mut self, entry: &'a Entry, text: &str) -> Result<(), String> {
        let key = &*entry.key;
        if let Some(name) = key.strip_prefix("hooks.") {
            return hooks::parse(name, text).map(|hook| self.hooks.push(hook));
        }
        if let Some(resource) = key.strip_prefix("rlimit_").and_then(kernel::resource) {
            let limit = kernel::resource_limit(resource, text)?;
            if self.rlimits.iter().all(|known| known.resource != resource) {
                self.rlimits.push(limit);
            }
            return Ok(());
        }
        let Some((side, name)) = key.split_once("_stream.") else {
            return Ok(());
        };
        let (draft, first) = &mut self.streams[usize::from(side == "stderr")];
        first.get_or_insert(entry);
        options::find(&STREAM, name).map_or(Ok(()), |row| (row.parse)(draft, text))
    }

    fn finish(mut self, reading: &mut Reading<'_>, section: &Section) -> Option<Read> {
        let at = &section.at;
        self.check_command(reading, at);
        self.check_streams(reading);
        let settings = &self.draft.settings;
        if settings.singleton && settings.numprocesses > 1 {
            let at = self.entry("numprocesses").map_or(at, |entry| &entry.at);
            reading.mistakes.add(
                at,
                "numprocesses",
                "is more than 1 for a singleton; remove one of the two",
            );
        }
        if reading.mistakes.is_full() {
            return None;
        }
        let identity = reading.users.identity(&self.draft.uid, &self.draft.gid);
        let identity = match identity {
            Ok(identity) => identity,
            Err(wrong) => {
                if let Some(entry) = self.entry(wrong.option) {
                    reading.mistakes.wrong_value(entry, &wrong.text);
                }
                None
            }
        };
        let placed = |text: &str, key: &str| match text.is_empty() {
            true => None,
            false => self.entry(key).map(|entry| Named {
                text: text.into(),
                at: entry.at.clone(),
                is_plain: &*entry.value == text,
            }),
        };
        let depends_on = placed(&self.draft.depends_on, "depends_on");
        let places = SOCKET_OPTIONS
            .iter()
            .filter_map(|name| self.entry(name).map(|entry| (*name, entry.at.clone())));
        let places = places.collect();
        if self.draft.settings.oneshot
            && self.draft.settings.ready != Readiness::Started
            && let Some(entry) = self.entry("ready")
        {
            reading.warn(entry, "is ignored: a oneshot is ready when it has completed");
        }
        let mut settings = self.draft.into_settings();
        settings.identity = identity;
        reading.doubt_probes(&settings, section);
        crate::sort::sort_by_key(&mut self.hooks, |hook| hook.name);
        settings.hooks = self.hooks.into();
        crate::sort::sort_by_key(&mut self.rlimits, |limit| limit.resource);
        settings.rlimits = self.rlimits.into();
        settings.free = self.free.into();
        settings.kept = self.kept.into();
        settings.masked = self.masked.into();
        reading.later.watcher(&settings.name, self.later);
        Some(Read { settings, at: at.clone(), depends_on, places })
    }

    fn check_command(&self, reading: &mut Reading<'_>, at: &Position) {
        let settings = &self.draft.settings;
        if settings.cmd.trim().is_empty() {
            let at = self.entry("cmd").map_or(at, |entry| &entry.at);
            let text = format!("is missing in [watcher:{}]; write `cmd = COMMAND`", settings.name);
            if !self.command_is_unknown {
                reading.mistakes.add(at, "cmd", text);
            }
            return;
        }
        for (option, reason) in program::wrong_words(settings) {
            if let Some(entry) = self.entry(option) {
                reading.mistakes.wrong_value(entry, &reason);
            }
        }
        if settings.shell_args.is_some()
            && !settings.shell
            && let Some(entry) = self.entry("shell_args")
        {
            reading.warn(entry, "is ignored without `shell = True`");
        }
    }

    fn check_streams(&self, reading: &mut Reading<'_>) {
        for ((stream, first), side) in self.streams.iter().zip(["stdout", "stderr"]) {
            let Some(first) = first else { continue };
            let class_is_wrong =
                self.entry(&format!("{side}_stream.class")).is_some() && stream.class.is_none();
            let text = match stream.class {
                None if class_is_wrong || stream.has_filename => continue,
                None => "needs a class or a filename",
                Some(class) if class.contains("FileStream") && !stream.has_filename => {
                    "needs a filename"
                }
                Some("TimedRotatingFileStream") if !stream.has_rotate_when => {
                    "needs rotate_when: S, M, H, D, MIDNIGHT, or W0 to W6"
                }
                Some(_) => continue,
            };
            reading.mistakes.add(&first.at, &format!("{side}_stream"), text);
        }
    }
}

/// The value is executed, so variables of the process are known when that happens.
fn is_command(entry: &Entry) -> bool {
    match &*entry.key {
        "cmd" | "args" | "shell_args" => true,
        "ready" | "check" => entry.value.starts_with(probe::EXEC),
        key => key.starts_with("hooks."),
    }
}

/// The free part of a name whose beginning is fixed.
pub fn check_family_name(key: &str) -> Result<(), String> {
    if let Some(name) = key.strip_prefix("hooks.") {
        return hooks::check_name(name);
    }
    if let Some(name) = key.strip_prefix("rlimit_") {
        return match kernel::resource(name) {
            Some(_) => Ok(()),
            None => {
                let names = kernel::resource_names();
                let question = spelling::question(&name.to_lowercase(), names);
                Err(format!("is no resource limit{question}; limits are those of setrlimit(2)"))
            }
        };
    }
    let name = key.split_once('.').map_or("", |(_, name)| name);
    if options::find(&STREAM, name).is_some() || name.starts_with("x_") {
        return Ok(());
    }
    let names: Vec<&str> = STREAM.iter().map(|row| row.name).collect();
    let question = spelling::question(name, names.iter().copied());
    Err(format!("is no option of a stream{question}; there are {}", names.join(", ")))
}

fn unknown(key: &str) -> String {
    if key == "env" || key.starts_with("env.") {
        return "belongs into a section of its own; write [env:NAME] with one variable a line"
            .to_owned();
    }
    if key == "stdout_stream" || key == "stderr_stream" {
        return format!("has parts; write `{key}.class = FileStream` and `{key}.filename = PATH`");
    }
    options::unknown(&WATCHER, "[watcher:NAME]", key)
}
