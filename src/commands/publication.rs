//! What subscribers are told: a topic, which they subscribe to by its beginning, and a JSON object.

use crate::commands::json::Object;
use crate::process::Pid;

/// Something that happened to a watcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// A client added it.
    Add,
    /// It is to be forgotten; published before its processes are stopped.
    Remove,
    /// It has a new process.
    Spawn {
        /// The process.
        pid: Pid,
    },
    /// A process is sent a signal that should end it.
    Kill {
        /// The process.
        pid: Pid,
    },
    /// A process ended.
    Reap {
        /// The process.
        pid: Pid,
        /// How: its exit code, or the negative number of the signal that killed it.
        exit_code: i32,
    },
    /// It became active.
    Start,
    /// It became stopped.
    Stop,
    /// Its processes were replaced, or told to read their configuration again.
    Reload,
    /// Its processes were to be replaced, and the new ones did not start. Unknown to Circus.
    ReloadFailed {
        /// A sentence.
        reason: String,
    },
    /// One of its options was set.
    Updated,
    /// A process died and the next one has to wait. Unknown to Circus, as all that follow.
    Backoff {
        /// The process, if there was one.
        pid: Option<Pid>,
        /// How it died.
        reason: String,
        /// How long the next one waits.
        delay_ms: u64,
    },
    /// No process will be started any more, until somebody asks for it.
    GiveUp {
        /// What happened too often.
        reason: String,
    },
    /// It was to run once, and did so with success.
    Completed,
    /// It does what it is for.
    Ready,
    /// A hook was called. Known to Circus, as the next one.
    HookSuccess {
        /// Which.
        name: &'static str,
    },
    /// A hook could not do what it was to do.
    HookFailure {
        /// Which.
        name: &'static str,
        /// What it said.
        error: String,
    },
}

impl Publication {
    /// The last part of the topic.
    pub fn action(&self) -> &'static str {
        match self {
            Publication::Add => "add",
            Publication::Remove => "remove",
            Publication::Spawn { .. } => "spawn",
            Publication::Kill { .. } => "kill",
            Publication::Reap { .. } => "reap",
            Publication::Start => "start",
            Publication::Stop => "stop",
            Publication::Reload => "reload",
            Publication::ReloadFailed { .. } => "reload_failed",
            Publication::Updated => "updated",
            Publication::Backoff { .. } => "backoff",
            Publication::GiveUp { .. } => "giveup",
            Publication::Completed => "completed",
            Publication::Ready => "ready",
            Publication::HookSuccess { .. } => "hook_success",
            Publication::HookFailure { .. } => "hook_failure",
        }
    }
}

