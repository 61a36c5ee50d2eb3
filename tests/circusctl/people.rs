//! What Circus's circusctl has not: tables, health, dry runs, help, keys.

use crate::world::World;
use serde_json::{Value, json};

/// A watcher's details.
fn detail(name: &str, healthy: bool) -> Value {
    json!({"name": name, "status": "active", "healthy": healthy, "note": "", "numprocesses": 1,
           "processes": [{"wid": 1, "pid": 31, "state": "running", "seconds": 250.5, "restarts": 2}],
           "restarts": 2, "last_death": {"reason": "exit code 3", "seconds_ago": 250.5}})
}

fn all_healthy(_: &Value) -> Option<Value> {
    Some(json!({"statuses": {"web": "active"}, "watchers": [detail("web", true)]}))
}

#[test]
fn the_table_is_there_for_who_wants_it() {
    let world = World::new();
    let daemon = world.daemon(all_healthy);
    let run = world.run(&["status", "--detail"]);
    assert_eq!(
        run.out,
        "NAME  STATE   PID  UPTIME  RESTARTS  LAST DEATH\n\
         web   active  31   4m 10s  2         exit code 3, 4m 10s ago\n"
    );
    assert_eq!(daemon.requests()[0]["properties"], json!({"detail": true}));
    let run = world.run(&["status", "web", "--json", "--detail"]);
    assert!(run.out.contains("\"last_death\""), "{}", run.out);
    assert_eq!(daemon.requests()[1]["properties"], json!({"name": "web", "detail": true}));
    // Whoever reads the plain form asks for nothing more.
    assert_eq!(world.run(&["status", "--plain"]).out, "web: active\n");
    assert_eq!(daemon.requests()[2]["properties"], json!({}));
}

fn socket(name: &str, kind: &str, place: Value, more: Value) -> Value {
    let mut all = json!({"fd": 7, "name": name, "backlog": 2048, "type": kind});
    for part in [place, more] {
        all.as_object_mut().expect("an object").extend(part.as_object().expect("too").clone());
    }
    all
}

#[test]
fn sockets_are_a_table_with_who_waits_and_who_serves() {
    let world = World::new();
    let sockets = json!([
        socket(
            "web",
            "SOCK_STREAM",
            json!({"host": "127.0.0.1", "port": 8080}),
            json!({"waiting": 3, "waiting_max": 1024, "dropped": 0, "watchers": ["web", "x"]})
        ),
        socket(
            "six",
            "SOCK_STREAM",
            json!({"host": "::1", "port": 80}),
            json!({"waiting": 0, "waiting_max": 128, "dropped": 12, "watchers": []})
        ),
        socket(
            "app",
            "SOCK_STREAM",
            json!({"path": "/run/app\u{1b}.sock"}),
            json!({"waiting": null, "waiting_max": null, "dropped": null, "watchers": ["app"]})
        ),
        socket(
            "dns",
            "SOCK_DGRAM",
            json!({"host": "0.0.0.0", "port": 53}),
            json!({"waiting": null, "waiting_max": null, "dropped": 1, "watchers": ["dns"]})
        ),
        socket(
            "log",
            "SOCK_DGRAM",
            json!({"path": "/log"}),
            json!({"waiting": null, "waiting_max": null, "dropped": null, "watchers": ["log"]})
        ),
        socket(
            "seq",
            "SOCK_SEQPACKET",
            json!({"path": "/seq"}),
            json!({"waiting": 1, "waiting_max": null, "dropped": null, "watchers": ["log"]})
        ),
    ]);
    let daemon = world.daemon(move |_| Some(json!({"sockets": sockets})));
    let run = world.run(&["sockets"]);
    assert_eq!(
        run.out,
        "\
NAME  ADDRESS         BACKLOG  WAITING    DROPPED  USED BY
web   127.0.0.1:8080  2048     3 of 1024  0        web, x
six   [::1]:80        2048     0 of 128   12       -
app   /run/app\u{fffd}.sock  2048     -          -        app
dns   0.0.0.0:53/udp  -        -          1        dns
log   /log/dgram      -        -          -        log
seq   /seq/seqpacket  2048     1          -        log
"
    );
    assert_eq!(daemon.requests()[0]["command"], "listsockets");
    assert_eq!(daemon.requests()[0]["properties"], json!({"detail": true}));
    let run = world.run(&["sockets", "--json"]);
    assert!(run.out.contains("\"waiting_max\": 1024"), "{}", run.out);
    drop(daemon);

    let daemon = world.daemon(|_| Some(json!({"sockets": []})));
    assert_eq!(world.run(&["sockets"]).out, "no socket\n");
    drop(daemon);
    // Circus's own circusd tells no more than it always does.
    let plain = json!({"sockets": [{"fd": 6, "name": "s", "backlog": 1, "path": "/s"}]});
    let _daemon = world.daemon(move |_| Some(plain.clone()));
    assert_eq!(world.run(&["sockets"]).out, "6:socket 's' at /s\n");
}

