//! What Circus was recorded to show of its watchers, and to take and refuse of its clients' options,
//! against ours. Where we differ the record is listed with what is different.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use circus::config::settings::WatcherSettings;
use circus::config::{Refused, Source, added, changed, load, shown_circus, shown_options};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The recorded configuration; or those parts of it that are no mistake here.
struct Recorded(String);

impl Source for Recorded {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "/etc/passwd" => {
                Ok(b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:\ndaemon:x:1:1::/:\n".into())
            }
            "/etc/group" => Ok(b"root:x:0:\ndaemon:x:1:\n".into()),
            "c.ini" => Ok(self.0.clone().into_bytes()),
            _ => Err("No such file or directory".to_owned()),
        }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn current_dir(&self) -> String {
        "/tmp/example".to_owned()
    }
}

fn watchers(ini: &str) -> BTreeMap<String, WatcherSettings> {
    let path = format!("{}/tests/data/circus/{ini}", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).expect("the configuration is there");
    let environment = [("HOME", "/tmp/example"), ("LANG", "C.UTF-8")];
    let environment =
        environment.map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()));
    loop {
        match load("c.ini", &environment, &Recorded(text.clone())) {
            Ok(config) => {
                let all = config.watchers.into_iter();
                return all.map(|one| (one.name.to_lowercase(), (*one).clone())).collect();
            }
            Err(mistakes) => {
                // A section with a mistake loses the line; other tests tell which those are.
                let wrong = |line: u32| mistakes.iter().any(|mistake| mistake.line == line);
                let lines = text.lines().zip(1..);
                let left = lines.map(|(line, number)| if wrong(number) { "cmd = x" } else { line });
                text = left.collect::<Vec<&str>>().join("\n");
            }
        }
    }
}

fn records(text: &str) -> Vec<Map<String, Value>> {
    text.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}

/// Options that always differ: copy_env has another default, `__name__` is an internal of Circus.
const ALWAYS: [&str; 2] = ["__name__", "copy_env"];

/// Options of single watchers that differ, and ours.
fn different(ini: &str, watcher: &str, option: &str) -> Option<Value> {
    match (ini, watcher, option) {
        // The variables that are circusd's own are not shown, and `__name__` is no variable.
        ("process.ini", "copyenv", "env") => Some(json!({
            "EXTRA": "yes", "FOO": "overridden ", "LOWER_case": "Mixed", "MISSING": "[]", "lower": "$home",
        })),
        // `$NAME` is replaced once, when the file is read.
        ("process.ini", _, "env") => {
            Some(json!({"FOO": "bar-/tmp/example-C.UTF-8", "LOWER_case": "Mixed"}))
        }
        // Made by a client, it looks like one that is made by a file.
        ("errors.ini" | "owner.ini", _, "args") => Some("".into()),
        ("errors.ini" | "owner.ini", _, "env") => Some(json!({})),
        ("errors.ini" | "owner.ini", _, "stderr_stream_conf" | "stdout_stream_conf") => {
            Some(json!({}))
        }
        ("errors.ini" | "owner.ini", _, "warmup_delay") => Some(0.into()),
        (_, _, _) => None,
    }
}

