//! Environments of watchers: `[env]`, `[env:PATTERN]`, `env_file`, `virtualenv`, `env_from_files`.
//! Watchers with equal environments share one.

use crate::config::change::NAME_BYTES_MAX;
use crate::config::expand::{Layer, content_of, joined};
use crate::config::mistake::shortened;
use crate::config::settings::{EnvironmentSettings, Variable};
use crate::config::value::items;
use crate::config::{Source, env_file};
use crate::pattern::{self, Pattern};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A variable of an `[env]` section, its value already complete.
#[derive(Debug)]
pub struct Assigned {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its value, byte-exact.
    pub value: Box<[u8]>,
    /// A part of it comes from a file.
    pub secret: bool,
}

/// All that makes environments, and those that were already made.
pub struct Environments<'a> {
    source: &'a dyn Source,
    inherited: Rc<Layer>,
    inherited_names: &'a [Variable],
    general: Vec<Assigned>,
    sections: Vec<Vec<Assigned>>,
    by_name: BTreeMap<Box<str>, Vec<usize>>,
    by_pattern: Vec<(Pattern, usize, usize)>,
    made: BTreeMap<Recipe, Rc<Environment>>,
    shared: BTreeSet<Rc<EnvironmentSettings>>,
    /// How much all of them may still take.
    room_bytes: usize,
    /// How much names may still be compared with patterns: products of lengths.
    room_steps: usize,
}

/// What an environment is made from. Equal recipes give the same environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Recipe {
    /// Sections that apply, in order.
    pub sections: Vec<usize>,
    /// Not from circusd's own environment (`copy_env = False`).
    pub bare: bool,
    /// `env_from_files`.
    pub from_files: bool,
    /// `env_file`, as written.
    pub env_file: String,
    /// A part of that comes from a file, and is not shown.
    pub env_file_is_secret: bool,
    /// Directory that files are relative to.
    pub directory: String,
    /// `virtualenv`.
    pub virtualenv: String,
    /// `virtualenv_py_ver`.
    pub virtualenv_py_ver: String,
}

/// An environment that is complete.
#[derive(Debug)]
pub struct Environment {
    /// For the process.
    pub settings: Rc<EnvironmentSettings>,
    /// For `$(circus.env.NAME)`; circusd's own is seen even where the process does not get it.
    pub layer: Rc<Layer>,
}

/// An option that asks for something that cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// The option.
    pub option: &'static str,
    /// What is wrong and what to do.
    pub text: String,
}

type Set = BTreeMap<Box<[u8]>, (Box<[u8]>, bool)>;

