//! Requests as clients send them, and the bytes that they hear. What was recorded of Circus stands
//! in `data/circus/requests.jsonl`: a request, what Circus said, and what is said `here` before
//! anybody has looked for a watcher or judged the value of an option, where that differs.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use circus::commands::{
    Answer, Change, ChangeKind, Command, Errno, Info, ProcessDetail, Refusal, Status,
    WatcherDetail, parse, write_reply,
};
use circus::process::{Ending, Pid};
use circus::signal::Signal;
use serde_json::{Value, json};

const RECORDED: &str = include_str!("data/circus/requests.jsonl");

fn recorded() -> impl Iterator<Item = (String, String)> {
    RECORDED.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| row.get(key).map(|text| text.as_str().unwrap().to_owned());
        let circus = text("circus").unwrap();
        let here = text("here").unwrap_or(if circus == "ok" { "accepted".into() } else { circus });
        (text("request").unwrap(), here)
    })
}

fn outcome(body: &[u8]) -> String {
    match parse(body) {
        Ok(_) => "accepted".to_owned(),
        Err(rejected) => {
            let Refusal { errno, reason } = rejected.refusal;
            format!("{} {reason}", errno as i32)
        }
    }
}

/// The command with these properties, as its debug text; or the reason why not.
fn understood(command: &str, properties: Value) -> String {
    let body = json!({"command": command, "properties": properties, "id": 1}).to_string();
    match parse(body.as_bytes()) {
        Ok(request) => format!("{:?}", request.command),
        Err(rejected) => rejected.refusal.reason,
    }
}

fn reply(id: &str, unix_time: f64, answer: &Answer) -> String {
    let mut out = Vec::new();
    write_reply(&mut out, id, unix_time, answer);
    String::from_utf8(out).unwrap()
}

fn pid(number: i32) -> Pid {
    Pid::new(number).unwrap()
}

fn pids(numbers: &[i32]) -> Vec<Pid> {
    numbers.iter().map(|number| pid(*number)).collect()
}

#[test]
fn recorded_requests_are_accepted_or_refused_as_by_circus() {
    let mut count = 0;
    for (request, here) in recorded() {
        assert_eq!(outcome(request.as_bytes()), here, "{request}");
        count += 1;
    }
    assert!(count > 200);
    assert_eq!(outcome(b"\xff\xfe"), "1 json invalid");
}

