//! Every row of the tables of options: what is written in a file is shown, is what a client can set,
//! and is found again as a difference. A new option that is forgotten somewhere fails here.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use circus::config::options::{CIRCUS, Change, Support, WATCHER};
use circus::config::settings::{CircusSettings, Config, SocketSettings, WatcherSettings};
use circus::config::{
    Source, Watchers, changed, circus_differences, differences, load, shown_options, strongest,
};
use serde_json::Value;
use std::rc::Rc;

/// One file; users and groups that the samples name.
struct File(String);

impl Source for File {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "/etc/c.ini" => Ok(self.0.clone().into_bytes()),
            "/etc/passwd" => Ok(b"nobody:x:65534:65534::/:/bin/false\n".into()),
            "/etc/group" => Ok(b"daemon:x:1:\n".into()),
            "/etc/secret" => Ok(b"s3cret\n".into()),
            _ => Err("No such file or directory".to_owned()),
        }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn current_dir(&self) -> String {
        "/srv".to_owned()
    }
}

/// What is always written, so that no other option depends on the one that is tried.
const BASE: [(&str, &str); 2] = [("cmd", "run $(circus.sockets.web)"), ("respawn", "True")];
/// Options that decide which watcher there is.
const IDENTITY: [&str; 2] = ["enabled", "name"];
/// Options that a client may not set: circusd would read files for it.
const FILES: [&str; 4] = ["env_file", "env_from_files", "virtualenv", "virtualenv_py_ver"];

/// Another valid value than the default, and the full name for a family.
fn sample(name: &str, default: &str) -> (String, String) {
    let full = match name {
        "rlimit_*" => "rlimit_nofile",
        "hooks.*" => "hooks.before_start",
        "stdout_stream.*" => "stdout_stream.class",
        "stderr_stream.*" => "stderr_stream.class",
        name => name,
    };
    let value = match full {
        "args" | "shell_args" => "more words",
        "capabilities" => "CAP_CHOWN",
        "check" => "watchdog",
        "cmd" => "other",
        "curve_authorized_keys" | "curve_secret_key" => "k",
        "depends_on" => "other",
        "endpoint" => "ipc:///run/other.sock",
        "endpoint_mode" => "0660",
        "endpoint_owner" | "uid" => "nobody",
        "env_file" => "?missing.env",
        "executable" | "fqdn_prefix" | "httpd_host" | "loggerconfig" | "name"
        | "stream_backend" => "x",
        "forward_signals" => "SIGUSR1, SIGHUP>SIGUSR2",
        "gid" => "daemon",
        "hooks.before_start" => "a.b",
        "include" | "include_dir" => "none",
        "log_format" => "json",
        "log_ring" => "1M",
        "loglevel" => "debug",
        "logoutput" | "pidfile" => "/tmp/x",
        "multicast_endpoint" => "udp://237.219.251.97:12027",
        "nice" | "oom_score_adj" | "idle_timeout" | "shutdown_timeout" | "rlimit_nofile" => "5",
        "pubsub_endpoint" => "tcp://127.0.0.1:5556",
        "ready" => "notify",
        "respawn" => "on-failure",
        "stats_endpoint" => "tcp://127.0.0.1:1",
        "stdin_socket" => "web",
        "stdout_stream.class" | "stderr_stream.class" => "StdoutStream",
        "stop_signal" => "2",
        "success_codes" => "0, 3, SIGTERM",
        "umask" => "027",
        "user_switch" => "ignore",
        "virtualenv" => "venv",
        "virtualenv_py_ver" => "3.12",
        "working_dir" => "/x",
        full => match (default, default.parse::<f64>()) {
            ("True", _) => "False",
            ("False", _) => "True",
            (_, Ok(_)) => "7",
            (_, Err(_)) => panic!("no sample for {full}; write one"),
        },
    };
    (full.to_owned(), value.to_owned())
}

fn watcher(option: &str, value: &str) -> Rc<WatcherSettings> {
    written(&BASE, option, value)
}

fn written(base: &[(&str, &str)], option: &str, value: &str) -> Rc<WatcherSettings> {
    let mut text = String::from("[socket:web]\n[watcher:other]\ncmd = y\n[watcher:a]\n");
    for (name, value) in base.iter().filter(|(name, _)| *name != option) {
        text.push_str(&format!("{name} = {value}\n"));
    }
    if !option.is_empty() {
        text.push_str(&format!("{option} = {value}\n"));
    }
    let config = load("/etc/c.ini", &[], &File(text)).unwrap_or_else(|all| panic!("{all:?}"));
    config.watchers.iter().find(|watcher| &*watcher.name != "other").expect("it is there").clone()
}

/// The other one that is always there, and the socket.
fn others() -> Others {
    let text = "[socket:web]\n[watcher:other]\ncmd = y\n".to_owned();
    Others(load("/etc/c.ini", &[], &File(text)).unwrap_or_else(|all| panic!("{all:?}")))
}

struct Others(Config);

impl Watchers for Others {
    fn watcher(&self, name: &str) -> Option<&WatcherSettings> {
        self.0.watchers.watcher(name)
    }

    fn sockets(&self) -> &[Rc<SocketSettings>] {
        &self.0.sockets
    }
}

