//! Options that a client sets, with its errors in Circus's words. The table of options rules here
//! too: a JSON value becomes the text that a file would have. All options are taken or none.
//!
//! Text of a client is literal: circusd reads no file for it, and replaces no variable but those
//! that are replaced when a process starts.

use crate::config::draft::Draft;
use crate::config::ini::OPTIONS_MAX;
use crate::config::later::is_wanted;
use crate::config::options::{self, Row, Support, WATCHER};
use crate::config::settings::{
    EnvironmentSettings, Hook, ResourceLimit, StreamSettings, WatcherSettings,
};
use crate::config::show::MASK;
use crate::config::users::Users;
use crate::config::watcher::check_family_name;
use crate::config::{
    Source, Watchers, dependencies, hooks, kernel, program, python, sockets, words,
};
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

/// The settings with these options changed, and the names of the options, each once. `watchers` are
/// all that there are, this one too.
pub fn changed(
    settings: &WatcherSettings,
    options: &[(Box<str>, Value)],
    source: &dyn Source,
    watchers: &dyn Watchers,
) -> Result<(WatcherSettings, Vec<Box<str>>), Refused> {
    let mut changing = Changing::of(settings);
    let mut names: Vec<Box<str>> = Vec::new();
    check_count(options)?;
    for (name, value) in options {
        changing.set(name, value)?;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let settings = changing.finish(source, watchers)?;
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
    watchers: &dyn Watchers,
) -> Result<WatcherSettings, Refused> {
    check_count(options)?;
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
    let settings = changing.finish(source, watchers)?;
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
    hooks: Vec<Hook>,
    rlimits: Vec<ResourceLimit>,
    kept: Vec<(Box<str>, Box<str>)>,
    free: Vec<(Box<str>, Box<str>)>,
    masked: Vec<Box<str>>,
    environment: Option<EnvironmentSettings>,
    command: bool,
    identity: bool,
    dependencies: bool,
}

impl Changing {
    fn of(settings: &WatcherSettings) -> Changing {
        Changing::new(Draft::of(settings))
    }

    fn new(draft: Draft) -> Changing {
        let settings = &draft.settings;
        Changing {
            hooks: settings.hooks.to_vec(),
            rlimits: settings.rlimits.to_vec(),
            kept: settings.kept.to_vec(),
            free: settings.free.to_vec(),
            masked: settings.masked.to_vec(),
            environment: None,
            command: false,
            identity: false,
            dependencies: false,
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
            "hooks" => self.all_hooks(value)?,
            "stdout_stream" | "stderr_stream" => self.stream(key, value)?,
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
        if let Some(name) = key.strip_prefix("hooks.") {
            return self.hook(key, name, &text);
        }
        (row.parse)(&mut self.draft, &text).map_err(|reason| wrong(format!("'{key}' {reason}")))?;
        if row.is_kept() {
            self.keep(key, text.trim(), row.default);
        }
        self.dependencies |= key == "depends_on";
        self.command |= COMMAND_OPTIONS.contains(&key);
        self.identity |= ["uid", "gid"].contains(&key);
        Ok(())
    }

    fn keep(&mut self, key: &str, text: &str, default: &str) {
        self.kept.retain(|(name, _)| **name != *key);
        if !text.is_empty() && text != default {
            self.kept.push((key.into(), text.into()));
        }
    }

    /// All in one object, as Circus takes them too: texts as in a file, nothing for no hook. Those
    /// that are not named stay.
    fn all_hooks(&mut self, value: &Value) -> Result<(), Refused> {
        let Value::Object(all) = value else {
            return Err(wrong(format!("{} isn't a valid hook dict", python::repr(value))));
        };
        if all.keys().any(|name| hooks::check_name(name).is_err()) {
            return Err(wrong(format!("Unknown hook {}", python::repr(value))));
        }
        for (name, value) in all {
            let key = format!("hooks.{name}");
            let text = scalar(&key, value)?;
            self.hook(&key, name, &text)?;
        }
        Ok(())
    }

    /// All options of a stream in one object, as Circus takes them too, in place of those that were.
    fn stream(&mut self, key: &str, value: &Value) -> Result<(), Refused> {
        let Value::Object(all) = value else {
            return Err(wrong(format!("'{key}' isn't a valid object")));
        };
        if !all.contains_key("class") {
            return Err(wrong(format!("'{key}' must have a 'class' key")));
        }
        self.kept.retain(|(name, _)| !is_of_stream(name, key));
        for (name, value) in all {
            self.set(&format!("{key}.{name}"), value)?;
        }
        Ok(())
    }

    /// What is written of a stream makes one.
    fn check_streams(&self) -> Result<(), Refused> {
        for key in ["stdout_stream", "stderr_stream"] {
            let its = self.kept.iter().filter(|(name, _)| is_of_stream(name, key));
            let options: Vec<(Box<str>, Box<str>)> =
                its.map(|(name, text)| (name[key.len() + 1..].into(), text.clone())).collect();
            if !options.is_empty() {
                StreamSettings::from_options(&options)
                    .map_err(|reason| wrong(format!("'{key}' {reason}")))?;
            }
        }
        Ok(())
    }

    fn hook(&mut self, key: &str, name: &str, text: &str) -> Result<(), Refused> {
        self.hooks.retain(|hook| hook.name.name() != name);
        if !text.trim().is_empty() {
            let hook = hooks::parse(name, text);
            self.hooks.push(hook.map_err(|reason| wrong(format!("'{key}' {reason}")))?);
        }
        self.keep(key, text.trim(), "");
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
            let is_kept = value == MASK && old.masked.binary_search(&name).is_ok();
            let found = old.set.binary_search_by(|(known, _)| known.cmp(&name));
            let kept = found.ok().filter(|_| is_kept).map(|index| &old.set[index]);
            if kept.is_some() {
                masked.push(name.clone());
            }
            set.insert(name, kept.map_or(value.as_bytes().into(), |(_, value)| value.clone()));
        }
        crate::sort::sort(&mut masked);
        self.environment = Some(EnvironmentSettings {
            set: set.into_iter().collect(),
            masked: masked.into(),
            ..(*old).clone()
        });
        Ok(())
    }

    /// An option of a plugin, or the user's own.
    fn free(&mut self, key: &str, value: &Value) -> Result<(), Refused> {
        let is_full = self.free.len() >= OPTIONS_MAX;
        let known = self.free.iter_mut().find(|(name, _)| **name == *key);
        if known.is_none() && !key.starts_with("x_") && !key.starts_with("flapping.") {
            return Err(wrong(format!("unknown key '{key}'")));
        }
        let text = scalar(key, value)?;
        match known {
            Some((_, known)) => *known = text.into(),
            None if is_full => {
                return Err(failed(format!("a watcher has no more than {OPTIONS_MAX} options")));
            }
            None => self.free.push((key.into(), text.into())),
        }
        Ok(())
    }

    fn finish(
        mut self,
        source: &dyn Source,
        watchers: &dyn Watchers,
    ) -> Result<WatcherSettings, Refused> {
        self.check_streams()?;
        let copy_env = self.draft.copy_env;
        let depends_on = std::mem::take(&mut self.draft.depends_on);
        let mut settings = self.draft.into_settings();
        if self.dependencies {
            settings.depends_on = dependencies::resolved(&settings.name, &depends_on, watchers)
                .map_err(|reason| wrong(format!("'depends_on' {reason}")))?;
        }
        if self.command {
            check_command(&settings)?;
        }
        sockets::check(&settings, watchers.sockets())
            .map_err(|(option, reason)| wrong(format!("'{option}' {reason}")))?;
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
        if self.kept.len() > OPTIONS_MAX {
            return Err(failed(format!("a watcher has no more than {OPTIONS_MAX} options")));
        }
        let texts = self.kept.iter().chain(&self.free);
        if texts.map(|(name, text)| name.len() + text.len()).sum::<usize>() > TEXT_BYTES_MAX {
            return Err(failed("the options of a watcher together are longer than 1 MiB"));
        }
        crate::sort::sort_by_key(&mut self.hooks, |hook| hook.name);
        settings.hooks = self.hooks.into();
        crate::sort::sort_by_key(&mut self.rlimits, |limit| limit.resource);
        settings.rlimits = self.rlimits.into();
        settings.kept = self.kept.into();
        settings.free = self.free.into();
        settings.masked = self.masked.into();
        Ok(settings)
    }
}

fn check_count(options: &[(Box<str>, Value)]) -> Result<(), Refused> {
    match options.len() > OPTIONS_MAX {
        true => Err(wrong(format!("a request has no more than {OPTIONS_MAX} options"))),
        false => Ok(()),
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

/// `stdout_stream.class` is of `stdout_stream`.
fn is_of_stream(name: &str, key: &str) -> bool {
    name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))
}

fn wrong(reason: impl Into<String>) -> Refused {
    Refused { is_message: true, reason: cut(reason.into()) }
}

fn failed(reason: impl Into<String>) -> Refused {
    Refused { is_message: false, reason: cut(reason.into()) }
}

/// What a client has sent need not come back in full.
fn cut(mut reason: String) -> String {
    if let Some((end, _)) = reason.char_indices().nth(REASON_CHARACTERS_MAX) {
        reason.truncate(end);
        reason.push('…');
    }
    reason
}

/// They decide what the other options are, or have circusd read files for a watcher: that is for
/// whoever writes the configuration.
const FILE_OPTIONS: [&str; 6] =
    ["enabled", "env_file", "env_from_files", "name", "virtualenv", "virtualenv_py_ver"];
/// They make the words that are executed.
const COMMAND_OPTIONS: [&str; 4] = ["args", "cmd", "shell", "shell_args"];
const REASON_CHARACTERS_MAX: usize = 500;
/// Of all options that are kept as texts. Requests are shorter; there may be many.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// As long as a file's name.
pub const NAME_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{
        CheckSettings, Gate, HookCommand, HookName, Liveness, Probe, Readiness,
    };
    use crate::config::tests::{Files, load_files, load_text};
    use crate::config::{main_command, shown_options};
    use serde_json::json;

    const ACCOUNTS: [(&str, &str); 2] = [
        ("/etc/passwd", "web:x:33:33::/:\nnobody:x:65534:65534::/:\n"),
        ("/etc/group", "web:x:33:\nlog:x:4:web\n"),
    ];

    fn set(settings: &WatcherSettings, options: Value) -> Result<WatcherSettings, Refused> {
        let Value::Object(options) = options else { panic!("an object") };
        let options: Vec<(Box<str>, Value)> =
            options.into_iter().map(|(name, value)| (name.into(), value)).collect();
        changed(settings, &options, &Files::new(&ACCOUNTS), &others()).map(|(settings, _)| settings)
    }

    /// Beside the one that is changed.
    fn others() -> Vec<Rc<WatcherSettings>> {
        let text = "[watcher:other]\ncmd = x\n[watcher:once]\ncmd = x\noneshot = True\n\
             [watcher:behind]\ncmd = x\ndepends_on = web\n[watcher:web]\ncmd = x\n";
        load_text(text, &[]).expect("loads").watchers
    }

    fn watcher(lines: &str) -> WatcherSettings {
        let text = format!("[watcher:web]\ncmd = x\n{lines}");
        let files = [("/etc/c.ini", &*text), ("/etc/secret", "s3cret\n")];
        let files: Vec<_> = files.into_iter().chain(ACCOUNTS).collect();
        (*load_files(&files, &[]).expect("loads").watchers[0]).clone()
    }

    fn shown(settings: &WatcherSettings, name: &str) -> Value {
        let mut all = shown_options(settings, "/srv").into_iter();
        all.find(|(known, _)| **known == *name).map_or(Value::Null, |(_, value)| value)
    }

    fn variables(settings: &WatcherSettings) -> Vec<String> {
        let all = settings.environment.set.iter();
        all.map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()))
            .collect()
    }

    #[test]
    fn all_options_are_taken_or_none() {
        let old = watcher("");
        let refused = set(&old, json!({"cmd": "y", "numprocesses": "2", "priority": 3}));
        assert_eq!(refused, Err(wrong("'numprocesses' isn't an integer")));
        let new =
            set(&old, json!({"cmd": "y", "numprocesses": 2, "priority": "3"})).expect("valid");
        assert_eq!((&*new.cmd, new.numprocesses, new.priority), ("y", 2, 3));
        let options = [("cmd".into(), json!("y")), ("cmd".into(), json!("z"))];
        let (new, names) = changed(&old, &options, &Files::new(&[]), &others()).expect("valid");
        assert_eq!((&*new.cmd, &names[..]), ("z", &["cmd".into()][..]));
    }

    #[test]
    fn a_client_cannot_have_a_file_read() {
        let text = "x $(circus.file./etc/shadow) $(circus.env.HOME) $(circus.wid)";
        let new = set(&watcher(""), json!({"cmd": text, "working_dir": text, "args": [text]}));
        let new = new.expect("literal text");
        assert_eq!(&*new.cmd, text);
        let environment = [(b"HOME"[..].into(), b"/h"[..].into())];
        let program = program::program(&new, 7, &environment, &[]).expect("can be run");
        let argv: Vec<_> = program.argv.iter().map(|word| String::from_utf8_lossy(word)).collect();
        let word = "x $(circus.file./etc/shadow) /h 7";
        assert_eq!(argv, ["x", "$(circus.file./etc/shadow)", "/h", "7", word]);
        for option in FILE_OPTIONS {
            let refused = set(&watcher(""), json!({option: "/etc/shadow"})).expect_err("refused");
            assert!(refused.reason.contains("cannot be set"), "{refused:?}");
        }
    }

    #[test]
    fn variables_are_replaced_all_together_and_secrets_that_are_sent_back_stay() {
        let old =
            watcher("[env]\nA = 1\nB = 2\nS = $(circus.file.secret)\nT = $(circus.file.secret)\n");
        assert_eq!(shown(&old, "env"), json!({"A": "1", "B": "2", "S": "***", "T": "***"}));
        let new = set(&old, json!({"env": {"B": "$HOME", "N": "***", "S": "***"}})).expect("valid");
        assert_eq!(variables(&new), ["B=$HOME", "N=***", "S=s3cret"]);
        assert_eq!(shown(&new, "env"), json!({"B": "$HOME", "N": "***", "S": "***"}));
        assert_eq!(&*new.environment.masked, [Box::from(&b"S"[..])]);
        assert!(new.environment.inherit);
        let bare = set(&new, json!({"copy_env": false})).expect("valid");
        assert!(!bare.environment.inherit && variables(&bare) == variables(&new));
        for (env, expected) in [
            (json!("A=1"), "'env' isn't a valid object"),
            (json!({"A": 1}), "'A' isn't a string"),
            (json!({"A=B": "1"}), "'A=B' cannot be a variable of the environment"),
            (json!({"": "1"}), "'' cannot be a variable of the environment"),
            (json!({"A": "\0"}), "'A' cannot be a variable of the environment"),
        ] {
            assert_eq!(set(&old, json!({"env": env})), Err(wrong(expected)));
        }
    }

    #[test]
    fn an_unchanged_environment_stays_shared() {
        let old = watcher("");
        let new = set(&old, json!({"cmd": "y", "copy_env": true})).expect("valid");
        assert!(Rc::ptr_eq(&old.environment, &new.environment));
    }

    #[test]
    fn a_secret_is_shown_when_a_client_has_replaced_it() {
        let old = watcher("args = $(circus.file.secret)\n");
        assert_eq!(shown(&old, "args"), json!("***"));
        let same = set(&old, json!({"args": "***"})).expect("valid");
        assert_eq!((&*same.args, shown(&same, "args")), ("s3cret", json!("***")));
        let new = set(&old, json!({"args": "open"})).expect("valid");
        assert_eq!(shown(&new, "args"), json!("open"));
    }

    #[test]
    fn users_and_groups_are_names_or_numbers() {
        let ids = |settings: &WatcherSettings| {
            settings.identity.as_ref().map(|identity| (identity.uid, identity.gid))
        };
        let old = watcher("uid = web\n");
        assert_eq!((ids(&old), shown(&old, "uid")), (Some((Some(33), Some(33))), json!("web")));
        let new = set(&old, json!({"gid": "log"})).expect("valid");
        assert_eq!(ids(&new), Some((Some(33), Some(4))));
        let new = set(&new, json!({"uid": 65534})).expect("valid");
        assert_eq!((ids(&new), shown(&new, "uid")), (Some((Some(65534), Some(4))), json!("65534")));
        let new = set(&new, json!({"uid": null, "gid": null})).expect("valid");
        assert_eq!((ids(&new), shown(&new, "uid")), (None, Value::Null));
        assert_eq!(
            set(&old, json!({"uid": "nobdy"})),
            Err(failed("'nobdy' isn't a valid user name"))
        );
    }

    #[test]
    fn words_may_come_as_a_list_and_must_be_words() {
        let new = set(&watcher(""), json!({"args": ["a b", 5, "it's", ""]})).expect("valid");
        let program = program::program(&new, 1, &[], &[]).expect("can be run");
        assert_eq!(program.argv, [&b"x"[..], b"a b", b"5", b"it's", b""]);
        for (options, expected) in [
            (json!({"cmd": ""}), "'cmd' is empty"),
            (json!({"cmd": null}), "'cmd' isn't a string"),
            (json!({"cmd": "''"}), "'cmd' names no program"),
            (json!({"cmd": "x 'y"}), "'cmd' has an opening '"),
            (json!({"args": "x \\"}), "'args' ends in a backslash"),
            (json!({"args": [["x"]]}), "'args' isn't a string"),
            (json!({"cmd": "x\0y"}), "'cmd' contains a NUL byte"),
        ] {
            let refused = set(&watcher(""), options).expect_err("refused");
            assert!(refused.is_message && refused.reason.starts_with(expected), "{refused:?}");
        }
        assert!(set(&watcher(""), json!({"cmd": "it's", "shell": true})).is_ok());
    }

    #[test]
    fn the_main_command_keeps_its_words() {
        let main = main_command(&[&b"run"[..], b"\xff"]);
        assert!(
            set(&main, json!({"cmd": "y"})).expect_err("refused").reason.contains("command line")
        );
        let new = set(&main, json!({"graceful_timeout": 1})).expect("valid");
        assert!(new.argv.is_some() && new.graceful_timeout_ms == 1000);
    }

    #[test]
    fn free_options_are_those_of_plugins_and_ones_own() {
        let old = watcher("other.key = 1\n[plugin:other]\nuse = a.B\n");
        let new = set(&old, json!({"other.key": 2, "flapping.window": 1.5, "x_mine": true}));
        let new = new.expect("valid");
        assert_eq!(shown(&new, "other.key"), json!("2"));
        assert_eq!(shown(&new, "flapping.window"), json!("1.5"));
        assert_eq!(shown(&new, "x_mine"), json!("True"));
        let long = set(&old, json!({"x".repeat(5000): 1})).expect_err("refused").reason;
        assert!(long.chars().count() == REASON_CHARACTERS_MAX + 1 && long.ends_with('…'));
        for key in ["other.new", "nope", "check_flapping", "stream_backend", "__name__"] {
            let expected = format!("unknown key '{key}'");
            assert_eq!(set(&old, json!({key: 1})), Err(wrong(expected)));
        }
    }

    #[test]
    fn what_is_not_done_yet_is_refused_unless_it_asks_for_nothing() {
        let old = watcher("stdout_stream.class = StdoutStream\n");
        let refused = set(&old, json!({"copy_path": true})).expect_err("refused");
        assert!(!refused.is_message && refused.reason.ends_with("is not supported yet"));
        let new = set(&old, json!({"use_sockets": false, "idle_timeout": null})).expect("valid");
        assert_eq!(shown(&new, "use_sockets"), json!(false));
        assert!(set(&old, json!({"stdout_stream.nope": ""})).expect_err("refused").is_message);
        assert!(set(&old, json!({"hooks.nope": ""})).expect_err("refused").is_message);
    }

    #[test]
    fn what_a_client_makes_a_watcher_depend_on_is_there_and_can_be_had() {
        let old = watcher("");
        let new = set(&old, json!({"depends_on": "other:started, once"})).expect("valid");
        let all: Vec<_> = new.depends_on.iter().map(|one| (&*one.name, one.gate)).collect();
        assert_eq!(all, [("other", Gate::Started), ("once", Gate::Completed)]);
        assert_eq!(shown(&new, "depends_on"), json!("other:started, once"));
        assert!(set(&new, json!({"depends_on": null})).expect("valid").depends_on.is_empty());
        // What was taken once is not looked at again when something else is set.
        assert_eq!(set(&new, json!({"priority": 2})).expect("valid").depends_on, new.depends_on);
        for (text, expected) in [
            ("web", "'depends_on' names the watcher itself"),
            ("nobody", "'depends_on' there is no watcher `nobody`"),
            ("other:completed", "'depends_on' waits for ever: watcher other is no oneshot"),
            ("behind", "'depends_on' goes round in a circle: behind -> web -> behind"),
        ] {
            let refused = set(&old, json!({"depends_on": text})).expect_err("refused");
            assert!(refused.is_message && refused.reason.starts_with(expected), "{refused:?}");
        }
        let files = Files::new(&[]);
        let options = [("depends_on".into(), json!("web"))];
        let new = added("n", "x", None, &options, &files, &others()).expect("valid");
        assert_eq!((&*new.depends_on[0].name, new.depends_on[0].gate), ("web", Gate::Ready));
    }

    #[test]
    fn hooks_are_set_one_by_one_or_all_together() {
        let old = watcher("hooks.after_stop = a.b\n");
        let new = set(&old, json!({"hooks": {"before_start": "/x y, True", "after_stop": null}}));
        let new = new.expect("valid");
        let run = HookCommand::Command("/x y".into());
        assert_eq!(*new.hooks, [Hook { name: HookName::BeforeStart, run, ignore_failure: true }]);
        assert_eq!(shown(&new, "hooks.before_start"), json!("/x y, True"));
        assert_eq!(shown(&new, "hooks.after_stop"), Value::Null);
        let new = set(&new, json!({"hooks.before_reap": "c.d", "hooks.before_start": ""}));
        assert_eq!(new.expect("valid").hooks[0].run, HookCommand::Python("c.d".into()));
        for (options, expected) in [
            (json!({"hooks": 1}), "1 isn't a valid hook dict"),
            (json!({"hooks": {"nope": "a.b"}}), "Unknown hook {'nope': 'a.b'}"),
            (json!({"hooks.before_start": "'x"}), "'hooks.before_start' has an opening"),
        ] {
            let refused = set(&old, options).expect_err("refused");
            assert!(refused.is_message && refused.reason.starts_with(expected), "{refused:?}");
        }
    }

    #[test]
    fn a_check_is_put_together_from_options_that_are_set_at_different_times() {
        let early = set(&watcher(""), json!({"check_interval": 5, "check_retries": 1}));
        let early = early.expect("valid");
        assert_eq!((&early.check, shown(&early, "check_interval")), (&None, json!(5)));
        let new = set(&early, json!({"check": "exec:true $(circus.wid)"})).expect("valid");
        let expected = CheckSettings {
            by: Liveness::Probe(Probe::Exec("true $(circus.wid)".into())),
            interval_ms: 5000,
            timeout_ms: 3000,
            retries: 1,
            start_period_ms: 0,
        };
        assert_eq!(new.check, Some(Box::new(expected.clone())));
        let new = set(&new, json!({"check_timeout": 0.5})).expect("valid");
        assert_eq!(new.check, Some(Box::new(CheckSettings { timeout_ms: 500, ..expected })));
        assert!(set(&new, json!({"check": null})).expect("valid").check.is_none());
        let refused = set(&new, json!({"check_interval": 0})).expect_err("refused");
        assert!(refused.reason.contains("too short"), "{refused:?}");
    }

    #[test]
    fn the_readiness_of_a_oneshot_is_its_completion() {
        let old = watcher("ready = notify\n");
        let once = set(&old, json!({"oneshot": "True"})).expect("valid");
        assert_eq!((&once.ready, shown(&once, "ready")), (&Readiness::Started, json!("notify")));
        let again = set(&once, json!({"oneshot": "False"})).expect("valid");
        assert_eq!(again, old);
    }

    #[test]
    fn a_client_cannot_make_a_watcher_grow_without_end() {
        let old = watcher("");
        let many = |from: usize| {
            let names = (from..from + 600).map(|number| (format!("x_{number}"), json!(1)));
            Value::Object(names.collect())
        };
        let some = set(&old, many(0)).expect("valid");
        let refused = set(&some, many(600)).expect_err("refused");
        assert!(refused.reason.contains("no more than 1000 options"), "{refused:?}");
        let long = "x".repeat(TEXT_BYTES_MAX / 2);
        let some = set(&old, json!({"x_a": long})).expect("valid");
        let refused = set(&some, json!({"x_b": long})).expect_err("refused");
        assert!(refused.reason.contains("longer than 1 MiB"), "{refused:?}");
        let all: Vec<(Box<str>, Value)> =
            (0..=OPTIONS_MAX).map(|_| ("priority".into(), json!(1))).collect();
        assert!(changed(&old, &all, &Files::new(&[]), &others()).is_err());
    }

    #[test]
    fn a_new_watcher_is_as_one_in_a_file() {
        let files = Files::new(&ACCOUNTS);
        let options = [("numprocesses".into(), json!(2)), ("rlimit_nofile".into(), json!(512))];
        let new =
            added("n", "x", Some(&json!(["y z"])), &options, &files, &others()).expect("valid");
        let text = "[watcher:n]\ncmd = x\nargs = 'y z'\nnumprocesses = 2\nrlimit_nofile = 512\n";
        assert_eq!(new, *load_text(text, &[]).expect("loads").watchers[0]);
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        for (name, cmd) in [("", "x"), (" ", "x"), ("a\nb", "x"), (&long, "x"), ("n", "")] {
            assert!(
                added(name, cmd, None, &[], &files, &others()).expect_err("refused").is_message
            );
        }
        let long = format!("[watcher:{long}]\ncmd = x\n");
        assert!(load_text(&long, &[]).expect_err("too long")[0].contains("longer than 255 bytes"));
    }

    #[test]
    fn a_limit_can_be_lifted() {
        let old = watcher("rlimit_nofile = 5\nrlimit_core = 0\n");
        let new = set(&old, json!({"rlimit_nofile": null, "rlimit_CPU": "9"})).expect("valid");
        assert_eq!(shown(&new, "rlimit_nofile"), Value::Null);
        assert_eq!(shown(&new, "rlimit_cpu"), json!(9));
        assert!(new.rlimits.iter().any(|limit| limit.resource == 7 && limit.value.is_none()));
        for value in [json!(1.5), json!("x"), json!(""), json!([1])] {
            let refused = set(&old, json!({"rlimit_nofile": value})).expect_err("refused");
            assert!(refused.reason.ends_with("rlimit value isn't a valid int"), "{refused:?}");
        }
    }
}
