//! Options that a client sets, with its errors in Circus's words. The table of options rules here
//! too: a JSON value becomes the text that a file would have. All options are taken or none.
//!
//! Text of a client is literal: circusd reads no file for it, and replaces no variable but those
//! that are replaced when a process starts.

use crate::config::draft::Draft;
use crate::config::later::is_wanted;
use crate::config::options::{self, Row, Support, WATCHER};
use crate::config::settings::{EnvironmentSettings, ResourceLimit, WatcherSettings};
use crate::config::show::MASK;
use crate::config::users::Users;
use crate::config::watcher::check_family_name;
use crate::config::{Source, hooks, kernel, program, python, words};
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Why options of a client are not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The request is wrong in itself; otherwise it cannot be carried out.
    pub is_message: bool,
    /// A sentence.
    pub reason: String,
}

/// The settings with these options changed, and the names of the options, each once.
pub fn changed(
    settings: &WatcherSettings,
    options: &[(Box<str>, Value)],
    source: &dyn Source,
) -> Result<(WatcherSettings, Vec<Box<str>>), Refused> {
    let mut changing = Changing::of(settings);
    let mut names: Vec<Box<str>> = Vec::new();
    for (name, value) in options {
        changing.set(name, value)?;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let settings = changing.finish(source)?;
    if settings.singleton && settings.numprocesses > 1 {
        return Err(failed("Singleton watcher has a single process"));
    }
    Ok((settings, names))
}

/// A new watcher. It gets circusd's environment as every watcher does, and nothing of `[env]`.
pub fn added(
    name: &str,
    cmd: &str,
    args: Option<&Value>,
    options: &[(Box<str>, Value)],
    source: &dyn Source,
) -> Result<WatcherSettings, Refused> {
    if name.trim().is_empty() {
        return Err(wrong("'name' is empty; a watcher needs a name"));
    }
    if name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return Err(wrong(format!(
            "'name' is longer than {NAME_BYTES_MAX} bytes, or has characters that cannot be shown"
        )));
    }
    let mut draft = Draft::with_defaults();
    draft.settings.name = name.into();
    let mut changing = Changing::new(draft);
    changing.set("cmd", &cmd.into())?;
    if let Some(args) = args {
        changing.set("args", args)?;
    }
    for (name, value) in options {
        changing.set(name, value)?;
    }
    let settings = changing.finish(source)?;
    if settings.singleton && settings.numprocesses > 1 {
        let number = settings.numprocesses;
        // Two blanks: clients compare it with what Circus says.
        return Err(failed(format!("Cannot have {number} processes with a singleton  watcher")));
    }
    Ok(settings)
}

/// Settings while options are being set.
struct Changing {
    draft: Draft,
    rlimits: Vec<ResourceLimit>,
    kept: Vec<(Box<str>, Box<str>)>,
    free: Vec<(Box<str>, Box<str>)>,
    masked: Vec<Box<str>>,
    environment: Option<EnvironmentSettings>,
    command: bool,
    identity: bool,
}

impl Changing {
    fn of(settings: &WatcherSettings) -> Changing {
        Changing::new(Draft::of(settings))
    }

    fn new(draft: Draft) -> Changing {
        let settings = &draft.settings;
        Changing {
            rlimits: settings.rlimits.to_vec(),
            kept: settings.kept.to_vec(),
            free: settings.free.to_vec(),
            masked: settings.masked.to_vec(),
            environment: None,
            command: false,
            identity: false,
            draft,
        }
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), Refused> {
        let is_masked = self.masked.iter().any(|masked| **masked == *key);
        if is_masked && value.as_str() == Some(MASK) {
            // A client sends back what it was shown.
            return Ok(());
        }
        match key {
            "env" => self.variables(value)?,
            "hooks" => return Err(refuse_hooks(value)),
            "stdout_stream" | "stderr_stream" => return Err(refuse_stream(key, value)),
            // Circus takes it too, and it belongs to the flapping plugin.
            "retry_in" => drop(number(key, value)?),
            _ => match options::find(&WATCHER, key)
                .filter(|row| row.support != Support::Meaningless)
            {
                Some(row) => self.option(row, key, value)?,
                None => self.free(key, value)?,
            },
        }
        self.masked.retain(|masked| **masked != *key);
        Ok(())
    }