#[test]
fn every_recorded_watcher_is_shown_as_circus_shows_it() {
    let mut seen = 0;
    for record in records(include_str!("data/circus/options.jsonl")) {
        let text = |key: &str| record[key].as_str().expect("text").to_owned();
        let (ini, name) = (text("ini"), text("watcher"));
        // Its arguments have variables that are a mistake here, and were taken out.
        if name == "args" {
            continue;
        }
        let options = record["options"].as_object().expect("an object");
        let settings = match watchers(&ini).get(&name) {
            Some(settings) => settings.clone(),
            None => {
                let uid: Vec<_> =
                    options.get("uid").filter(|uid| uid.is_string()).into_iter().collect();
                let uid: Vec<_> = uid.into_iter().map(|uid| ("uid".into(), uid.clone())).collect();
                let cmd = options["cmd"].as_str().expect("text");
                added(&name, cmd, None, &uid, &Recorded(String::new()), &Vec::new()).expect("valid")
            }
        };
        let shown = shown_options(&settings, options["working_dir"].as_str().expect("text"));
        let theirs: Vec<&String> =
            options.keys().filter(|key| *key != "__name__" && !key.contains('.')).collect();
        let ours: Vec<&str> = shown.iter().map(|(name, _)| &**name).take(theirs.len()).collect();
        assert_eq!(ours, theirs, "{ini} {name}");
        for (key, theirs) in options.iter().filter(|(key, _)| !ALWAYS.contains(&key.as_str())) {
            let ours = shown.iter().find(|(known, _)| **known == **key).map(|(_, value)| value);
            match (different(&ini, &name, key), ours) {
                (Some(expected), Some(ours)) => assert_eq!(*ours, expected, "{ini} {name} {key}"),
                (None, ours) if !key.contains('.') => {
                    assert_eq!(ours, Some(theirs), "{ini} {name} {key}");
                    // Python tells 3 from 3.0, and its clients show it.
                    let ours = ours.map(Value::to_string);
                    assert_eq!(ours, Some(theirs.to_string()), "{ini} {name} {key}");
                }
                (_, _) => {}
            }
        }
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}

/// Records by line whose outcome is another here: what ours is, and why.
#[rustfmt::skip]
const OTHER: [(usize, &str, &str); 11] = [
    (9, "ok", "limits can be set when a watcher is added"),
    (14, "3 'numprocesses' is not a whole number from 0", "a number of processes has limits"),
    (27, "ok", "whether there is such a function is seen when it is called"),
    (30, "ok", "a stream without a file can be set"),
    (35, "3 'stop_signal' is no signal", "there is no signal 999"),
    (43, "ok", "every option can be set"),
    (45, "3 'cmd' isn't a string", "told at once"),
    (51, "ok", "whether there is such a function is seen when it is called"),
    (55, "3 'name' is empty", "it would be a watcher that nobody can name"),
    (59, "ok", "limits can be set when a watcher is added"),
    (61, "ok", "every option can be set"),
];
/// Whether there is such a watcher, what shape a request has, and who may add what is not asked here.
const ELSEWHERE: [usize; 8] = [8, 11, 56, 57, 67, 68, 69, 71];

#[test]
fn every_recorded_option_is_taken_or_refused_as_circus_does_it() {
    let mut all: BTreeMap<String, BTreeMap<String, WatcherSettings>> = BTreeMap::new();
    for (record, line) in records(include_str!("data/circus/set.jsonl")).iter().zip(1..) {
        if ELSEWHERE.contains(&line) {
            continue;
        }
        let ini = record["ini"].as_str().expect("text");
        let here = all.entry(ini.to_owned()).or_insert_with(|| watchers(ini));
        let properties = &record["properties"];
        let name = properties["name"].as_str().expect("text").to_lowercase();
        let options: Vec<(Box<str>, Value)> = match properties.get("options") {
            Some(Value::Object(options)) => {
                options.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect()
            }
            _ => Vec::new(),
        };
        let source = Recorded(String::new());
        let result = match properties["cmd"].as_str() {
            Some(cmd) => added(&name, cmd, properties.get("args"), &options, &source, &Vec::new()),
            None => {
                changed(&here[&name], &options, &source, &Vec::new()).map(|(settings, _)| settings)
            }
        };
        let outcome = match &result {
            Ok(_) => "ok".to_owned(),
            Err(Refused { is_message: true, reason }) => format!("3 {reason}"),
            Err(Refused { is_message: false, reason }) => format!("5 {reason}"),
        };
        match (OTHER.iter().find(|(other, _, _)| *other == line), record.get("errno")) {
            (Some((_, expected, why)), _) => {
                assert!(outcome.starts_with(expected) && !why.is_empty(), "{line}: {outcome}");
            }
            (None, None) => assert_eq!(outcome, "ok", "{line}: {record:?}"),
            (None, Some(errno)) => {
                let reason = record["reason"].as_str().expect("text");
                assert_eq!(outcome, format!("{errno} {reason}"), "{line}");
            }
        }
        // What Circus takes without effect has one here, so later records would meet another watcher.
        let ignored = options.iter().any(|(name, _)| &**name == "singleton");
        if let Ok(settings) = result
            && !ignored
        {
            here.insert(name, settings);
        }
    }
}

#[test]
fn options_of_circus_are_shown_in_its_order() {
    let text = "[circus]\ncheck_delay = 1\nendpoint = tcp://127.0.0.1:15555\n";
    let config = load("c.ini", &[], &Recorded(text.to_owned())).expect("loads");
    let shown = shown_circus(&config.circus, "tcp://127.0.0.1:15555", "ipc:///run/pubsub.sock");
    let shown: Vec<String> = shown.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let expected = [
        "endpoint: \"tcp://127.0.0.1:15555\"",
        "stats_endpoint: \"tcp://127.0.0.1:5557\"",
        "pubsub_endpoint: \"ipc:///run/pubsub.sock\"",
        "check_delay: 1.0",
        "multicast_endpoint: \"\"",
    ];
    assert_eq!(shown, expected);
    let shown = shown_circus(&Default::default(), "a", "b");
    assert_eq!(shown[3], ("check_delay".into(), json!(5.0)));
}