fn circus(lines: &str) -> CircusSettings {
    let file = File(format!("[circus]\n{lines}"));
    load("/etc/c.ini", &[], &file).unwrap_or_else(|all| panic!("{all:?}")).circus
}

fn shown(settings: &WatcherSettings, name: &str) -> Option<Value> {
    let all = shown_options(settings, "/srv");
    assert!(all.iter().all(|(one, _)| all.iter().filter(|(other, _)| one == other).count() == 1));
    all.into_iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
}

#[test]
fn a_changed_option_of_a_watcher_is_reported_by_its_name_and_no_other() {
    let base = watcher("", "");
    assert!(differences(&base, &watcher("", "")).is_empty());
    for row in WATCHER.iter().filter(|row| row.name != "enabled") {
        let (name, value) = sample(row.name, row.default);
        let new = watcher(&name, &value);
        let expected = [Box::from(&*name)];
        assert_eq!(differences(&base, &new), expected, "set");
        assert_eq!(differences(&new, &base), expected, "removed");
        // To be captured, or not any more, takes another process.
        let is_class = name.ends_with("_stream.class");
        let change = if is_class { Change::Reload } else { row.change };
        assert_eq!(strongest(&expected), change, "{name}");
    }
}

#[test]
fn a_changed_option_of_circus_is_reported_by_its_name_and_no_other() {
    // One of the two key files needs the other, and all of them a place.
    let base = circus("curve_secret_key = a\ncurve_authorized_keys = b\n");
    for row in CIRCUS.iter().filter(|row| row.name != "enabled") {
        let (name, value) = sample(row.name, row.default);
        let keys = [("curve_secret_key", "a"), ("curve_authorized_keys", "b")];
        let keys = keys.iter().filter(|(key, _)| *key != name);
        let keys: String = keys.map(|(key, value)| format!("{key} = {value}\n")).collect();
        let new = circus(&format!("{keys}{name} = {value}\n"));
        assert_eq!(circus_differences(&base, &new), [Box::from(&*name)]);
        assert_eq!(circus_differences(&new, &base), [Box::from(&*name)]);
    }
}

#[test]
fn what_a_file_says_is_shown() {
    let base = watcher("", "");
    for row in WATCHER.iter().filter(|row| row.support != Support::Meaningless) {
        let (name, value) = sample(row.name, row.default);
        if row.name == "enabled" {
            assert_eq!(shown(&base, "enabled"), Some(true.into()));
            continue;
        }
        let new = watcher(&name, &value);
        let value = shown(&new, &name);
        assert!(value.is_some() && value != shown(&base, &name), "{name}: {value:?}");
    }
}

/// A number or a flag where the sample is one: Circus takes no text for those.
fn json(text: &str) -> Value {
    match text {
        "True" => true.into(),
        "False" => false.into(),
        text => text.parse::<i64>().map_or(text.into(), Value::from),
    }
}

#[test]
fn what_a_client_sets_is_what_a_file_would_have_set() {
    let base = written(&BASE[..1], "", "");
    let source = File(String::new());
    for row in &WATCHER {
        let (name, value) = sample(row.name, row.default);
        let options = [(Box::from(&*name), json(&value))];
        let result = changed(&base, &options, &source, &others());
        let refused =
            IDENTITY.contains(&&*name) || FILES.contains(&&*name) || row.support != Support::Full;
        match result {
            Ok((settings, names)) => {
                assert!(!refused, "{name}");
                assert_eq!(settings, *written(&BASE[..1], &name, &value), "{name}");
                assert_eq!(names, [Box::from(&*name)]);
            }
            Err(reason) => assert!(refused, "{name}: {reason:?}"),
        }
    }
}

/// `options` of a watcher, sent back with `set`, changes nothing.
#[test]
fn what_is_shown_can_be_set_again() {
    let source = File(String::new());
    for row in WATCHER.iter().filter(|row| row.support == Support::Full) {
        let (name, value) = sample(row.name, row.default);
        if IDENTITY.contains(&&*name) || FILES.contains(&&*name) {
            continue;
        }
        let settings = watcher(&name, &value);
        let shown = shown(&settings, &name).expect("it is shown");
        let again = changed(&settings, &[(Box::from(&*name), shown)], &source, &others());
        assert_eq!(again.map(|(again, _)| again), Ok((*settings).clone()), "{name}");
    }
}

#[test]
fn an_option_that_comes_from_a_file_is_never_shown_and_differs_from_one_that_does_not() {
    let plain = watcher("x_key", "s3cret");
    for row in WATCHER.iter().filter(|row| row.support == Support::Full) {
        let is_text =
            ["args", "cmd", "executable", "shell_args", "working_dir"].contains(&row.name);
        if !is_text {
            continue;
        }
        let secret = watcher(row.name, "$(circus.file.secret)");
        let all = shown_options(&secret, "/srv");
        assert!(!format!("{all:?}").contains("s3cret"), "{}: {all:?}", row.name);
        assert_eq!(shown(&secret, row.name), Some("***".into()));
        let open = watcher(row.name, "s3cret");
        assert_eq!(differences(&open, &secret), [Box::from(row.name)]);
    }
    let secret = watcher("x_key", "$(circus.file.secret)");
    assert_eq!(shown(&secret, "x_key"), Some("***".into()));
    assert_eq!(differences(&plain, &secret), [Box::from("x_key")]);
}