/// Appends the topic and the body. `watcher` is the name as configured, `unix_time` the moment at
/// which it happened.
pub fn publication(
    topic_out: &mut Vec<u8>,
    body_out: &mut Vec<u8>,
    watcher: &str,
    what: &Publication,
    unix_time: f64,
) {
    topic_out.extend_from_slice(b"watcher.");
    // Dots stay, although subscribers split the topic at them: so does Circus.
    topic_out.extend_from_slice(watcher.to_lowercase().replace(' ', "_").as_bytes());
    topic_out.push(b'.');
    topic_out.extend_from_slice(what.action().as_bytes());

    let mut body = Object::new(body_out);
    match what {
        Publication::Add
        | Publication::Remove
        | Publication::Start
        | Publication::Stop
        | Publication::Reload
        | Publication::Updated
        | Publication::Completed
        | Publication::Ready => body.float("time", unix_time),
        Publication::Spawn { pid } | Publication::Kill { pid } => {
            body.integer("process_pid", pid.number());
            body.float("time", unix_time);
        }
        Publication::Reap { pid, exit_code } => {
            body.integer("process_pid", pid.number());
            body.float("time", unix_time);
            body.integer("exit_code", *exit_code);
        }
        Publication::Backoff { pid, reason, delay_ms } => {
            match pid {
                Some(pid) => body.integer("process_pid", pid.number()),
                None => body.null("process_pid"),
            }
            body.float("time", unix_time);
            body.string("reason", reason);
            body.float("delay", *delay_ms as f64 / 1000.0);
        }
        Publication::ReloadFailed { reason } => {
            body.float("time", unix_time);
            body.string("reason", reason);
        }
        Publication::HookSuccess { name } => {
            body.string("name", name);
            body.float("time", unix_time);
        }
        Publication::HookFailure { name, error } => {
            body.string("name", name);
            body.float("time", unix_time);
            body.string("error", error);
        }
        Publication::GiveUp { reason } => {
            body.float("time", unix_time);
            body.string("reason", reason);
        }
    }
    body.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(watcher: &str, what: &Publication, unix_time: f64) -> (String, String) {
        let (mut topic, mut body) = (Vec::new(), Vec::new());
        publication(&mut topic, &mut body, watcher, what, unix_time);
        (String::from_utf8(topic).unwrap(), String::from_utf8(body).unwrap())
    }

    #[test]
    fn publications_are_written_as_circus_writes_them() {
        let pid = |number| Pid::new(number).unwrap();
        for (watcher, what, unix_time, topic, body) in [
            (
                "Sleeper",
                Publication::Spawn { pid: pid(21211) },
                1795331504.0111382,
                "watcher.sleeper.spawn",
                r#"{"process_pid": 21211, "time": 1795331504.0111382}"#,
            ),
            (
                "Sleeper",
                Publication::Start,
                1795331504.0181909,
                "watcher.sleeper.start",
                r#"{"time": 1795331504.0181909}"#,
            ),
            (
                "Sleeper",
                Publication::Kill { pid: pid(21322) },
                1795331514.7919786,
                "watcher.sleeper.kill",
                r#"{"process_pid": 21322, "time": 1795331514.7919786}"#,
            ),
            (
                "Sleeper",
                Publication::Reap { pid: pid(21322), exit_code: -15 },
                1795331514.8934205,
                "watcher.sleeper.reap",
                r#"{"process_pid": 21322, "time": 1795331514.8934205, "exit_code": -15}"#,
            ),
            (
                "New One",
                Publication::Add,
                1795331518.1399918,
                "watcher.new_one.add",
                r#"{"time": 1795331518.1399918}"#,
            ),
            (
                "plugin:My.App",
                Publication::Remove,
                2.0,
                "watcher.plugin:my.app.remove",
                r#"{"time": 2.0}"#,
            ),
        ] {
            assert_eq!(published(watcher, &what, unix_time), (topic.into(), body.into()));
        }
    }

    #[test]
    fn what_circus_does_not_know_looks_alike() {
        let backoff = Publication::Backoff {
            pid: Pid::new(7),
            reason: "exited with code 3".to_owned(),
            delay_ms: 100,
        };
        let body =
            r#"{"process_pid": 7, "time": 1.5, "reason": "exited with code 3", "delay": 0.1}"#;
        assert_eq!(published("a", &backoff, 1.5), ("watcher.a.backoff".into(), body.into()));
        let backoff = Publication::Backoff { pid: None, reason: "é".to_owned(), delay_ms: 5000 };
        let body = r#"{"process_pid": null, "time": 1.5, "reason": "\u00e9", "delay": 5.0}"#;
        assert_eq!(published("a", &backoff, 1.5).1, body);
        let given_up = Publication::GiveUp { reason: "too often".to_owned() };
        let body = r#"{"time": 1.5, "reason": "too often"}"#;
        assert_eq!(published("a", &given_up, 1.5), ("watcher.a.giveup".into(), body.into()));
        assert_eq!(published("a", &Publication::Completed, 1.5).0, "watcher.a.completed");
        assert_eq!(published("a", &Publication::Ready, 1.5).0, "watcher.a.ready");
    }
}
