//! Recorded ini texts and what Circus made of them, against ours. Where we differ on purpose the
//! record stands in `DIFFERENT` with the number of the line in `docs/differences.md`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use circus::config::settings::{Config, Limit, ResourceLimit, Respawn, Variable, WatcherSettings};
use circus::config::{Source, load};
use serde_json::{Map, Value};

/// Records by number (the note in the first line of the file is 0), the differences that explain
/// them, and what ours says: every text must be part of some mistake; none: it loads.
#[rustfmt::skip]
const DIFFERENT: [(usize, &[u32], &[&str]); 18] = [
    (1, &[1, 2, 6, 7, 9, 27], &[
        "inc.d/a.ini:6: extra: ", "t.ini:5: defopt: ", "t.ini:17: unknown_option: ",
        "t.ini:37: NumProcesses: is no option of [watcher:NAME]; did you mean `numprocesses`?",
        "t.ini:44: RLIMIT_NPROC: is no option of [watcher:NAME]; did you mean `rlimit_nproc`?",
        "t.ini:54: env.X: ", "t.ini:56: empty: ", "t.ini:57: emptyq: ", "t.ini:58: freeform: ",
        "t.ini:73: added_in_second: ", "t.ini:78: cmd: is missing in [watcher:emptysec]",
        "t.ini:107: foo: ", "t.ini:108: [other:section]: ",
    ]),
    (8, &[3], &[]),
    (20, &[3], &[]),
    (25, &[1, 2], &["t.ini:1: cmd: is missing", "t.ini:2: nocmd: "]),
    (26, &[2], &["t.ini:1: cmd: is missing"]),
    (29, &[1], &["did you mean `[watcher:b]`?", "did you mean `[watcher:c]`?"]),
    (33, &[1], &["t.ini:4: z: ", "t.ini:5: zz: ", "t.ini:6: zzz: "]),
    (36, &[1], &["did you mean `cmd`?", "did you mean `numprocesses`?"]),
    (39, &[11], &["t.ini:1: use: is missing in [plugin:x]"]),
    (41, &[12], &["t.ini:2: port: `abc` is not a whole number from 0 to 65535"]),
    (43, &[4], &["t.ini:2: cmd: variable UNSET is not set"]),
    (45, &[5], &[]),
    (48, &[7], &["t.ini:3: env: belongs into a section of its own; write [env:NAME]"]),
    (50, &[1], &["inc.d/a.ini:6: extra: "]),
    (51, &[1], &["inc.d/a.ini:6: extra: "]),
    (54, &[9], &["t.ini:2: k: "]),
    (56, &[4, 6], &["t.ini:9: S: variable V is not set"]),
    (57, &[1, 5, 19], &["t.ini:2: cmd: there is no section [socket:s-1]", "t.ini:3: free: "]),
];

/// Files that the recorded configurations include, put together from their results.
const INCLUDED: &str = "\
[circus]
check_delay = 77
[watcher:w1]
cmd = overridden?
numprocesses = 7
extra = fromincluded
[watcher:inc]
cmd = included
";

struct Recorded<'a> {
    ini: &'a str,
    included: &'a str,
}

impl Source for Recorded<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "t.ini" => Ok(self.ini.as_bytes().to_vec()),
            "inc.d/a.ini" => Ok(self.included.as_bytes().to_vec()),
            "/etc/passwd" => Ok(b"root:x:0:0::/root:/bin/sh\n".to_vec()),
            _ => Err("No such file or directory".to_owned()),
        }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        if pattern == "inc.d/*.ini" { vec!["inc.d/a.ini".to_owned()] } else { Vec::new() }
    }

    fn current_dir(&self) -> String {
        "/tmp/example/config".to_owned()
    }
}

fn environment() -> Vec<Variable> {
    [
        ("HOME", "/tmp/example"),
        ("PATH", "/usr/bin:/bin"),
        ("PORT", "8123"),
        ("PWD", "/tmp/example/config"),
        ("GLOB", "fromos"),
    ]
    .iter()
    .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
    .collect()
}

fn ours(ini: &str, included: &str) -> Result<Config, Vec<String>> {
    load("t.ini", &environment(), &Recorded { ini, included })
        .map_err(|mistakes| mistakes.iter().map(|mistake| mistake.to_string()).collect())
}