#[test]
fn a_daemon_without_details_gets_the_plain_form() {
    let world = World::new();
    let _daemon = world.daemon(|_| Some(json!({"statuses": {"web": "active"}})));
    assert_eq!(world.run(&["status", "--detail"]).out, "web: active\n");
}

#[test]
fn health_is_an_exit_code() {
    let world = World::new();
    let daemon = world.daemon(all_healthy);
    let run = world.run(&["health"]);
    assert_eq!((run.code, run.out.as_str()), (0, "web: healthy\n"));
    let run = world.run(&["health", "-q"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""));
    drop(daemon);

    let ill = |_: &Value| Some(json!({"watchers": [detail("web", true), detail("db", false)]}));
    let daemon = world.daemon(ill);
    let run = world.run(&["health"]);
    assert_eq!(run.code, 1);
    assert_eq!(run.out, "db: active, 2 restarts, last death: exit code 3, 4m 10s ago\n");
    let run = world.run(&["health", "--quiet"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (1, "", ""));
    let run = world.run(&["health", "--json"]);
    assert_eq!(run.code, 1);
    assert!(run.out.starts_with('{'), "{}", run.out);
    drop(daemon);

    let _daemon = world.daemon(|_| Some(json!({"statuses": {}})));
    let run = world.run(&["health"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("does not tell"), "{}", run.err);
}

#[test]
fn a_dry_run_says_what_would_change_and_never_changes_anything() {
    let world = World::new();
    let daemon = world.daemon(|request| {
        Some(match request["command"].as_str() {
            Some("status") => json!({"watchers": []}),
            _ => json!({"changes": [
                {"watcher": "web", "change": "restarted", "options": ["cmd", "env"]},
                {"watcher": "new", "change": "added", "options": []}]}),
        })
    });
    let run = world.run(&["reloadconfig", "--dry-run"]);
    assert_eq!((run.code, run.out.as_str()), (0, "web: restarted (cmd, env)\nnew: added\n"));
    assert_eq!(daemon.requests()[1]["properties"], json!({"dry_run": true}));
    drop(daemon);

    // Circus would ignore what it does not know, and reload.
    let daemon = world.daemon(|_| Some(json!({"statuses": {}})));
    let run = world.run(&["reloadconfig", "--dry-run"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("knows no dry run"), "{}", run.err);
    assert_eq!(daemon.commands(), ["status"]);
}

#[test]
fn what_will_surprise_is_told_beside_the_result() {
    let world = World::new();
    let _daemon = world.daemon(|request| {
        Some(match request["command"].as_str() {
            Some("status") => json!({"watchers": []}),
            _ => json!({"changes": [], "warnings": ["a.ini:3: old", "[socket:x] does nothing"]}),
        })
    });
    let warnings = "warning: a.ini:3: old\nwarning: [socket:x] does nothing\n";
    let run = world.run(&["reloadconfig"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "ok\n", warnings));
    let run = world.run(&["reloadconfig", "--dry-run"]);
    assert_eq!((run.code, run.err.as_str()), (0, warnings));
    assert_eq!(run.out, "nothing would change\n");
    let run = world.run(&["reloadconfig", "--json"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("\"warnings\": ["), "{}", run.out);
}

#[test]
fn a_refusal_of_several_lines_keeps_them_and_nothing_of_it_moves_the_terminal() {
    let world = World::new();
    let reason = "nothing was changed:\n  a.ini:1: x\u{1b}[2J\n  a.ini:2: y";
    let _daemon = world.daemon(move |_| Some(json!({"status": "error", "reason": reason})));
    let run = world.run(&["reloadconfig"]);
    let expected = "error: nothing was changed:\n  a.ini:1: x\u{fffd}[2J\n  a.ini:2: y\n";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (3, "", expected));
}

#[test]
fn help_and_version_need_no_daemon() {
    let world = World::new();
    for words in [&["--help"][..], &["help"], &["-h"]] {
        let run = world.run(words);
        assert_eq!(run.code, 0);
        assert!(run.out.contains("Exit codes"), "{}", run.out);
    }
    for words in [&["--help", "reload"][..], &["help", "reload"], &["reload", "--help"]] {
        let run = world.run(words);
        assert_eq!(run.code, 0);
        assert!(run.out.starts_with("circusctl reload [NAME]"), "{}", run.out);
    }
    let version = concat!("circusctl ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(world.run(&["--version"]).out, version);
    assert_eq!(world.run(&["help", "relaod"]).code, 2);
}

#[test]
fn the_page_on_circusctl_lists_every_command() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/circusctl.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let world = World::new();
    let help = world.run(&["--help"]).out;
    let commands = help.split("\nOptions:").next().expect("commands").lines();
    let indented = commands.filter_map(|line| line.strip_prefix("  ")).skip(3);
    let mut count = 0;
    for line in indented {
        let (name, summary) = line.split_once(' ').expect("a summary");
        let help = world.run(&["help", name]).out;
        let syntax = help.lines().next().expect("a line").trim_start_matches("circusctl ");
        let row = format!("| `{}` | {} |", syntax.replace('|', "\\|"), summary.trim());
        assert!(page.contains(&row), "docs/circusctl.md lacks the line\n{row}");
        count += 1;
    }
    assert!(count > 25);
}

#[test]
fn a_reply_that_makes_no_sense_is_told() {
    let world = World::new();
    let _daemon = world.daemon(|_| Some(json!({"unexpected": 1})));
    let run = world.run(&["list"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("--json shows it"), "{}", run.err);
}

#[test]
fn keys_are_made_and_used_for_a_tcp_endpoint() {
    let world = World::new();
    let folder = world.folder.display().to_string();
    for name in ["server", "client"] {
        let run = world.run(&["keygen", "--output", &format!("{folder}/{name}")]);
        assert_eq!(run.code, 0, "{}", run.err);
    }
    let key = |name: &str, field: &str| {
        let text = std::fs::read_to_string(world.folder.join(name)).expect("a file");
        let line = text.lines().find(|line| line.trim().starts_with(field)).expect("a key");
        let key = line.split('"').nth(1).expect("quoted").to_string();
        zmq::z85_decode(&key).expect("a key")
    };
    let server = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
    server.set_curve_server(true).expect("an option");
    server.set_curve_secretkey(&key("server.key_secret", "secret-key")).expect("an option");
    server.bind("tcp://127.0.0.1:*").expect("a port");
    let endpoint = server.get_last_endpoint().expect("bound").expect("UTF-8");
    let serve = std::thread::spawn(move || {
        let frames = server.recv_multipart(0).expect("a request");
        let request: Value = serde_json::from_slice(&frames[1]).expect("JSON");
        let reply = json!({"status": "ok", "numwatchers": 7, "id": request["id"]}).to_string();
        server.send_multipart([&frames[0], reply.as_bytes()], 0).expect("room");
        server
    });
    let own = format!("{folder}/client.key_secret");
    let mut words = vec!["--endpoint", &endpoint, "--curve-key", &own, "numwatchers"];
    let run = world.run(&words);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("both"), "{}", run.err);
    let public = format!("{folder}/server.key");
    words.extend(["--curve-server-key", &public]);
    let run = world.run(&words);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "7\n", ""));
    drop(serve.join().expect("served"));
}