#[test]
fn ids_are_repeated_as_they_are_written_whatever_becomes_of_the_request() {
    for (body, id) in [
        (r#"{"command":"list","id":"r1"}"#, r#""r1""#),
        (r#"{"command":"list"}"#, "null"),
        (r#"{"id":  { "a":[1,  2.50] } ,"command":"list"}"#, r#"{ "a":[1,  2.50] }"#),
        (r#"{"id":12345678901234567890123,"command":"list"}"#, "12345678901234567890123"),
        (r#"{"id":1,"command":"list","id":2}"#, "2"),
        (r#"{"id":NaN,"command":"list"}"#, "null"),
        (r#"{"id":"\ud800é","command":"nope"}"#, r#""\ud800é""#),
        (r#"{"id":"m1"}"#, r#""m1""#),
        (r#"{"id":"p","command":"stop","properties":7}"#, r#""p""#),
        ("[1]", "null"),
        ("{", "null"),
    ] {
        let found = match parse(body.as_bytes()) {
            Ok(request) => request.id,
            Err(rejected) => rejected.id,
        };
        assert_eq!(&*found, id, "{body}");
    }
    let deep = format!(
        r#"{{"command":"set","id":"deep","properties":{{"name":"a","options":{{"x":{}{}}}}}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    let rejected = parse(deep.as_bytes()).unwrap_err();
    assert_eq!((&*rejected.id, rejected.refusal.errno), ("\"deep\"", Errno::Message));
    assert!(rejected.refusal.reason.starts_with("'x' cannot be read: recursion limit exceeded"));
    let long = format!(r#"{{"command":"list","id":"{}"}}"#, "x".repeat(2000));
    let rejected = parse(long.as_bytes()).unwrap_err();
    assert_eq!(&*rejected.id, "null");
    assert_eq!(rejected.refusal.reason, "'id' is longer than 1024 bytes");
}

#[test]
fn casts_and_waiting_are_seen() {
    let parsed = |body: &str| parse(body.as_bytes());
    assert!(parsed(r#"{"command":"stop","msg_type":"cast"}"#).unwrap().cast);
    assert!(!parsed(r#"{"command":"stop","msg_type":"dealer"}"#).unwrap().cast);
    assert!(!parsed(r#"{"command":"stop","msg_type":["cast"]}"#).unwrap().cast);
    assert!(parsed(r#"{"command":"nope","msg_type":"cast"}"#).unwrap_err().cast);
    for (waiting, expected) in [("true", true), ("1", true), ("\"no\"", false), ("null", false)] {
        let body = format!(r#"{{"command":"quit","properties":{{"waiting":{waiting}}}}}"#);
        assert_eq!(parsed(&body).unwrap().waiting, expected, "{waiting}");
    }
    assert!(!parsed(r#"{"command":"quit","waiting":true}"#).unwrap().waiting);
    let rejected = parsed(r#"{"command":"quit","properties":{"waiting":"soon"}}"#).unwrap_err();
    assert_eq!(rejected.refusal.reason, "'waiting' isn't a valid boolean");
}

#[test]
fn properties_become_what_their_writer_means() {
    for (command, properties, expected) in [
        ("INCR", json!({"name": "a", "nb": "2"}), "Incr { name: \"a\", nb: 2 }"),
        ("incr", json!({"name": "a", "nb": -3}), "Decr { name: \"a\", nb: 3 }"),
        ("decr", json!({"name": "a", "nb": 2.0}), "Decr { name: \"a\", nb: 2 }"),
        ("decr", json!({"name": "a", "nb": -1}), "Incr { name: \"a\", nb: 1 }"),
        ("incr", json!({"name": "a", "nb": 1e30}), "Incr { name: \"a\", nb: 4294967295 }"),
        ("incr", json!({"name": "a", "nb": null}), "Incr { name: \"a\", nb: 1 }"),
        ("incr", json!({"name": "a", "nb": "two"}), "'nb' isn't an integer"),
        ("incr", json!({"name": "a", "nb": true}), "'nb' isn't an integer"),
        ("get", json!({"name": "a", "keys": "cmd"}), "Get { name: \"a\", keys: [\"cmd\"] }"),
        (
            "get",
            json!({"name": "a", "keys": ["x", "y", "x"]}),
            "Get { name: \"a\", keys: [\"x\", \"y\"] }",
        ),
        ("get", json!({"name": "a", "keys": [1]}), "'keys' isn't a list of strings"),
        ("get", json!({"name": "a", "keys": {"x": 1}}), "'keys' isn't a list of strings"),
        ("get", json!({"name": 5}), "message invalid 'keys' is missing"),
        ("globaloptions", json!({"option": ""}), "GlobalOptions { option: None }"),
        ("globaloptions", json!({"option": 5}), "'option' isn't a string"),
        ("stop", json!({"name": null}), "'name' isn't a string"),
        ("stop", json!([]), "Stop(All)"),
        ("stop", json!({"dependants": false}), "Stop(All)"),
        ("stop", json!({"dependants": true}), "StopWithDependants(All)"),
        ("start", json!({"dependants": true}), "Start(All)"),
        ("restart", json!({"dependants": true}), "Restart(All)"),
        (
            "stop",
            json!({"name": "a", "match": "simple", "dependants": true}),
            "StopWithDependants(Matching { pattern: \"a\", matching: Simple })",
        ),
        ("stop", json!(null), "Stop(All)"),
        ("stop", json!([1]), "'properties' should be an object"),
        (
            "stop",
            json!({"name": "a", "match": null}),
            "Stop(Matching { pattern: \"a\", matching: Glob })",
        ),
        ("stop", json!({"name": "a", "match": 7}), "'match' isn't a string"),
        ("stop", json!({"match": "bogus"}), "Stop(All)"),
        ("stop", json!({"name": "a", "match": "b\n"}), "unknown match method b\\n"),
        ("rm", json!({"name": "a", "nostop": "on"}), "Rm { name: \"a\", nostop: true }"),
        (
            "reload",
            json!({"graceful": "no", "sequential": 0}),
            "Reload { name: None, graceful: false, sequential: false }",
        ),
        ("reload", json!({"graceful": []}), "'graceful' isn't a valid boolean"),
        ("reloadconfig", json!({}), "ReloadConfig { dry_run: false }"),
        ("reloadconfig", json!({"dry_run": true}), "ReloadConfig { dry_run: true }"),
        ("status", json!({"detail": true}), "Status { name: None, detail: true }"),
        (
            "stats",
            json!({"process": "abc"}),
            "Stats { name: None, process: None, extended: false }",
        ),
        (
            "stats",
            json!({"name": "a", "process": "12", "extended": true}),
            "Stats { name: Some(\"a\"), process: Some(AskedProcess { pid: Pid(12), \
             as_sent: \"\\\"12\\\"\" }), extended: true }",
        ),
        ("stats", json!({"name": "a", "process": null}), "'process' isn't an integer"),
        ("stats", json!({"name": "a", "process": 0}), "'process' isn't the number of a process"),
        ("ipython", json!({}), "there is no Python in circusd, so there is no ipython shell"),
    ] {
        assert_eq!(understood(command, properties.clone()), expected, "{command} {properties}");
    }
    let reason = understood("stop", json!({"name": "x".repeat(256)}));
    assert_eq!(reason, "'name' is longer than 255 bytes");
    let keys: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    let reason = understood("get", json!({"name": "a", "keys": keys}));
    assert_eq!(reason, "'keys' has more than 1000 members");
}

#[test]
fn strangers_may_ask_only_for_what_is_known_already() {
    let only_reads = |command: &str, properties: Value| {
        let body = json!({"command": command, "properties": properties, "id": 1}).to_string();
        parse(body.as_bytes()).unwrap().command.only_reads()
    };
    for (command, properties) in [
        ("status", json!({})),
        ("stats", json!({"name": "web"})),
        ("options", json!({"name": "web"})),
        ("dstats", json!({})),
    ] {
        assert!(only_reads(command, properties), "{command}");
    }
    for (command, properties) in [
        ("reloadconfig", json!({})),
        // Reads every file that the configuration names.
        ("reloadconfig", json!({"dry_run": true})),
        ("restart", json!({})),
        ("signal", json!({"name": "web", "signum": 1})),
        ("quit", json!({})),
    ] {
        assert!(!only_reads(command, properties), "{command}");
    }
}

#[test]
fn a_signal_goes_to_whom_it_is_meant_for() {
    let to = |signum: Value, more: Value| {
        let mut properties = json!({"name": "a", "signum": signum});
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = understood("signal", properties);
        text.strip_prefix("Signal { name: \"a\", signal: ").map_or(text.clone(), str::to_owned)
    };
    let nobody =
        "receivers: Receivers { pid: None, child: None, children: false, recursive: false } }";
    for (signum, number) in [
        (json!(15), Some(15)),
        (json!(15.7), Some(15)),
        (json!("9"), Some(9)),
        (json!(" 9 "), Some(9)),
        (json!("usr1"), Some(10)),
        (json!("SIGTERM"), Some(15)),
        (json!("SIGRTMIN+2"), Some(36)),
        (json!("rtmax-1"), Some(63)),
        (json!(0), None),
        (json!("0"), None),
    ] {
        let signal = number.map_or("None".to_owned(), |number| format!("Some(Signal({number}))"));
        assert_eq!(to(signum, json!({})), format!("{signal}, {nobody}"));
    }
    for (signum, reason) in [
        (json!(""), "signal invalid"),
        (json!("FOO"), "signal invalid: there is no 'FOO'"),
        (json!("15.7"), "signal invalid: there is no '15.7'"),
        (json!(null), "signal invalid"),
        (json!(true), "signal invalid"),
        (json!(999), "[Errno 22] Invalid argument"),
        (json!("-15"), "[Errno 22] Invalid argument"),
        (json!(1e300), "[Errno 22] Invalid argument"),
    ] {
        assert_eq!(to(signum, json!({})), reason);
    }
    for (more, expected) in [
        (
            json!({"pid": "7", "childpid": 8}),
            "pid: Some(Pid(7)), child: Some(Pid(8)), children: false, recursive: false",
        ),
        // As Circus's ResourceWatcher and circus-web send it.
        (
            json!({"child_pid": 8}),
            "pid: None, child: Some(Pid(8)), children: false, recursive: false",
        ),
        (
            json!({"pid": 7, "child_pid": 8, "children": false, "recursive": true}),
            "pid: Some(Pid(7)), child: Some(Pid(8)), children: false, recursive: true",
        ),
        (json!({"children": true}), "pid: None, child: None, children: true, recursive: false"),
    ] {
        let expected = format!("Some(Signal(1)), receivers: Receivers {{ {expected} }} }}");
        assert_eq!(to(json!(1), more), expected);
    }
    for (more, reason) in [
        (json!({"childpid": 8}), "cannot specify childpid without pid"),
        (json!({"pid": null}), "'pid' isn't an integer"),
        (json!({"pid": -1}), "'pid' isn't the number of a process"),
        (json!({"pid": 4294967297u64}), "'pid' isn't the number of a process"),
        (json!({"pid": 7, "childpid": "x"}), "'childpid' isn't an integer"),
    ] {
        assert_eq!(to(json!(1), more), reason);
    }
}

#[test]
fn a_kill_may_have_its_own_signal_and_grace() {
    for (more, expected) in [
        (json!({"name": "a"}), "Kill { name: \"a\", pid: None, signal: None, grace_ms: None }"),
        (
            json!({"name": "a", "pid": "21269", "signum": "KILL", "graceful_timeout": "1"}),
            "Kill { name: \"a\", pid: Some(Pid(21269)), signal: Some(Signal(9)), grace_ms: Some(1000) }",
        ),
        (
            json!({"name": "a", "graceful_timeout": 0.0004, "signum": null}),
            "Kill { name: \"a\", pid: None, signal: None, grace_ms: Some(1) }",
        ),
        (
            json!({"name": "a", "graceful_timeout": 1e300}),
            "Kill { name: \"a\", pid: None, signal: None, grace_ms: Some(1000000000000) }",
        ),
        (json!({"name": "a", "graceful_timeout": "abc"}), "'graceful_timeout' isn't a number"),
        (json!({"name": "a", "graceful_timeout": "nan"}), "'graceful_timeout' isn't a number"),
        (
            json!({"name": "a", "graceful_timeout": -1}),
            "'graceful_timeout' isn't a number of seconds from 0 on",
        ),
        (json!({"name": "a", "signum": 0}), "signal invalid: 0 ends nothing"),
        (json!({"name": "a", "pid": 0}), "'pid' isn't the number of a process"),
        (json!({"signum": "FOO"}), "message invalid 'name' is missing"),
    ] {
        assert_eq!(understood("kill", more.clone()), expected, "{more}");
    }
}

#[test]
fn options_keep_their_order_and_arguments_are_texts() {
    let body =
        br#"{"command":"add","properties":{"name":"a","cmd":"c","args":["x",1,-2.5],"start":"yes",
        "options":{"z":1,"numprocesses":true,"env":{"B":"1"},"a":null,"z":"2"}}}"#;
    let Command::Add { name, cmd, args, options, start } = parse(body).unwrap().command else {
        panic!("not an add");
    };
    assert_eq!((&*name, &*cmd, start), ("a", "c", true));
    assert_eq!(args, Some(json!(["x", "1", "-2.5"])));
    let expected = [
        ("z", json!("2")),
        ("numprocesses", json!(1)),
        ("env", json!({"B": "1"})),
        ("a", json!(null)),
    ];
    assert_eq!(options, expected.map(|(key, value)| (key.into(), value)));

    for (more, reason) in [
        (json!({"args": {}}), "'args' isn't a string or a list of strings"),
        (json!({"args": [[]]}), "'args' isn't a string or a list of strings"),
        (json!({"options": []}), "'options' property should be an object"),
        (json!({"options": {"shell": 1}}), "'shell' isn't a valid boolean"),
        (json!({"name": ""}), "'name' is empty"),
    ] {
        let mut properties = json!({"name": "a", "cmd": "c"});
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(understood("add", properties), reason);
    }
    let many: Vec<String> = (0..1001).map(|number| format!("\"{number}\":0")).collect();
    let body = format!(
        r#"{{"command":"set","properties":{{"name":"a","options":{{{}}}}}}}"#,
        many.join(",")
    );
    let reason = parse(body.as_bytes()).unwrap_err().refusal.reason;
    assert_eq!(reason, "'options' has more than 1000 members");
}

#[test]
fn recorded_replies_are_written_to_the_byte() {
    let plain = |started: &[i32], kept: &[i32]| Info {
        stopped: None,
        started: pids(started),
        kept: pids(kept),
    };
    let refused = |errno, reason: &str| Answer::Refused(Refusal::new(errno, reason));
    let names =
        |names: &[&str]| Answer::Watchers(names.iter().map(|name| (*name).into()).collect());
    let socket = |members: &[(&'static str, Value)]| members.to_vec();
    for (time, answer, expected) in [
        (
            1795331504.1709943,
            names(&["idle", "single", "sleeper"]),
            r#"{"status": "ok", "time": 1795331504.1709943, "watchers": ["idle", "single", "sleeper"], "id": "r1"}"#,
        ),
        (
            1795331504.1723208,
            Answer::Pids(pids(&[21211, 21212])),
            r#"{"status": "ok", "time": 1795331504.1723208, "pids": [21211, 21212], "id": "r1"}"#,
        ),
        (
            1795331504.1747787,
            Answer::Pids(vec![]),
            r#"{"status": "ok", "time": 1795331504.1747787, "pids": [], "id": "r1"}"#,
        ),
        (
            1795331504.175168,
            Answer::Statuses(vec![
                ("Sleeper".into(), Status::Active),
                ("idle".into(), Status::Stopped),
            ]),
            r#"{"status": "ok", "time": 1795331504.175168, "statuses": {"Sleeper": "active", "idle": "stopped"}, "id": "r1"}"#,
        ),
        (
            1795331504.1754668,
            Answer::Status(Status::Active),
            r#"{"status": "active", "time": 1795331504.1754668, "id": "r1"}"#,
        ),
        (
            1795331504.1760306,
            Answer::Numprocesses { numprocesses: 3, watcher_name: None },
            r#"{"status": "ok", "time": 1795331504.1760306, "numprocesses": 3, "id": "r1"}"#,
        ),
        (
            1795331504.1762943,
            Answer::Numprocesses { numprocesses: 2, watcher_name: Some("SLEEPER".into()) },
            r#"{"status": "ok", "time": 1795331504.1762943, "numprocesses": 2, "watcher_name": "SLEEPER", "id": "r1"}"#,
        ),
        (
            1795331504.17655,
            Answer::Numwatchers(3),
            r#"{"status": "ok", "time": 1795331504.17655, "numwatchers": 3, "id": "r1"}"#,
        ),
        (
            1795331504.1770802,
            Answer::Options(vec![("check_delay".into(), json!(1.0))]),
            r#"{"status": "ok", "time": 1795331504.1770802, "options": {"check_delay": 1.0}, "id": "r1"}"#,
        ),
        (
            1795331504.178012,
            Answer::Options(vec![
                ("numprocesses".into(), json!(2)),
                ("graceful_timeout".into(), json!(3.0)),
                ("env".into(), json!({})),
                ("cmd".into(), json!("sleep 1000")),
                ("uid".into(), json!(null)),
            ]),
            r#"{"status": "ok", "time": 1795331504.178012, "options": {"numprocesses": 2, "graceful_timeout": 3.0, "env": {}, "cmd": "sleep 1000", "uid": null}, "id": "r1"}"#,
        ),
        (
            1795331504.1782644,
            Answer::Options(vec![]),
            r#"{"status": "ok", "time": 1795331504.1782644, "options": {}, "id": "r1"}"#,
        ),
        (
            1795331505.410931,
            Answer::Done,
            r#"{"status": "ok", "time": 1795331505.410931, "id": "r1"}"#,
        ),
        (
            1795331505.9222925,
            Answer::NewNumprocesses { numprocesses: 5, singleton: false },
            r#"{"status": "ok", "time": 1795331505.9222925, "numprocesses": 5, "id": "r1"}"#,
        ),
        (
            1795331507.541217,
            Answer::NewNumprocesses { numprocesses: 1, singleton: true },
            r#"{"status": "ok", "time": 1795331507.541217, "numprocesses": 1, "singleton": true, "id": "r1"}"#,
        ),
        (
            1795331514.8939893,
            Answer::Info(None),
            r#"{"status": "ok", "time": 1795331514.8939893, "info": null, "id": "r1"}"#,
        ),
        (
            1795331514.9077885,
            Answer::Info(Some(plain(&[21325, 21326], &[]))),
            r#"{"status": "ok", "time": 1795331514.9077885, "info": {"started": [21325, 21326], "kept": []}, "id": "r1"}"#,
        ),
        (
            1795331515.3266344,
            Answer::Info(Some(Info { stopped: Some(pids(&[21325])), ..plain(&[21329], &[]) })),
            r#"{"status": "ok", "time": 1795331515.3266344, "info": {"stopped": [21325], "started": [21329], "kept": []}, "id": "r1"}"#,
        ),
        (
            1795331518.455457,
            Answer::Added(plain(&[21372], &[])),
            r#"{"status": "ok", "time": 1795331518.455457, "started": [21372], "kept": [], "id": "r1"}"#,
        ),
        (
            1795332445.2084525,
            Answer::Sockets(vec![socket(&[
                ("fd", json!(6)),
                ("name", json!("web")),
                ("backlog", json!(2048)),
                ("host", json!("127.0.0.1")),
                ("port", json!(15638)),
            ])]),
            r#"{"status": "ok", "time": 1795332445.2084525, "sockets": [{"fd": 6, "name": "web", "backlog": 2048, "host": "127.0.0.1", "port": 15638}], "id": "r1"}"#,
        ),
        (
            1795331505.3913016,
            Answer::Members(vec![("name", "\"idle\"".into()), ("info", "{}".into())]),
            r#"{"status": "ok", "time": 1795331505.3913016, "name": "idle", "info": {}, "id": "r1"}"#,
        ),
        (
            1795331971.3577266,
            refused(Errno::UnknownCommand, "unknown command: 'nope'"),
            r#"{"status": "error", "reason": "unknown command: 'nope'", "tb": null, "time": 1795331971.3577266, "errno": 2, "id": "r1"}"#,
        ),
        (
            1795331971.362672,
            Answer::Refused(Refusal::not_found("zz")),
            r#"{"status": "error", "reason": "program zz not found", "tb": null, "time": 1795331971.362672, "errno": 3, "id": "r1"}"#,
        ),
        (
            1795331971.3660867,
            refused(Errno::Failed, "server error"),
            r#"{"status": "error", "reason": "server error", "tb": null, "time": 1795331971.3660867, "errno": 6, "id": "r1"}"#,
        ),
    ] {
        assert_eq!(reply("\"r1\"", time, &answer), expected);
    }
    let expected = r#"{"status": "ok", "time": 1795331520.171721, "id": {"a": 1}}"#;
    assert_eq!(reply("{\"a\": 1}", 1795331520.171721, &Answer::Done), expected);
}

#[test]
fn what_circus_does_not_know_is_added_to_what_it_knows() {
    let watcher = WatcherDetail {
        name: "Wéb".into(),
        status: Status::Active,
        healthy: false,
        note: "".into(),
        numprocesses: 2,
        processes: vec![
            ProcessDetail {
                wid: 1,
                pid: Some(pid(7)),
                state: "running",
                ms: 1500,
                restarts: 0,
                says: Some("at \"wörk\"".into()),
            },
            ProcessDetail { wid: 2, pid: None, state: "waiting", ms: 100, restarts: 3, says: None },
        ],
        restarts: 3,
        last_death: Some(("exit code 3".to_owned(), 2000)),
        hopeless: false,
        last_exit: None,
        depends_on: vec!["my:db:ready".into(), "b:completed".into()],
    };
    let quiet = WatcherDetail {
        name: "b".into(),
        status: Status::Completed,
        healthy: true,
        note: "x".into(),
        processes: vec![],
        restarts: 0,
        last_death: None,
        hopeless: false,
        last_exit: Some((Ending::Exited(0), 1500)),
        depends_on: vec![],
        ..watcher.clone()
    };
    let killed = WatcherDetail {
        name: "c".into(),
        note: "".into(),
        hopeless: false,
        last_exit: Some((Ending::Killed(Signal::KILL), 0)),
        ..quiet.clone()
    };
    assert_eq!(
        reply("1", 2.0, &Answer::Details(vec![watcher, quiet, killed])),
        "{\"status\": \"ok\", \"time\": 2.0, \
         \"statuses\": {\"W\\u00e9b\": \"active\", \"b\": \"completed\", \"c\": \"completed\"}, \"watchers\": [\
         {\"name\": \"W\\u00e9b\", \"status\": \"active\", \"healthy\": false, \"note\": \"\", \
         \"numprocesses\": 2, \"processes\": [\
         {\"wid\": 1, \"pid\": 7, \"state\": \"running\", \"seconds\": 1.5, \"restarts\": 0, \
         \"says\": \"at \\\"w\\u00f6rk\\\"\"}, \
         {\"wid\": 2, \"pid\": null, \"state\": \"waiting\", \"seconds\": 0.1, \"restarts\": 3}], \
         \"restarts\": 3, \"last_death\": {\"reason\": \"exit code 3\", \"seconds_ago\": 2.0}, \
         \"depends_on\": [\"my:db:ready\", \"b:completed\"]}, \
         {\"name\": \"b\", \"status\": \"completed\", \"healthy\": true, \"note\": \"x\", \
         \"numprocesses\": 2, \"processes\": [], \"restarts\": 0, \"last_death\": null, \
         \"last_exit\": {\"code\": 0, \"seconds_ago\": 1.5}}, \
         {\"name\": \"c\", \"status\": \"completed\", \"healthy\": true, \"note\": \"\", \
         \"numprocesses\": 2, \"processes\": [], \"restarts\": 0, \"last_death\": null, \
         \"last_exit\": {\"signal\": \"SIGKILL\", \"seconds_ago\": 0.0}}], \"id\": 1}"
    );
    let kinds = [
        ChangeKind::Added,
        ChangeKind::Removed,
        ChangeKind::Adjusted,
        ChangeKind::Reloaded,
        ChangeKind::Restarted,
    ];
    let written: Vec<String> = kinds
        .into_iter()
        .map(|kind| {
            let change = Change { name: "a".into(), kind, options: vec!["cmd".into()] };
            reply("1", 2.0, &Answer::Changes(vec![change]))
        })
        .collect();
    assert_eq!(
        written[0],
        "{\"status\": \"ok\", \"time\": 2.0, \"changes\": \
         [{\"watcher\": \"a\", \"change\": \"added\", \"options\": [\"cmd\"]}], \"id\": 1}"
    );
    for (written, word) in
        written.iter().zip(["added", "removed", "adjusted", "reloaded", "restarted"])
    {
        assert!(written.contains(&format!("\"change\": \"{word}\"")));
    }
}

#[test]
fn refusals_name_what_was_asked_for_as_circus_does() {
    let asked = |process: &str| {
        let body = format!(
            r#"{{"command":"stats","properties":{{"name":"sleeper","process":{process}}}}}"#
        );
        match parse(body.as_bytes()).unwrap().command {
            Command::Stats { process: Some(process), .. } => process,
            other => panic!("{other:?}"),
        }
    };
    for (refusal, expected) in [
        (Refusal::no_process(&asked("999999"), "sleeper"), "process 999999 not found in 'sleeper'"),
        (Refusal::no_process(&asked("\"7\""), "it's"), "process '7' not found in \"it's\""),
        (Refusal::no_option("nope"), "'nope' option not found"),
        (Refusal::no_global_option("nope"), "'nope' not an existing option"),
        (Refusal::already_there("sleeper"), "'sleeper' already exist"),
    ] {
        assert_eq!(refusal.reason, expected);
    }
}

/// xorshift64*: the same numbers in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn byte(&mut self) -> u8 {
        const LIKELY: &[u8] = b"{}[]\",:\\0123456789.eE+-ntfNaI uU\x00\xff\xc3\xa9\xed\xa0";
        if self.below(4) == 0 { self.below(256) as u8 } else { LIKELY[self.below(LIKELY.len())] }
    }
}

/// Whatever comes is answered, with an id and a reason that can be sent.
fn is_answered(body: &[u8]) {
    let (id, answer) = match parse(body) {
        Ok(request) => (request.id, Answer::Done),
        Err(rejected) => {
            assert!(!rejected.refusal.reason.is_empty());
            (rejected.id, Answer::Refused(rejected.refusal))
        }
    };
    let written = reply(&id, 1.5, &answer);
    let end = written.rfind(", \"id\": ").expect("an id");
    // The id itself may hold what only Python reads, such as half a surrogate pair.
    let readable = format!("{}}}", &written[..end]);
    if !written[..end].contains("\"id\": ") {
        serde_json::from_str::<Value>(&readable).expect("JSON");
    }
    assert!(written.len() < 4 * body.len() + 8192);
}

#[test]
fn nothing_that_is_sent_goes_without_an_answer() {
    let requests: Vec<String> = recorded().map(|(request, _)| request).collect();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let length = chance.below(60);
        let body: Vec<u8> = (0..length).map(|_| chance.byte()).collect();
        is_answered(&body);
    }
    for _ in 0..40_000 {
        let mut body = requests[chance.below(requests.len())].clone().into_bytes();
        for _ in 0..=chance.below(4) {
            let at = chance.below(body.len() + 1);
            match chance.below(4) {
                0 => body.insert(at, chance.byte()),
                1 if at < body.len() => body[at] = chance.byte(),
                2 => body.truncate(at),
                _ => {
                    let other = requests[chance.below(requests.len())].as_bytes();
                    let from = chance.below(other.len() + 1);
                    body.splice(at..at, other[from..].iter().copied());
                }
            }
        }
        is_answered(&body);
    }
}

#[test]
fn the_largest_request_is_answered_too_however_it_is_built() {
    const BYTES: usize = 262_144;
    let within = |before: &str, part: &str, after: &str| {
        let count = (BYTES - before.len() - after.len()) / part.len();
        format!("{before}{}{after}", part.repeat(count))
    };
    for body in [
        within("", "[", ""),
        within("", "{\"a\":", ""),
        within("{\"command\":\"", "\\u0001", "\"}"),
        within("{\"command\":\"", "\u{10ffff}", "\"}"),
        within("{\"command\":\"list\",", "\"x\":1,", "\"id\":1}"),
        within("{\"command\":\"list\",\"properties\":{", "\"x\":1,", "\"name\":\"a\"}}"),
        within(
            "{\"command\":\"set\",\"properties\":{\"name\":\"a\",\"options\":{",
            "\"x\":1,",
            "\"y\":1}}}",
        ),
        within(
            "{\"command\":\"set\",\"properties\":{\"name\":\"a\",\"options\":{\"x\":[",
            "1,",
            "1]}}}",
        ),
        within(
            "{\"command\":\"get\",\"properties\":{\"name\":\"a\",\"keys\":[",
            "\"x\",",
            "\"y\"]}}",
        ),
        within("{\"command\":\"incr\",\"properties\":{\"name\":\"a\",\"nb\":\"", "1", "\"}}"),
        within("{\"command\":\"incr\",\"properties\":{\"name\":\"a\",\"nb\":", "1", "}}"),
        within("{\"command\":\"signal\",\"properties\":{\"name\":\"a\",\"signum\":\"", "X", "\"}}"),
        within("{\"command\":\"list\",\"id\":", "[", ""),
        within("{\"command\":\"list\",\"id\":[", "NaN,", "NaN]}"),
        within("", " ", ""),
    ] {
        is_answered(body.as_bytes());
    }
}