#[test]
fn every_recorded_configuration_gives_what_circus_made_of_it_or_a_listed_difference() {
    let mut wrong = Vec::new();
    for (number, line) in include_str!("data/circus/config-parse.jsonl").lines().enumerate() {
        let record: Value = serde_json::from_str(line).expect("a record is JSON");
        let Some(ini) = record["ini"].as_str() else {
            continue;
        };
        let result = ours(ini, INCLUDED);
        let listed = DIFFERENT.iter().find(|(listed, _, _)| *listed == number);
        let problem = match listed {
            Some((_, _, expected)) => differs_as_listed(&result, expected),
            None => same(&record, &result),
        };
        if let Err(problem) = problem {
            wrong.push(format!("record {number}: {problem}\n{ini}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

/// The refused lines are taken out; what Circus made of the others is what we make of them.
#[test]
fn what_is_not_refused_means_the_same() {
    let mut compared = 0;
    for (number, line) in include_str!("data/circus/config-parse.jsonl").lines().enumerate() {
        let record: Value = serde_json::from_str(line).expect("a record is JSON");
        let (Some(ini), Some(theirs)) = (record["ini"].as_str(), record.get("result")) else {
            continue;
        };
        let Err(mistakes) = ours(ini, INCLUDED) else {
            continue;
        };
        let (ini, included) =
            (without(ini, "t.ini", &mistakes), without(INCLUDED, "inc.d/a.ini", &mistakes));
        let Ok(config) = ours(&ini, &included) else {
            continue;
        };
        let none = Vec::new();
        for theirs in theirs["watchers"].as_array().unwrap_or(&none) {
            let theirs = theirs.as_object().expect("a watcher is an object");
            let watcher = config.watchers.iter().find(|watcher| theirs["name"] == *watcher.name);
            if let Some(watcher) = watcher {
                assert_eq!(same_options(theirs, watcher), Ok(()), "record {number}: {ini}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 10, "only {compared}");
}

/// Lines that have a mistake become empty.
fn without(text: &str, file: &str, mistakes: &[String]) -> String {
    let lines = text.lines().zip(1..).map(|(line, number)| {
        let place = format!("{file}:{number}: ");
        if mistakes.iter().any(|mistake| mistake.starts_with(&place)) { "" } else { line }
    });
    lines.collect::<Vec<&str>>().join("\n")
}

#[test]
fn every_listed_difference_is_explained() {
    let page = include_str!("../docs/differences.md");
    for (record, numbers, _) in DIFFERENT {
        assert!(!numbers.is_empty(), "record {record}");
        for number in numbers {
            assert!(page.contains(&format!("| {number} |")), "record {record}: {number}");
        }
    }
}

fn differs_as_listed(
    result: &Result<Config, Vec<String>>,
    expected: &[&str],
) -> Result<(), String> {
    match result {
        Ok(_) if expected.is_empty() => Ok(()),
        Ok(_) => Err("loads".to_owned()),
        Err(mistakes) => {
            let all = expected.iter().all(|text| mistakes.iter().any(|one| one.contains(text)));
            match all && mistakes.len() == expected.len() {
                true => Ok(()),
                false => Err(format!("other mistakes: {mistakes:#?}")),
            }
        }
    }
}

fn same(record: &Value, result: &Result<Config, Vec<String>>) -> Result<(), String> {
    match (record.get("error"), result) {
        (Some(_), Err(_)) => Ok(()),
        (Some(error), Ok(_)) => Err(format!("Circus refuses it: {error}")),
        (None, Err(mistakes)) => Err(format!("Circus accepts it: {mistakes:#?}")),
        (None, Ok(config)) => same_config(&record["result"], config),
    }
}

fn same_config(theirs: &Value, ours: &Config) -> Result<(), String> {
    let circus = &theirs["circus"];
    equal("circus umask", &circus["umask"], ours.circus.umask.map(Value::from))?;
    equal("circus pidfile", &circus["pidfile"], ours.circus.pidfile.as_deref().map(Value::from))?;
    let warmup = (ours.circus.warmup_delay_ms > 0).then(|| seconds(ours.circus.warmup_delay_ms));
    equal("circus warmup_delay", &circus["warmup_delay"], warmup)?;
    let none = Vec::new();
    let watchers = theirs["watchers"].as_array().unwrap_or(&none);
    if watchers.len() != ours.watchers.len() {
        return Err(format!("{} watchers, not {}", ours.watchers.len(), watchers.len()));
    }
    for (theirs, ours) in watchers.iter().zip(&ours.watchers) {
        let theirs = theirs.as_object().expect("a watcher is an object");
        same_watcher(theirs, ours).map_err(|text| format!("watcher {}: {text}", ours.name))?;
    }
    Ok(())
}

fn equal(what: &str, theirs: &Value, ours: Option<Value>) -> Result<(), String> {
    let ours = ours.unwrap_or(Value::Null);
    let same = match (theirs.as_f64(), ours.as_f64()) {
        (Some(theirs), Some(ours)) => theirs == ours,
        (_, _) => *theirs == ours,
    };
    if same { Ok(()) } else { Err(format!("{what} is {ours}, in Circus {theirs}")) }
}

fn seconds(milliseconds: u64) -> Value {
    Value::from(milliseconds as f64 / 1000.0)
}

fn same_watcher(theirs: &Map<String, Value>, ours: &WatcherSettings) -> Result<(), String> {
    same_options(theirs, ours)?;
    same_environment(theirs, ours)
}

fn same_options(theirs: &Map<String, Value>, ours: &WatcherSettings) -> Result<(), String> {
    let default_retry = Limit::AtMost(5);
    let retry = match ours.max_retry {
        Limit::AtMost(number) => Value::from(number),
        Limit::Never => Value::from(-1),
    };
    let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
    let on = |flag: bool| flag.then(|| Value::from(true));
    let grace = ours.graceful_timeout_ms;
    let warmup = ours.warmup_delay_ms;
    let signal = ours.stop_signal.number();
    let own = [
        ("name", text(&ours.name)),
        ("cmd", text(&ours.cmd)),
        ("args", text(&ours.args)),
        ("executable", ours.executable.as_deref().map(Value::from)),
        ("working_dir", ours.working_dir.as_deref().map(Value::from)),
        ("numprocesses", (ours.numprocesses != 1).then(|| Value::from(ours.numprocesses))),
        ("priority", (ours.priority != 0).then(|| Value::from(ours.priority))),
        ("graceful_timeout", (grace != 30_000).then(|| seconds(grace))),
        ("warmup_delay", (warmup != 0).then(|| seconds(warmup))),
        ("max_retry", (ours.max_retry != default_retry).then_some(retry)),
        ("stop_signal", (signal != 15).then(|| Value::from(signal))),
        ("send_hup", on(ours.send_hup)),
        ("shell", on(ours.shell)),
        ("singleton", on(ours.singleton)),
        ("respawn", (ours.respawn != Respawn::Always).then(|| Value::from(false))),
        ("rlimits", rlimits(&ours.rlimits)),
    ];
    for (key, own) in own {
        let recorded = theirs.get(key).unwrap_or(&Value::Null);
        // Values that are defaults are sometimes recorded too.
        if own.is_none() && [Value::from(false), Value::from("")].contains(recorded) {
            continue;
        }
        // Names of limits are recorded in the case in which they are written.
        let folded = recorded.as_object().filter(|_| key == "rlimits").map(|limits| {
            Value::Object(limits.iter().map(|(name, v)| (name.to_lowercase(), v.clone())).collect())
        });
        equal(key, folded.as_ref().unwrap_or(recorded), own)?;
    }
    Ok(())
}

fn rlimits(limits: &[ResourceLimit]) -> Option<Value> {
    let name = |resource| match resource {
        4 => "core",
        6 => "nproc",
        7 => "nofile",
        other => panic!("no record has limit {other}"),
    };
    let value = |value: Option<u64>| value.map_or(Value::from(-1), Value::from);
    let all: Map<String, Value> =
        limits.iter().map(|limit| (name(limit.resource).to_owned(), value(limit.value))).collect();
    (!all.is_empty()).then_some(Value::Object(all))
}

/// Circus replaces `$NAME` only when a process starts, so this is done here to its record first.
fn same_environment(theirs: &Map<String, Value>, ours: &WatcherSettings) -> Result<(), String> {
    let recorded = theirs["env"].as_object().expect("an environment is an object");
    let mut recorded: Vec<(String, String)> = recorded
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .map(|(name, value)| {
            (name, value.replace("$PATH", "/usr/bin:/bin").replace("$GLOB", "fromos"))
        })
        .collect();
    recorded.sort();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let own: Vec<(String, String)> =
        ours.environment.set.iter().map(|(name, value)| (text(name), text(value))).collect();
    if own == recorded {
        return Ok(());
    }
    Err(format!("environment is {own:?}, in Circus {recorded:?}"))
}
