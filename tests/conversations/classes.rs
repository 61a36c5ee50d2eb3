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
pub const CLASSES: [Class; 10] = [
    Class {
        name: "Python's words",
        why: "a reason is one sentence, and there is no traceback (docs/differences.md 48)",
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
        why: "who waits is told what went wrong (docs/differences.md 48)",
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
        why: "the section's name is no option (docs/differences.md 9, 59)",
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
        why: "processes inherit circusd's environment (docs/differences.md 8, 59)",
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
        why: "every option is shown, those of Circus first (docs/differences.md 59)",
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
        why: "discovery only where it is written (docs/differences.md 73)",
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
        name: "scripts",
        why: "a script has its own name, not its shell's (docs/differences.md 87)",
        change: |exchange, reply| {
            let Sent::Json(request) = &exchange.request else { return false };
            let name = request.get("properties").get("name").text().unwrap_or_default();
            let runs_script = name == "family" || name == "family-nochild";
            let is_stats = request.get("command").text() == Some("stats");
            let info = reply.find_mut("info").filter(|_| runs_script && is_stats);
            info.is_some_and(name_the_script)
        },
    },
    Class {
        name: "ipython",
        why: "there is no Python in here (docs/differences.md 68)",
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

/// Of one process, or of all processes of a watcher.
fn name_the_script(info: &mut Json) -> bool {
    if info.get("cmdline").text() == Some("sh") {
        info.set("cmdline", Json::Text("fam.sh".to_owned()));
        return true;
    }
    let Json::Object(members) = info else { return false };
    let mut processes = members.iter_mut().map(|(_, process)| process);
    processes.any(|process| {
        let is_script = process.get("cmdline").text() == Some("sh");
        is_script && name_the_script(process)
    })
}

fn is_default_group(endpoint: &str) -> bool {
    endpoint == "udp://237.219.251.97:12027"
}
