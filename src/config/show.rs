//! Settings as clients see them: the keys, types and order of Circus for what Circus has, then what
//! is ours. What comes from a file is never shown.

use crate::config::expand::joined;
use crate::config::options::{self, CIRCUS, Row, Support, WATCHER};
use crate::config::settings::{CircusSettings, EnvironmentSettings, WatcherSettings};
use serde_json::{Map, Value};

/// Names and values, in the order in which they are shown.
pub type Shown = Vec<(Box<str>, Value)>;

/// All options of a watcher. `directory` is where its processes run that name none, or a relative
/// one: circusd's own.
pub fn shown_options(settings: &WatcherSettings, directory: &str) -> Shown {
    let mut shown = Shown::new();
    for row in WATCHER.iter().filter(|row| CIRCUS_KEYS.contains(&row.name)) {
        let value = match row.name {
            "working_dir" => working_dir(settings, directory),
            _ => row.value(settings),
        };
        shown.push((row.name.into(), unless_masked(&settings.masked, row.name, value)));
    }
    shown.push(("env".into(), environment(&settings.environment)));
    for side in ["stdout", "stderr"] {
        shown.push((format!("{side}_stream_conf").into(), stream(settings, side)));
    }
    for (name, text) in &settings.free {
        shown.push((name.clone(), unless_masked(&settings.masked, name, (&**text).into())));
    }
    crate::sort::sort_by(&mut shown, |(one, _), (other, _)| one.cmp(other));
    for row in WATCHER.iter().filter(|row| !CIRCUS_KEYS.contains(&row.name)) {
        if row.support == Support::Meaningless {
            continue;
        }
        for (name, value) in members(row, settings) {
            let value = unless_masked(&settings.masked, &name, value);
            shown.push((name, value));
        }
    }
    shown
}

/// The options of `[circus]` that Circus shows, in its order: `control` and `pubsub` are the endpoints
/// in use. Circus's web console connects to what is shown for statistics whether there are any, so
/// that is never empty.
pub fn shown_circus(settings: &CircusSettings, control: &str, pubsub: &str) -> Shown {
    let value = |name: &str| match options::find(&CIRCUS, name) {
        Some(row) => row.value(settings),
        None => Value::Null,
    };
    let text = |name: &str, default: &str| match value(name) {
        Value::Null => default.into(),
        value => value,
    };
    let shown = [
        ("endpoint", control.into()),
        ("stats_endpoint", text("stats_endpoint", "tcp://127.0.0.1:5557")),
        ("pubsub_endpoint", pubsub.into()),
        ("check_delay", value("check_delay").as_f64().into()),
        ("multicast_endpoint", text("multicast_endpoint", "")),
    ];
    let shown = shown.into_iter();
    shown.map(|(name, value)| (name.into(), unless_masked(&settings.masked, name, value))).collect()
}

/// What a row says, by full names: one, or as many as the family has members.
pub fn members(row: &Row<impl Sized, WatcherSettings>, settings: &WatcherSettings) -> Shown {
    match row.value(settings) {
        Value::Object(members) if row.is_family() => {
            let prefix = row.name.trim_end_matches('*');
            let named = members.into_iter();
            named.map(|(name, value)| (format!("{prefix}{name}").into(), value)).collect()
        }
        value => vec![(row.name.into(), value)],
    }
}

/// The value, unless it comes from a file.
fn unless_masked(masked: &[Box<str>], name: &str, value: Value) -> Value {
    match masked.iter().any(|masked| **masked == *name) {
        true => MASK.into(),
        false => value,
    }
}

fn working_dir(settings: &WatcherSettings, directory: &str) -> Value {
    match settings.working_dir.as_deref() {
        None => directory.into(),
        Some(path) => joined(directory, path).into(),
    }
}

/// The variables that the configuration sets; those of circusd itself are everybody's.
fn environment(settings: &EnvironmentSettings) -> Value {
    let variables = settings.set.iter().map(|(name, value)| {
        let value = match settings.masked.binary_search(name).is_ok() {
            true => MASK.into(),
            false => String::from_utf8_lossy(value),
        };
        (String::from_utf8_lossy(name).into_owned(), Value::from(value))
    });
    Value::Object(variables.collect::<Map<_, _>>())
}

/// As Circus shows it: without the class.
fn stream(settings: &WatcherSettings, side: &str) -> Value {
    let prefix = format!("{side}_stream.");
    let options = settings.kept.iter().filter_map(|(name, text)| {
        let key = name.strip_prefix(&*prefix).filter(|key| *key != "class")?;
        Some((key.to_owned(), unless_masked(&settings.masked, name, (&**text).into())))
    });
    Value::Object(options.collect::<Map<_, _>>())
}

/// What is shown in place of what comes from a file.
pub const MASK: &str = "***";

/// Options that Circus shows and that have a row of their own.
const CIRCUS_KEYS: [&str; 26] = [
    "args",
    "close_child_stderr",
    "close_child_stdin",
    "close_child_stdout",
    "cmd",
    "copy_env",
    "executable",
    "gid",
    "graceful_timeout",
    "max_age",
    "max_age_variance",
    "max_retry",
    "numprocesses",
    "on_demand",
    "priority",
    "respawn",
    "send_hup",
    "shell",
    "shell_args",
    "singleton",
    "stop_children",
    "stop_signal",
    "uid",
    "use_sockets",
    "warmup_delay",
    "working_dir",
];