    fn option(
        &mut self,
        row: &'static Row<Draft, WatcherSettings>,
        key: &str,
        value: &Value,
    ) -> Result<(), Refused> {
        if FILE_OPTIONS.contains(&key) {
            return Err(wrong(format!(
                "'{key}' cannot be set by a command; write it into the file"
            )));
        }
        if self.draft.settings.argv.is_some() && COMMAND_OPTIONS.contains(&key) {
            return Err(failed(format!(
                "'{key}' cannot be set: the command is that of circusd's command line"
            )));
        }
        if let Some(name) = key.strip_prefix("rlimit_") {
            return self.limit(key, name, value);
        }
        if row.is_family() {
            check_family_name(key).map_err(|reason| wrong(format!("'{key}' {reason}")))?;
        }
        let text = text_of(row, key, value)?;
        if row.support == Support::Later && is_wanted(&text, row.default) {
            return Err(failed(format!("'{key}' is not supported yet")));
        }
        (row.parse)(&mut self.draft, &text).map_err(|reason| wrong(format!("'{key}' {reason}")))?;
        if row.is_kept() {
            self.kept.retain(|(name, _)| **name != *key);
            if !text.trim().is_empty() && text.trim() != row.default {
                self.kept.push((key.into(), text.trim().into()));
            }
        }
        self.command |= COMMAND_OPTIONS.contains(&key);
        self.identity |= ["uid", "gid"].contains(&key);
        Ok(())
    }

    fn limit(&mut self, key: &str, name: &str, value: &Value) -> Result<(), Refused> {
        let Some(resource) = kernel::resource(name) else {
            return Err(wrong(format!("'{key}' isn't a valid rlimit setting")));
        };
        let text = match value {
            Value::Null => Some(String::new()),
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            value => integer(value),
        };
        let limit = text.and_then(|text| kernel::resource_limit(resource, &text).ok());
        let Some(limit) = limit else {
            return Err(wrong(format!("{} rlimit value isn't a valid int", python::repr(value))));
        };
        self.rlimits.retain(|known| known.resource != resource);
        self.rlimits.push(limit);
        Ok(())
    }

    /// All variables that are set, in place of those that were.
    fn variables(&mut self, value: &Value) -> Result<(), Refused> {
        let Value::Object(object) = value else {
            return Err(wrong("'env' isn't a valid object"));
        };
        let old = self.draft.settings.environment.clone();
        let mut set: BTreeMap<Box<[u8]>, Box<[u8]>> = BTreeMap::new();
        let mut masked = Vec::new();
        for (name, value) in object {
            let Value::String(value) = value else {
                return Err(wrong(format!("'{name}' isn't a string")));
            };
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(wrong(format!("'{name}' cannot be a variable of the environment")));
            }
            let name: Box<[u8]> = name.as_bytes().into();
            let kept = old.set.iter().find(|(known, _)| value == MASK && *known == name);
            let kept = kept.filter(|_| old.masked.contains(&name));
            if kept.is_some() {
                masked.push(name.clone());
            }
            set.insert(name, kept.map_or(value.as_bytes().into(), |(_, value)| value.clone()));
        }
        masked.sort();
        self.environment = Some(EnvironmentSettings {
            set: set.into_iter().collect(),
            masked: masked.into(),
            ..(*old).clone()
        });
        Ok(())
    }

    /// An option of a plugin, or the user's own.
    fn free(&mut self, key: &str, value: &Value) -> Result<(), Refused> {
        let known = self.free.iter_mut().find(|(name, _)| **name == *key);
        if known.is_none() && !key.starts_with("x_") && !key.starts_with("flapping.") {
            return Err(wrong(format!("unknown key '{key}'")));
        }
        let text = scalar(key, value)?;
        match known {
            Some((_, known)) => *known = text.into(),
            None => self.free.push((key.into(), text.into())),
        }
        Ok(())
    }

    fn finish(mut self, source: &dyn Source) -> Result<WatcherSettings, Refused> {
        let respawn = self.draft.respawn();
        let copy_env = self.draft.copy_env;
        let mut settings = self.draft.settings;
        settings.respawn = respawn;
        if self.command {
            check_command(&settings)?;
        }
        if self.identity {
            let kept = |key: &str| {
                let found = self.kept.iter().find(|(name, _)| **name == *key);
                found.map_or("", |(_, text)| text)
            };
            let (uid, gid) = (kept("uid"), kept("gid"));
            settings.identity =
                Users::new(source).identity(uid, gid).map_err(|wrong| match wrong.option {
                    "gid" => failed(format!("No such group: '{gid}'")),
                    _ => failed(format!("'{uid}' isn't a valid user name")),
                })?;
        }
        if self.environment.is_some() || copy_env != settings.environment.inherit {
            let environment = self.environment.unwrap_or((*settings.environment).clone());
            settings.environment =
                Rc::new(EnvironmentSettings { inherit: copy_env, ..environment });
        }
        self.rlimits.sort_by_key(|limit| limit.resource);
        settings.rlimits = self.rlimits.into();
        settings.kept = self.kept.into();
        settings.free = self.free.into();
        settings.masked = self.masked.into();
        Ok(settings)
    }
}