impl<'a> Environments<'a> {
    /// With `[env]`; `inherited` as a layer and as it is.
    pub fn new(
        source: &'a dyn Source,
        inherited: Rc<Layer>,
        inherited_names: &'a [Variable],
        general: Vec<Assigned>,
    ) -> Environments<'a> {
        Environments {
            source,
            inherited,
            inherited_names,
            general,
            sections: Vec::new(),
            by_name: BTreeMap::new(),
            by_pattern: Vec::new(),
            made: BTreeMap::new(),
            shared: BTreeSet::new(),
            room_bytes: ALL_BYTES_MAX,
            room_steps: STEPS_MAX,
        }
    }

    /// Adds `[env:PATTERNS]`; later ones override.
    pub fn add(&mut self, patterns: &str, assigned: Vec<Assigned>) -> Result<(), String> {
        let section = self.sections.len();
        self.sections.push(assigned);
        for name in patterns.split(',').map(str::trim) {
            if name.len() > NAME_BYTES_MAX {
                return Err(format!(
                    "has a name longer than {NAME_BYTES_MAX} bytes, as no watcher has; shorten it"
                ));
            }
            if pattern::is_pattern(name) {
                self.by_pattern.push((Pattern::new(name), name.len(), section));
            } else {
                self.by_name.entry(name.into()).or_default().push(section);
            }
        }
        Ok(())
    }

    /// Sections that apply to a watcher, in order.
    pub fn sections_of(&mut self, watcher: &str) -> Result<Vec<usize>, Unavailable> {
        let mut sections = self.by_name.get(watcher).cloned().unwrap_or_default();
        let name: Vec<char> = watcher.chars().collect();
        for (pattern, length, section) in &self.by_pattern {
            self.room_steps = self.room_steps.saturating_sub((length + 1) * (name.len() + 1));
            if self.room_steps == 0 {
                let text = "has too many sections [env:PATTERN] for so many watchers; write names";
                return Err(Unavailable { option: "env", text: text.to_owned() });
            }
            if pattern.matches(&name) {
                sections.push(*section);
            }
        }
        sections.sort_unstable();
        sections.dedup();
        Ok(sections)
    }

    /// No further environment can be had; the mistake was told.
    pub fn is_exhausted(&self) -> bool {
        self.room_bytes == 0 || self.room_steps == 0
    }

    /// The environment of a recipe.
    pub fn make(&mut self, recipe: Recipe) -> Result<Rc<Environment>, Unavailable> {
        if let Some(environment) = self.made.get(&recipe) {
            return Ok(environment.clone());
        }
        self.take_room(weight(&self.general))?;
        for section in &recipe.sections {
            self.take_room(weight(&self.sections[*section]))?;
        }
        let mut set = Set::new();
        assign(&mut set, &self.general);
        self.assign_files(&mut set, &recipe)?;
        for section in &recipe.sections {
            assign(&mut set, &self.sections[*section]);
        }
        self.assign_virtualenv(&mut set, &recipe)?;
        self.assign_contents(&mut set, &recipe)?;
        let environment = Rc::new(self.environment(&recipe, set));
        self.made.insert(recipe, environment.clone());
        Ok(environment)
    }

    /// Every watcher may have an environment of its own, and all that are in it.
    fn take_room(&mut self, bytes: usize) -> Result<(), Unavailable> {
        self.room_bytes = self.room_bytes.saturating_sub(bytes);
        if self.room_bytes > 0 {
            return Ok(());
        }
        let text = "makes the environments of all watchers together larger than 32 MiB; give them fewer variables of their own";
        Err(Unavailable { option: "env", text: text.to_owned() })
    }

    fn environment(&mut self, recipe: &Recipe, set: Set) -> Environment {
        let mut layer = Layer::over(self.inherited.clone());
        for (name, (value, secret)) in &set {
            layer.set(name, value, *secret);
        }
        let secret = set.iter().filter(|(_, (_, secret))| *secret);
        let settings = EnvironmentSettings {
            inherit: !recipe.bare,
            from_files: recipe.from_files,
            masked: secret.map(|(name, _)| name.clone()).collect(),
            set: set.into_iter().map(|(name, (value, _))| (name, value)).collect(),
        };
        let settings = match self.shared.get(&settings) {
            Some(shared) => shared.clone(),
            None => Rc::new(settings),
        };
        self.shared.insert(settings.clone());
        Environment { settings, layer: Rc::new(layer) }
    }

    fn assign_files(&mut self, set: &mut Set, recipe: &Recipe) -> Result<(), Unavailable> {
        for item in items(&recipe.env_file) {
            self.take_room(VARIABLE_BYTES)?;
            let path = item.strip_prefix('?').unwrap_or(item);
            let shown =
                if recipe.env_file_is_secret { "the file".to_owned() } else { shortened(path) };
            let content = match self.source.read(&joined(&recipe.directory, path)) {
                Ok(content) => content,
                Err(_) if item.starts_with('?') => continue,
                Err(reason) => {
                    let advice = match recipe.env_file_is_secret {
                        true => "write `?` before it".to_owned(),
                        false => format!("write `?{shown}`"),
                    };
                    let text =
                        format!("cannot read {shown}: {reason}; {advice} if it may be missing");
                    return Err(Unavailable { option: "env_file", text });
                }
            };
            self.take_room(content.len())?;
            let variables = env_file::parse(&content).map_err(|reason| Unavailable {
                option: "env_file",
                text: format!("cannot use {shown}: {reason}"),
            })?;
            self.take_room(variables.len() * VARIABLE_BYTES)?;
            for (name, value) in variables {
                set.insert(name, (value, true));
            }
        }
        Ok(())
    }

    /// What `bin/activate` does, and Circus: programs and modules of the directory come first.
    fn assign_virtualenv(&mut self, set: &mut Set, recipe: &Recipe) -> Result<(), Unavailable> {
        if recipe.virtualenv.is_empty() {
            return Ok(());
        }
        let root = joined(&self.source.current_dir(), &recipe.virtualenv);
        let version = match recipe.virtualenv_py_ver.as_str() {
            "" => "*",
            version => version,
        };
        // A source looks for patterns in one directory only.
        let versions = self.source.glob(&format!("{root}/lib/python{version}"));
        let modules: Vec<String> =
            versions.iter().map(|directory| format!("{directory}/site-packages")).collect();
        let path = self.value(set, recipe, b"PATH").unwrap_or(b"/bin:/usr/bin".to_vec());
        let path = [root.as_bytes(), b"/bin:", &path].concat();
        self.take_room(path.len() + modules.iter().map(String::len).sum::<usize>())?;
        set.insert(b"PATH"[..].into(), (path.into(), false));
        set.insert(b"VIRTUAL_ENV"[..].into(), (root.into_bytes().into(), false));
        if !modules.is_empty() {
            let mut all = modules.join(":").into_bytes();
            if let Some(before) =
                self.value(set, recipe, b"PYTHONPATH").filter(|text| !text.is_empty())
            {
                all.push(b':');
                all.extend(before);
            }
            set.insert(b"PYTHONPATH"[..].into(), (all.into(), false));
        }
        Ok(())
    }

    /// `NAME_FILE=path` gives `NAME` the content of the file.
    fn assign_contents(&mut self, set: &mut Set, recipe: &Recipe) -> Result<(), Unavailable> {
        if !recipe.from_files {
            return Ok(());
        }
        let inherited = self.inherited_names.iter().filter(|_| !recipe.bare);
        let mut names: BTreeSet<Box<[u8]>> = inherited.map(|(name, _)| name.clone()).collect();
        names.extend(set.keys().cloned());
        self.take_room(names.len() * VARIABLE_BYTES)?;
        for file_name in &names {
            let Some(name) = file_name.strip_suffix(b"_FILE").filter(|name| !name.is_empty())
            else {
                continue;
            };
            let path = self.value(set, recipe, file_name).filter(|path| !path.is_empty());
            let Some(path) = path.filter(|_| !names.contains(name)) else {
                continue;
            };
            let shown = shortened(&String::from_utf8_lossy(file_name));
            let unavailable = |reason: &str| Unavailable {
                option: "env_from_files",
                text: format!("cannot read the file that {shown} names: {reason}"),
            };
            let path = String::from_utf8(path).map_err(|_| unavailable("its path is not UTF-8"))?;
            let content = content_of(self.source, &path).map_err(|reason| unavailable(&reason))?;
            self.take_room(content.len())?;
            set.insert(name.into(), (content.into(), true));
        }
        Ok(())
    }

    fn value(&self, set: &Set, recipe: &Recipe, name: &[u8]) -> Option<Vec<u8>> {
        match set.get(name) {
            Some((value, _)) => Some(value.to_vec()),
            None if recipe.bare => None,
            None => self.inherited.exact(name).map(|known| known.value.to_vec()),
        }
    }
}

/// What these variables take, roughly.
fn weight(assigned: &[Assigned]) -> usize {
    let bytes = assigned.iter().map(|it| it.name.len() + it.value.len() + VARIABLE_BYTES);
    bytes.sum()
}

fn assign(set: &mut Set, assigned: &[Assigned]) {
    for variable in assigned {
        set.insert(variable.name.clone(), (variable.value.clone(), variable.secret));
    }
}

/// What a variable takes beside its name and value.
const VARIABLE_BYTES: usize = 64;
const ALL_BYTES_MAX: usize = 32 << 20;
/// Part of a second.
const STEPS_MAX: usize = 50_000_000;
