//! Answers → the bytes of replies, key by key in the order in which Circus writes them.

use crate::commands::json::{self, Object};
use crate::commands::{Answer, Change, Info, ProcessDetail, Refusal, WatcherDetail};
use crate::process::{Ending, Pid};
use serde_json::Value;

/// Appends the whole body of a reply. `id` is the JSON text of the request.
pub fn write_reply(out: &mut Vec<u8>, id: &str, unix_time: f64, answer: &Answer) {
    write_reply_with(out, id, unix_time, answer, &[]);
}

/// The same with sentences that the client should know, if there are any and it is not refused.
pub fn write_reply_with(
    out: &mut Vec<u8>,
    id: &str,
    unix_time: f64,
    answer: &Answer,
    warnings: &[String],
) {
    let mut reply = Object::new(out);
    match answer {
        Answer::Refused(refusal) => write_refusal(&mut reply, unix_time, refusal),
        // The state takes the place of the outcome: a misfortune that clients rely on.
        Answer::Status(status) => {
            reply.string("status", status.name());
            reply.float("time", unix_time);
        }
        answer => {
            reply.string("status", "ok");
            reply.float("time", unix_time);
            write_members(&mut reply, answer);
            if !warnings.is_empty() {
                let mut list = reply.list("warnings");
                for warning in warnings {
                    json::push_string(list.item(), warning);
                }
                list.end();
            }
        }
    }
    reply.json("id", id);
    reply.end();
}

fn write_refusal(reply: &mut Object<'_>, unix_time: f64, refusal: &Refusal) {
    reply.string("status", "error");
    reply.string("reason", &refusal.reason);
    // Where Circus shows a traceback.
    reply.null("tb");
    reply.float("time", unix_time);
    reply.integer("errno", refusal.errno as i32);
}

fn write_members(reply: &mut Object<'_>, answer: &Answer) {
    match answer {
        Answer::Done | Answer::Refused(_) | Answer::Status(_) => {}
        Answer::Watchers(names) => {
            let mut list = reply.list("watchers");
            for name in names {
                json::push_string(list.item(), name);
            }
            list.end();
        }
        Answer::Pids(pids) => write_pids(reply, "pids", pids),
        Answer::Statuses(statuses) => {
            let mut object = reply.object("statuses");
            for (name, status) in statuses {
                object.string(name, status.name());
            }
            object.end();
        }
        Answer::Details(watchers) => write_details(reply, watchers),
        Answer::Numprocesses { numprocesses, watcher_name } => {
            reply.integer("numprocesses", *numprocesses);
            if let Some(name) = watcher_name {
                reply.string("watcher_name", name);
            }
        }
        Answer::NewNumprocesses { numprocesses, singleton } => {
            reply.integer("numprocesses", *numprocesses);
            if *singleton {
                reply.flag("singleton", true);
            }
        }
        Answer::Numwatchers(count) => reply.integer("numwatchers", *count),
        Answer::Options(options) => {
            write_values(
                reply.object("options"),
                options.iter().map(|(key, value)| (&**key, value)),
            );
        }
        Answer::Info(None) => reply.null("info"),
        Answer::Info(Some(info)) => {
            let mut object = reply.object("info");
            write_info(&mut object, info);
            object.end();
        }
        Answer::Added(info) => write_info(reply, info),
        Answer::Changes(changes) => write_changes(reply, changes),
        Answer::Sockets(sockets) => {
            let mut list = reply.list("sockets");
            for socket in sockets {
                write_values(list.object(), socket.iter().map(|(key, value)| (*key, value)));
            }
            list.end();
        }
        Answer::Members(members) => {
            for (key, json) in members {
                reply.json(key, json);
            }
        }
    }
}

fn write_values<'a>(mut object: Object<'_>, values: impl Iterator<Item = (&'a str, &'a Value)>) {
    for (key, value) in values {
        json::push_value(object.key(key), value);
    }
    object.end();
}

fn write_info(object: &mut Object<'_>, info: &Info) {
    if let Some(stopped) = &info.stopped {
        write_pids(object, "stopped", stopped);
    }
    write_pids(object, "started", &info.started);
    write_pids(object, "kept", &info.kept);
}

fn write_pids(object: &mut Object<'_>, key: &str, pids: &[Pid]) {
    let mut list = object.list(key);
    for pid in pids {
        json::push_integer(list.item(), pid.number().into());
    }
    list.end();
}

/// What old clients know first, then everything.
fn write_details(reply: &mut Object<'_>, watchers: &[WatcherDetail]) {
    let mut statuses = reply.object("statuses");
    for watcher in watchers {
        statuses.string(&watcher.name, watcher.status.name());
    }
    statuses.end();
    let mut list = reply.list("watchers");
    for watcher in watchers {
        write_watcher(list.object(), watcher);
    }
    list.end();
}

fn write_watcher(mut object: Object<'_>, watcher: &WatcherDetail) {
    object.string("name", &watcher.name);
    object.string("status", watcher.status.name());
    object.flag("healthy", watcher.healthy);
    object.string("note", &watcher.note);
    if watcher.hopeless {
        object.flag("hopeless", true);
    }
    object.integer("numprocesses", watcher.numprocesses);
    let mut processes = object.list("processes");
    for process in &watcher.processes {
        write_process(processes.object(), process);
    }
    processes.end();
    object.integer("restarts", watcher.restarts);
    match &watcher.last_death {
        Some((reason, ms)) => {
            let mut death = object.object("last_death");
            death.string("reason", reason);
            death.float("seconds_ago", seconds(*ms));
            death.end();
        }
        None => object.null("last_death"),
    }
    if let Some((ending, ms)) = watcher.last_exit {
        let mut exit = object.object("last_exit");
        match ending {
            Ending::Exited(code) => exit.integer("code", code),
            Ending::Killed(signal) => exit.string("signal", &signal.to_string()),
            Ending::NotExecuted(failure) => exit.integer("code", failure.exit_code()),
        }
        exit.float("seconds_ago", seconds(ms));
        exit.end();
    }
    if !watcher.depends_on.is_empty() {
        let mut list = object.list("depends_on");
        for dependency in &watcher.depends_on {
            json::push_string(list.item(), dependency);
        }
        list.end();
    }
    object.end();
}

fn write_process(mut object: Object<'_>, process: &ProcessDetail) {
    object.integer("wid", process.wid);
    match process.pid {
        Some(pid) => object.integer("pid", pid.number()),
        None => object.null("pid"),
    }
    object.string("state", process.state);
    object.float("seconds", seconds(process.ms));
    object.integer("restarts", process.restarts);
    if let Some(text) = &process.says {
        object.string("says", text);
    }
    object.end();
}

fn write_changes(reply: &mut Object<'_>, changes: &[Change]) {
    let mut list = reply.list("changes");
    for change in changes {
        let mut object = list.object();
        object.string("watcher", &change.name);
        object.string("change", change.kind.name());
        let mut options = object.list("options");
        for option in &change.options {
            json::push_string(options.item(), option);
        }
        options.end();
        object.end();
    }
    list.end();
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
