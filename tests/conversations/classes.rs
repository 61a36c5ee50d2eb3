//! Differences of many replies at once.

use crate::compare::ANYTHING;
use crate::json::Json;
use crate::record::{Exchange, Sent};

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
pub const CLASSES: [Class; 9] = [
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
        name: "added watchers",
        why: "a watcher that was added has the same kinds of values as one of a file",
        change: |_, reply| {
            let Some(options) = reply.find_mut("options") else { return false };
            if options.find("args") != Some(&Json::Null) {
                return false;
            }
            options.set("args", Json::Text(String::new()));
            options.set("warmup_delay", Json::Number("0".to_owned()));
            for name in ["stdout_stream_conf", "stderr_stream_conf"] {
                options.set(name, Json::Object(Vec::new()));
            }
            true
        },
    },
    Class {
        name: "more options",
        why: "what Circus does not have comes behind what it has",
        change: |exchange, reply| {
            let Sent::Json(request) = &exchange.request else { return false };
            let is_options = request.get("command").text() == Some("options");
            let Some(options) = reply.find_mut("options").filter(|_| is_options) else {
                return false;
            };
            options.set(ANYTHING, Json::Null);
            true
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
