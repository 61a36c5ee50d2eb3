//! Everything that was recorded of Circus's own circusctl: the same words, the same request, and
//! the same text and exit code, but for what `docs/differences.md` says.

use crate::world::World;
use serde_json::{Value, json};
use std::sync::mpsc;

/// What circusctl was asked, sent and heard. What it printed is in the transcript.
const SENT: &[(&str, &str, &str)] = &[
    ("list", r#"{}"#, r#"{"watchers": ["single", "web"]}"#),
    ("list web", r#"{"name": "web"}"#, r#"{"pids": [3702, 3703]}"#),
    ("list zz", r#"{"name": "zz"}"#, NOT_FOUND),
    ("status", r#"{"detail": true}"#, r#"{"statuses": {"single": "active", "Web": "active"}}"#),
    ("status web", r#"{"name": "web", "detail": true}"#, r#"{"status": "active"}"#),
    ("numprocesses", r#"{}"#, r#"{"numprocesses": 3}"#),
    ("numprocesses web", r#"{"name": "web"}"#, r#"{"numprocesses": 2, "watcher_name": "web"}"#),
    ("numwatchers", r#"{}"#, r#"{"numwatchers": 2}"#),
    (
        "globaloptions check_delay",
        r#"{"option": "check_delay"}"#,
        r#"{"options": {"check_delay": 1.0}}"#,
    ),
    (
        "get web cmd env numprocesses",
        r#"{"name": "web", "keys": ["cmd", "env", "numprocesses"]}"#,
        r#"{"options": {"cmd": "sleep 1999", "env": {}, "numprocesses": 2}}"#,
    ),
    (
        "stats",
        r#"{"extended": false}"#,
        r#"{"infos": {"Web": {"3702": WEB_1, "3703": WEB_2}, "single": {"3704": SINGLE}}}"#,
    ),
    (
        "stats web",
        r#"{"name": "web", "extended": false}"#,
        r#"{"name": "web", "info": {"3702": WEB_1, "3703": WEB_2}}"#,
    ),
    (
        "stats web 3702",
        r#"{"name": "web", "process": 3702, "extended": false}"#,
        r#"{"process": 3702, "info": WEB_1}"#,
    ),
    (
        "stats single",
        r#"{"name": "single", "extended": false}"#,
        r#"{"name": "single", "info": {"3704": SINGLE}}"#,
    ),
    (
        "stats web 1",
        r#"{"name": "web", "process": 1, "extended": false}"#,
        r#"{"status": "error", "reason": "process 1 not found in 'web'", "errno": 3}"#,
    ),
    (
        "stats --extended web",
        r#"{"name": "web", "extended": true}"#,
        r#"{"name": "web", "info": {"3702": WEB_1, "3703": WEB_2}}"#,
    ),
    ("dstats", r#"{}"#, r#"{"info": MAIN}"#),
    (
        "listsockets",
        r#"{}"#,
        r#"{"sockets": [{"fd": 6, "name": "s", "backlog": 2048, "host": "127.0.0.1", "port": 15698}]}"#,
    ),
    ("incr web", r#"{"name": "web", "waiting": false}"#, "{}"),
    (
        "incr web 2 --waiting",
        r#"{"name": "web", "nb": 2, "waiting": true}"#,
        r#"{"numprocesses": 5}"#,
    ),
    ("decr web", r#"{"name": "web", "waiting": false}"#, "{}"),
    (
        "decr web 2 --waiting",
        r#"{"name": "web", "nb": 2, "waiting": true}"#,
        r#"{"numprocesses": 2}"#,
    ),
    (
        "incr single",
        r#"{"name": "single", "waiting": false}"#,
        r#"{"numprocesses": 1, "singleton": true}"#,
    ),
    ("set web numprocesses 3", r#"{"name": "web", "options": {"numprocesses": 3}}"#, "{}"),
    (
        "set web numprocesses 2 graceful_timeout 5 --waiting",
        r#"{"name": "web", "waiting": true, "options": {"numprocesses": 2, "graceful_timeout": 5.0}}"#,
        "{}",
    ),
    ("set web rlimit_nofile 100", r#"{"name": "web", "options": {"rlimit_nofile": 100}}"#, "{}"),
    (
        "signal web TERM",
        r#"{"name": "web", "children": false, "recursive": false, "signum": "TERM"}"#,
        "{}",
    ),
    (
        "signal web 4047 9",
        r#"{"name": "web", "children": false, "recursive": false, "signum": "9", "pid": 4047}"#,
        "{}",
    ),
    (
        "signal single TERM --children",
        r#"{"name": "single", "children": true, "recursive": false, "signum": "TERM"}"#,
        "{}",
    ),
    (
        "signal single 0 --recursive",
        r#"{"name": "single", "children": false, "recursive": true, "signum": "0"}"#,
        "{}",
    ),
    ("kill web", r#"{"name": "web"}"#, "{}"),
    // Circus drops --waiting, and sends the numbers as texts.
    (
        "kill web 4183 --signum KILL --graceful_timeout 1 --waiting",
        r#"{"name": "web", "pid": 4183, "signum": "KILL", "graceful_timeout": 1.0, "waiting": true}"#,
        "{}",
    ),
    ("stop web", r#"{"name": "web", "waiting": false, "match": "glob"}"#, "{}"),
    (
        "stop web --waiting",
        r#"{"name": "web", "waiting": true, "match": "glob"}"#,
        r#"{"info": null}"#,
    ),
    (
        "start web --waiting",
        r#"{"name": "web", "waiting": true, "match": "glob"}"#,
        r#"{"info": {"started": [1], "kept": []}}"#,
    ),
    (
        "start nope",
        r#"{"name": "nope", "waiting": false, "match": "glob"}"#,
        r#"{"status": "error", "reason": "program nope not found", "errno": 3}"#,
    ),
    ("restart w* --waiting", r#"{"name": "w*", "waiting": true, "match": "glob"}"#, "{}"),
    (
        "restart --match regex ^(web|single)$ --waiting",
        r#"{"name": "^(web|single)$", "waiting": true, "match": "regex"}"#,
        "{}",
    ),
    (
        "restart web --match=bogus",
        r#"{"name": "web", "waiting": false, "match": "bogus"}"#,
        r#"{"status": "error", "reason": "unknown match method bogus", "errno": 3}"#,
    ),
    (
        "reload web --waiting",
        r#"{"name": "web", "graceful": true, "waiting": true, "sequential": false}"#,
        "{}",
    ),
    (
        "reload web --sequential --waiting",
        r#"{"name": "web", "graceful": true, "waiting": true, "sequential": true}"#,
        "{}",
    ),
    (
        "reload web --terminate --waiting",
        r#"{"name": "web", "graceful": false, "waiting": true, "sequential": false}"#,
        "{}",
    ),
    ("reload", r#"{"graceful": true, "waiting": false, "sequential": false}"#, "{}"),
    ("add x sleep 1999", r#"{"name": "x", "cmd": "sleep 1999", "start": false}"#, "{}"),
    ("rm x", r#"{"name": "x"}"#, "{}"),
    // Circus drops both options of rm.
    ("rm y --waiting", r#"{"name": "y", "waiting": true}"#, "{}"),
    ("rm zz", r#"{"name": "zz"}"#, NOT_FOUND),
    (
        "rm y --nostop",
        r#"{"name": "y", "nostop": true}"#,
        r#"{"status": "error", "reason": "program y not found", "errno": 3}"#,
    ),
    ("reloadconfig", r#"{"waiting": false}"#, "{}"),
    ("reloadconfig --waiting", r#"{"waiting": true}"#, "{}"),
];

const NOT_FOUND: &str = r#"{"status": "error", "reason": "program zz not found", "errno": 3}"#;

/// Commands that stand in replies for the figures of a process.
fn with_figures(reply: &str) -> Value {
    let figures = |pid: u32, cmdline: &str, rss: &str, vms: &str, mem: f64, ctime: &str| {
        json!({"mem_info1": rss, "mem_info2": vms, "cpu": 0.0, "mem": mem, "ctime": ctime,
               "pid": pid, "username": "root", "nice": 0, "cmdline": cmdline, "children": []})
    };
    let mut single = figures(3704, "sh", "1.67M", "2.53M", 0.007, "0:00.0");
    single["children"] = json!([figures(3705, "sleep", "1.50M", "2.44M", 0.006, "0:00.0")]);
    let reply = [
        ("WEB_1", figures(3702, "sleep", "1.46M", "2.44M", 0.006, "0:00.0")),
        ("WEB_2", figures(3703, "sleep", "1.34M", "2.44M", 0.006, "0:00.0")),
        ("MAIN", figures(3698, "python3", "31.25M", "118.50M", 0.13, "0:00.16")),
        ("SINGLE", single),
    ]
    .iter()
    .fold(reply.to_string(), |reply, (name, value)| reply.replace(name, &value.to_string()));
    serde_json::from_str(&reply).expect("JSON")
}

struct Recorded {
    words: Vec<String>,
    code: Option<i64>,
    out: String,
    err: String,
}

/// The recorded runs with an endpoint and without input.
fn recorded() -> Vec<Recorded> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/circusctl.jsonl");
    let text = std::fs::read_to_string(path).expect("the transcript");
    let mut found = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let words = line["argv"].as_array().map_or(&[][..], Vec::as_slice);
        if line["dir"] != "cli" || !line["stdin"].is_null() || words.len() < 4 {
            continue;
        }
        let word = |value: &Value| value.as_str().expect("text").to_string();
        found.push(Recorded {
            words: words[3..].iter().map(word).collect(),
            code: line["rc"].as_i64(),
            out: word(&line["stdout"]),
            err: word(&line["stderr"]),
        });
    }
    assert!(found.len() > 70);
    found
}

/// Run the words against a daemon that gives this reply; the properties that were sent.
fn run(words: &[String], reply: Value) -> (crate::world::Run, Value) {
    let world = World::new();
    let (sender, sent) = mpsc::channel();
    let daemon = world.daemon(move |request| {
        let _ = sender.send(request.clone());
        Some(reply.clone())
    });
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let run = world.run(&words);
    let request = sent.try_recv().expect("a request");
    assert_eq!(daemon.requests().len(), 1, "one request is enough");
    let command = words.iter().find(|word| !word.starts_with("--")).expect("a command");
    assert_eq!(request["command"], **command);
    (run, request["properties"].clone())
}

#[test]
fn every_command_sends_and_prints_what_circus_does() {
    let recorded = recorded();
    for (line, properties, reply) in SENT {
        let run_recorded = recorded
            .iter()
            .find(|recorded| recorded.words.join(" ") == *line)
            .unwrap_or_else(|| panic!("{line} was recorded"));
        let (run, sent) = run(&run_recorded.words, with_figures(reply));
        let expected: Value = serde_json::from_str(properties).expect("JSON");
        assert_eq!(sent, expected, "{line}");
        assert_eq!(run.out, run_recorded.out, "{line}");
        assert_eq!(run.err, run_recorded.err, "{line}");
        assert_eq!(Some(i64::from(run.code)), run_recorded.code, "{line}");
    }
}

#[test]
fn json_is_the_reply_as_circus_prints_it_but_the_exit_code_follows_the_outcome() {
    for recorded in recorded().iter().filter(|recorded| recorded.words[0] == "--json") {
        let reply: Value = serde_json::from_str(&recorded.out).expect("JSON");
        let (run, _) = run(&recorded.words, reply.clone());
        // Only the id differs, and what the daemon of this test sorts.
        let mut got: Value = serde_json::from_str(&run.out).expect("JSON");
        got["id"] = reply["id"].clone();
        assert_eq!(got, reply);
        assert_eq!(run.out.lines().count(), recorded.out.lines().count());
        assert_eq!(run.code, if reply["status"] == "error" { 3 } else { 0 });
        assert_eq!(run.err, "");
    }
}

#[test]
fn all_that_was_recorded_is_looked_at() {
    // The rest: mistakes that are told otherwise, help, and what is tested elsewhere.
    const ELSEWHERE: &[&str] = &[
        "--version",
        "--help",
        "--help list",
        "list --help",
        "help",
        "list --json",
        "listen watcher.web",
        "status zz",
        "globaloptions",
        "globaloptions zz",
        "options web",
        "get web",
        "incr",
        "set web nope 1",
        "set web cmd",
        "set web env A=1",
        "set web numprocesses abc",
        "set web hooks before_start:x",
        "signal web FOO",
        "signal web",
        "add --start y sleep 1999",
        "add x sleep 1",
        "add z",
        "ipython",
        "nope",
        "list a b",
        "--timeout 1 status",
    ];
    for recorded in recorded() {
        let line = recorded.words.join(" ");
        let known = SENT.iter().any(|(sent, _, _)| *sent == line)
            || ELSEWHERE.contains(&line.as_str())
            || line.starts_with("--json");
        assert!(known, "{line}");
    }
}

#[test]
fn options_are_printed_as_circus_prints_them() {
    let recorded = recorded();
    let find = |line: &str| {
        recorded.iter().find(|recorded| recorded.words.join(" ") == line).expect("recorded")
    };
    let json: Value = serde_json::from_str(&find("--json options web").out).expect("JSON");
    let mut reply = json!({ "options": json["options"] });
    reply["options"]["graceful_timeout"] = json!(30.0);
    let (run, sent) = run(&find("options web").words, reply);
    assert_eq!(sent, json!({"name": "web"}));
    assert_eq!(run.out, find("options web").out);
}

#[test]
fn refusals_have_one_form() {
    for (line, reason) in [
        ("status zz", "program zz not found"),
        ("globaloptions zz", "'zz' not an existing option"),
        ("kill web 1", "process 1 not found in 'web'"),
        ("signal web 1 HUP", "process 1 not found in 'web'"),
    ] {
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        let (run, _) = run(&words, json!({"status": "error", "reason": reason, "errno": 3}));
        assert_eq!((run.code, run.out.as_str()), (3, ""));
        assert_eq!(run.err, format!("error: {reason}\n"));
    }
}

#[test]
fn mistakes_are_found_before_anything_is_asked() {
    for (line, part) in [
        ("incr", "incr NAME [N] [--waiting]"),
        ("get web", "get NAME OPTION…"),
        ("set web cmd", "set NAME OPTION VALUE"),
        ("set web a 1 b", "\"b\" has no value"),
        ("set web nope 1", "unknown key 'nope'"),
        ("set web numprocesses abc", "numprocesses: \"abc\" is not a whole number"),
        ("set web nope", "`circusctl help set` says more"),
        ("signal web", "signal NAME [PID] SIGNAL"),
        ("signal web x 9", "\"x\" is no whole number"),
        ("kill web --graceful_timeout soon", "no number of seconds"),
        ("add z", "add NAME CMD…"),
        ("ipython", "no Python"),
        ("nope", "there is no command nope"),
        ("list a b", "list takes one word at most; \"b\" is too many: circusctl list [NAME]"),
        ("stop ", "stop was given an empty NAME: circusctl stop [NAME]"),
        ("quit extra", "quit takes no words; \"extra\" is too many: circusctl quit"),
        ("numwatchers extra more", "numwatchers takes no words; \"extra\" is too many"),
        ("reload web --sequential --terminate", "give one of the two"),
        ("reload --terminate --seq", "give one of the two"),
        ("--ssh a@b list", "ssh itself"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let run = World::new().run(&words);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{line}");
        assert!(run.err.contains(part), "{line}: {}", run.err);
        assert!(run.err.starts_with("error: "), "{line}: {}", run.err);
    }
}

#[test]
fn what_circus_cannot_send_is_sent() {
    for (words, properties) in [
        (
            &["set", "web", "env", "A=1,B=2", "env", "C=x=y"][..],
            json!({"name": "web", "options": {"env": {"A": "1", "B": "2", "C": "x=y"}}}),
        ),
        (
            &["add", "--start", "y", "sleep 1999"],
            json!({"name": "y", "cmd": "sleep 1999", "start": true}),
        ),
        (
            &["add", "y", "tail", "-f", "--json"],
            json!({"name": "y", "cmd": "tail -f --json", "start": false}),
        ),
        (
            &["add", "y", "sh", "-c", "echo 'it is' \"$HOME\"; sleep 1", "$(circus.wid)", ""],
            json!({"name": "y", "start": false,
                   "cmd": "sh -c 'echo '\"'\"'it is'\"'\"' \"$HOME\"; sleep 1' $(circus.wid) ''"}),
        ),
        (
            &["add", "--start", "y", "--", "serve", "--start", "--waiting"],
            json!({"name": "y", "cmd": "serve --start --waiting", "start": true}),
        ),
        (&["quit", "--waiting"], json!({"waiting": true})),
    ] {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let (run, sent) = run(&words, json!({}));
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "ok\n", ""));
        assert_eq!(sent, properties);
    }
}
