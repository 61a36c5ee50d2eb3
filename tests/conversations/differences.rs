//! Where we answer or publish something else than Circus on purpose: each with its reason. What
//! is listed here and does not happen any more makes the test fail.

use crate::compare::ANYTHING;
use crate::json::Json;
use crate::plans::For;
use crate::record::{Exchange, Sent};

/// What we do in place of Circus at one request.
#[derive(Debug, Clone, Copy)]
pub enum Here {
    /// This reply. Pids are those of the record; `"?"` stands for anything.
    Reply(&'static str),
    /// The recorded reply, but with these members; `"?"` stands for anything. A path has dots.
    With(&'static [(&'static str, &'static str)]),
    /// An error with this number, and these words in its reason.
    Refused(i64, &'static str),
    /// The request is not made: carried out, it would change all that follows.
    Unsent,
}

/// One difference at one request.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub recording: &'static str,
    pub label: &'static str,
    pub here: Here,
    pub why: &'static str,
}

/// What is published about a watcher between two requests.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub recording: &'static str,
    /// The first of the two requests.
    pub after: &'static str,
    pub watcher: &'static str,
    /// For both: the recorder had lost its connection for a moment.
    pub who: For,
    /// What Circus published.
    pub circus: &'static str,
    /// What is published here.
    pub here: &'static str,
    pub why: &'static str,
}

/// Watchers of a recording whose publications about several processes mix in another way.
#[derive(Debug, Clone, Copy)]
pub struct Mixed {
    pub recording: &'static str,
    pub watcher: &'static str,
    pub why: &'static str,
}

/// A difference of many replies.
pub struct Class {
    pub name: &'static str,
    pub why: &'static str,
    /// Make what we answer of what Circus answered; false: this reply is none of them.
    pub change: fn(&Exchange, &mut Json) -> bool,
}

fn anything() -> Json {
    Json::Text(ANYTHING.to_owned())
}

/// All classes. The first that fits an error is its only one.
pub const CLASSES: [Class; 8] = [
    Class {
        name: "Python's words",
        why: "a reason says what to change; it is no exception of Python, and there is no traceback",
        change: |_, reply| {
            let is_python =
                reply.get("reason").text().is_some_and(|it| it.starts_with("command b'"));
            if is_python {
                reply.set("reason", anything());
                reply.set("tb", Json::Null);
                reply.set("errno", anything());
            }
            is_python
        },
    },
    Class {
        name: "server error",
        why: "who waits is told what went wrong",
        change: |_, reply| {
            let is_vague = reply.get("reason").text() == Some("server error");
            if is_vague {
                reply.set("reason", anything());
                reply.set("errno", anything());
            }
            is_vague
        },
    },
    Class {
        name: "__name__",
        why: "the section's name is no option (docs/differences.md 9)",
        change: |_, reply| {
            let Some(options) = reply.find_mut("options") else { return false };
            let is_there = options.find("__name__").is_some();
            options.remove("__name__");
            if let Some(env) = options.find_mut("env") {
                env.remove("__name__");
            }
            is_there
        },
    },
    Class {
        name: "environment",
        why: "processes inherit circusd's environment (docs/differences.md 8)",
        change: |_, reply| {
            let Some(options) = reply.find_mut("options") else { return false };
            let is_empty = options.find("copy_env") == Some(&Json::Bool(false));
            if is_empty {
                options.set("copy_env", Json::Bool(true));
                options.set("env", anything());
            }
            is_empty
        },
    },
    Class {
        name: "discovery",
        why: "nobody is told where the control endpoint is unless the file says so",
        change: |_, reply| {
            let Some(options) = reply.find_mut("options") else { return false };
            let place = options.find_mut("multicast_endpoint");
            let Some(place) = place.filter(|it| it.text().is_some_and(is_default_group)) else {
                return false;
            };
            *place = Json::Text(String::new());
            true
        },
    },
    Class {
        name: "statistics",
        why: "no endpoint for statistics unless the file says so",
        change: |_, reply| {
            let Some(options) = reply.find_mut("options") else { return false };
            let place = options.find_mut("stats_endpoint");
            let Some(place) = place.filter(|it| it.text() == Some("tcp://127.0.0.1:5557")) else {
                return false;
            };
            *place = anything();
            true
        },
    },
    Class {
        name: "circusd's own figures",
        why: "circusd is no program of Python",
        change: |exchange, reply| {
            let Sent::Json(request) = &exchange.request else { return false };
            let is_own = request.get("command").text() == Some("dstats");
            if let Some(info) = reply.find_mut("info").filter(|_| is_own) {
                info.set("cmdline", Json::Text("circusd".to_owned()));
            }
            is_own
        },
    },
    Class {
        name: "ipython",
        why: "there is no Python in here",
        change: |exchange, reply| {
            let Sent::Json(request) = &exchange.request else { return false };
            let is_ipython = request.get("command").text() == Some("ipython");
            if is_ipython {
                *reply = Json::Object(vec![
                    ("status".to_owned(), Json::Text("error".to_owned())),
                    ("reason".to_owned(), anything()),
                    ("tb".to_owned(), Json::Null),
                    ("time".to_owned(), Json::Number("0.5".to_owned())),
                    ("errno".to_owned(), anything()),
                    ("id".to_owned(), reply.get("id").clone()),
                ]);
            }
            is_ipython
        },
    },
];

fn is_default_group(endpoint: &str) -> bool {
    endpoint == "udp://237.219.251.97:12027"
}

/// Circus refuses a command while it runs another; here it is carried out. It is not made in its
/// place, since it would change all that follows, but in a conversation of its own.
pub fn is_conflict(reply: &Json) -> bool {
    let is_one = |reason: &str| {
        reason.starts_with("arbiter is already running ") || reason == "arbiter is restarting..."
    };
    reply.get("errno").integer() == Some(5) && reply.get("reason").text().is_some_and(is_one)
}

pub const ROWS: &[Row] = &[];
pub const WINDOWS: &[Window] = &[
    Window {
        recording: "signals",
        after: "r5",
        watcher: "a",
        who: For::Both,
        circus: "kill reap stop",
        here: "kill reap stop spawn start",
        why: LOST,
    },
    Window {
        recording: "signals",
        after: "r5",
        watcher: "added",
        who: For::Both,
        circus: "",
        here: "spawn start",
        why: LOST,
    },
    Window {
        recording: "signals",
        after: "r5",
        watcher: "slow",
        who: For::Both,
        circus: "",
        here: "spawn start",
        why: LOST,
    },
];

const LOST: &str = "the recorder was not connected when everything started again";

pub const MIXED: &[Mixed] = &[];

/// The names of all differences, as they are noted when they occur.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = CLASSES.iter().map(|class| class.name.to_owned()).collect();
    names.push("untold deaths".to_owned());
    let unsent = |row: &&Row| !matches!(row.here, Here::Unsent);
    names.extend(ROWS.iter().filter(unsent).map(|row| format!("{} {}", row.recording, row.label)));
    names.extend(WINDOWS.iter().map(|it| format!("{} {} {}", it.recording, it.after, it.watcher)));
    names.extend(MIXED.iter().map(|it| format!("{} {} mixed", it.recording, it.watcher)));
    names
}