fn check_command(settings: &WatcherSettings) -> Result<(), Refused> {
    if settings.cmd.trim().is_empty() {
        return Err(wrong("'cmd' is empty; it names the program to run"));
    }
    match program::wrong_words(settings).into_iter().next() {
        Some((option, reason)) => Err(wrong(format!("'{option}' {reason}"))),
        None => Ok(()),
    }
}

/// The value as a file would have it. What Circus checks is refused in its words.
fn text_of(row: &Row<Draft, WatcherSettings>, key: &str, value: &Value) -> Result<String, Refused> {
    match row.name {
        // Decimals are fine in a file, so they are here.
        "max_age" | "max_age_variance" if value.is_f64() => Ok(value.to_string()),
        "numprocesses" | "max_retry" | "max_age" | "max_age_variance" | "stop_signal" => {
            integer(value).ok_or_else(|| wrong(format!("'{key}' isn't an integer")))
        }
        "warmup_delay" | "graceful_timeout" => number(key, value),
        "uid" | "gid" => match value {
            Value::String(_) | Value::Null => scalar(key, value),
            value => {
                integer(value).ok_or_else(|| wrong(format!("'{key}' isn't an integer or string")))
            }
        },
        "send_hup" | "shell" | "copy_env" | "stop_children" | "close_child_stdin"
        | "close_child_stdout" | "close_child_stderr" | "respawn" => match value {
            Value::Bool(_) => scalar(key, value),
            Value::String(word) if row.name == "respawn" && word == "on-failure" => {
                Ok(word.clone())
            }
            _ => Err(wrong(format!("'{key}' isn't a valid boolean"))),
        },
        "cmd" if !value.is_string() => Err(wrong("'cmd' isn't a string")),
        "args" | "shell_args" => match value {
            Value::Array(list) => {
                let list: Result<Vec<_>, _> = list.iter().map(|word| scalar(key, word)).collect();
                Ok(words::join(&list?))
            }
            value => scalar(key, value),
        },
        _ if value.is_null() => Ok(row.default.to_owned()),
        _ => scalar(key, value),
    }
}

/// Text, or what can be written as text; nothing is empty.
fn scalar(key: &str, value: &Value) -> Result<String, Refused> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(on) => if *on { "True" } else { "False" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => {
            return Err(wrong(format!("'{key}' isn't a string, a number or a boolean")));
        }
    };
    match text.contains('\0') {
        true => Err(wrong(format!("'{key}' contains a NUL byte"))),
        false => Ok(text),
    }
}

/// In Python true is a whole number.
fn integer(value: &Value) -> Option<String> {
    match value {
        Value::Bool(on) => Some(u8::from(*on).to_string()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

fn number(key: &str, value: &Value) -> Result<String, Refused> {
    match value {
        Value::Number(number) => Ok(number.to_string()),
        value => integer(value).ok_or_else(|| wrong(format!("'{key}' isn't a number"))),
    }
}

fn refuse_hooks(value: &Value) -> Refused {
    match value {
        Value::Object(all) if all.keys().any(|name| hooks::check_name(name).is_err()) => {
            wrong(format!("Unknown hook {}", python::repr(value)))
        }
        Value::Object(_) => failed("'hooks' is not supported yet"),
        value => wrong(format!("{} isn't a valid hook dict", python::repr(value))),
    }
}

fn refuse_stream(key: &str, value: &Value) -> Refused {
    match value {
        Value::Object(all) if !all.contains_key("class") => {
            wrong(format!("'{key}' must have a 'class' key"))
        }
        Value::Object(_) => failed(format!("'{key}' is not supported yet")),
        _ => wrong(format!("'{key}' isn't a valid object")),
    }
}

fn wrong(reason: impl Into<String>) -> Refused {
    Refused { is_message: true, reason: reason.into() }
}

fn failed(reason: impl Into<String>) -> Refused {
    Refused { is_message: false, reason: reason.into() }
}

/// They decide what the other options are, or have circusd read files for a watcher: that is for
/// whoever writes the configuration.
const FILE_OPTIONS: [&str; 6] =
    ["enabled", "env_file", "env_from_files", "name", "virtualenv", "virtualenv_py_ver"];
/// They make the words that are executed.
const COMMAND_OPTIONS: [&str; 4] = ["args", "cmd", "shell", "shell_args"];
/// As long as a file's name.
pub const NAME_BYTES_MAX: usize = 255;
