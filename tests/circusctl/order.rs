//! Who waits for whom, and waiting until all is well.

use crate::world::{World, finish, until_some};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn watcher(name: &str, healthy: bool, note: &str, needs: &[&str]) -> Value {
    let status = if healthy { "active" } else { "stopped" };
    let hopeless = note.ends_with("failed");
    json!({"name": name, "status": status, "healthy": healthy, "note": note, "numprocesses": 1,
           "hopeless": hopeless,
           "processes": [], "restarts": 0, "last_death": null, "depends_on": needs})
}

fn web_waits_for_db() -> Value {
    let watchers = [
        watcher("db", false, "failed", &["migrate:completed"]),
        watcher("web", false, "waiting for db, which failed", &["db:ready", "cache:started"]),
        watcher("cache", true, "", &[]),
        watcher("migrate", true, "", &[]),
    ];
    json!({"statuses": {"db": "stopped", "web": "stopped", "cache": "active", "migrate": "active"},
           "watchers": watchers})
}

/// Of nothing but this watcher.
fn all(watcher: Value) -> Value {
    let name = watcher["name"].as_str().expect("a name").to_string();
    json!({"statuses": {name: watcher["status"]}, "watchers": [watcher]})
}

#[test]
fn the_tree_shows_what_each_watcher_waits_for() {
    let world = World::new();
    let daemon = world.daemon(|_| Some(web_waits_for_db()));
    let run = world.run(&["tree"]);
    let expected = "! web  stopped (waiting for db, which failed)\n\
                    |- ! db  stopped (failed)\n\
                    |  `- + migrate  active\n\
                    `- + cache:started  active\n";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, expected, ""));
    assert_eq!(daemon.requests()[0]["properties"], json!({"detail": true}));
    for (name, value, is_utf8) in [
        ("LANG", "C.UTF-8", true),
        ("LC_CTYPE", "de_DE.utf8", true),
        ("LANG", "C", false),
        ("LC_ALL", "POSIX", false),
    ] {
        let mut command = world.command(&["tree"]);
        command.env("LANG", "en_US.UTF-8").env(name, value);
        let out = finish(command).out;
        assert_eq!(out.contains("├─ ✗ db"), is_utf8, "{name}={value}: {out}");
    }
    let run = world.run(&["tree", "--json"]);
    let reply: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(reply["watchers"][1]["depends_on"], json!(["db:ready", "cache:started"]));
    drop(daemon);

    let _daemon = world.daemon(|_| Some(json!({"statuses": {"web": "active"}})));
    let run = world.run(&["tree"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("does not tell what its watchers wait for"), "{}", run.err);
}

#[test]
fn a_stop_takes_along_what_depends_on_it_only_if_told_to() {
    let world = World::new();
    let daemon = world.daemon(|_| Some(json!({})));
    for (words, properties) in [
        (&["stop", "db"][..], json!({"name": "db", "waiting": false, "match": "glob"})),
        (
            &["stop", "db", "--with-dependants", "--waiting"],
            json!({"name": "db", "waiting": true, "match": "glob", "dependants": true}),
        ),
        (
            &["stop", "--with-dependants"],
            json!({"waiting": false, "match": "glob", "dependants": true}),
        ),
    ] {
        assert_eq!(world.run(words).out, "ok\n");
        let requests = daemon.requests();
        assert_eq!(requests.last().expect("a request")["properties"], properties);
    }
    for command in ["start", "restart"] {
        assert_eq!(world.run(&[command, "db", "--with-dependants"]).out, "ok\n");
        let requests = daemon.requests();
        let request = requests.last().expect("a request");
        assert_eq!(request["command"], command);
        assert_eq!(request["properties"]["dependants"], json!(true));
    }
}

#[test]
fn health_may_be_asked_of_some_watchers_only() {
    let world = World::new();
    let daemon = world.daemon(|_| Some(web_waits_for_db()));
    let run = world.run(&["health", "Cache", "migrate"]);
    assert_eq!((run.code, run.out.as_str()), (0, "healthy: all 2 watchers\n"));
    assert_eq!(daemon.requests()[0]["properties"], json!({"detail": true}));
    let run = world.run(&["health", "cache", "web"]);
    let expected = "web: stopped (waiting for db, which failed)\n";
    assert_eq!((run.code, run.out.as_str()), (1, expected));
    let run = world.run(&["health", "cache", "web", "--json"]);
    assert_eq!(run.code, 1);
    let reply: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(reply["healthy"], json!(false));
    let names: Vec<&Value> =
        reply["watchers"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["web", "cache"]);
    assert_eq!(reply["statuses"], json!({"cache": "active", "web": "stopped"}));
    // A typing error is not waited for.
    let run = world.run(&["health", "cache", "nosuch", "--wait", "1000"]);
    assert_eq!((run.code, run.err.as_str()), (1, "error: program nosuch not found\n"));
}

#[test]
fn container_platforms_get_no_other_code_than_1_from_health() {
    let world = World::new();
    let daemon = world.daemon(|_| {
        Some(json!({"status": "error", "reason": "program nosuch not found", "errno": 3}))
    });
    let run = world.run(&["health", "nosuch"]);
    assert_eq!((run.code, run.err.as_str()), (1, "error: program nosuch not found\n"));
    drop(daemon);
    assert_eq!(world.run(&["health"]).code, 1);
    for seconds in ["5s", "-1", "NaN", "inf", ""] {
        let run = world.run(&["health", "--wait", seconds]);
        assert_eq!(run.code, 2);
        assert!(run.err.contains("use seconds, such as 30"), "{}", run.err);
    }
    assert_eq!(world.run(&["health", "--wait=soon"]).code, 2);
}

#[test]
fn health_waits_until_all_is_well() {
    let world = World::new();
    let mut count = 0;
    let daemon = world.daemon(move |request| {
        // Nothing is published anywhere: asking now and then does.
        if request["command"] == "globaloptions" {
            return Some(json!({"options": {}}));
        }
        count += 1;
        Some(all(watcher("web", count > 3, "not ready", &[])))
    });
    let run = world.run(&["health", "--wait", "1000"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "web: healthy\n", ""));
    assert_eq!(daemon.commands(), ["status", "globaloptions", "status", "status", "status"]);
}

#[test]
fn a_publication_is_a_reason_to_ask_again() {
    let world = World::new();
    let publisher = zmq::Context::new().socket(zmq::XPUB).expect("a socket");
    publisher.set_linger(0).expect("an option");
    publisher.bind(&world.endpoint("pubsub.sock")).expect("a free endpoint");
    let endpoint = world.endpoint("pubsub.sock");
    let (tell, told) = std::sync::mpsc::channel();
    let mut healthy = false;
    let daemon = world.daemon(move |request| {
        if request["command"] == "globaloptions" {
            return Some(json!({"options": {"pubsub_endpoint": endpoint}}));
        }
        healthy |= told.try_recv().is_ok();
        Some(all(watcher("web", healthy, "not ready", &[])))
    });
    let mut child = world.command(&["health", "--wait", "1000"]).spawn().expect("it starts");
    until_some("a subscription", || {
        let message = publisher.recv_bytes(zmq::DONTWAIT).ok()?;
        (message == b"\x01watcher.").then_some(())
    });
    // When the pauses are long, what is published is the shorter way.
    until_some("long pauses", || (daemon.commands().len() > 7).then_some(()));
    tell.send(()).expect("somebody listens");
    for _ in 0..5000 {
        publisher.send_multipart(["watcher.web.ready", "{}"], 0).expect("room");
    }
    let code = until_some("the end", || child.try_wait().expect("our child"));
    assert_eq!(code.code(), Some(0));
    assert!(daemon.commands().len() < 40, "{:?}", daemon.commands());
}

#[test]
fn nobody_waits_for_what_does_not_become_well_by_itself() {
    let world = World::new();
    let _daemon = world.daemon(|_| Some(web_waits_for_db()));
    // Without a number it would be a minute.
    for words in [&["health", "--wait", "1000"][..], &["health", "--wait", "db", "web"]] {
        let run = world.run(words);
        let expected = "db: stopped (failed)\nweb: stopped (waiting for db, which failed)\n";
        assert_eq!((run.code, run.out.as_str()), (1, expected));
    }
    let run = world.run(&["health", "--wait", "cache"]);
    assert_eq!((run.code, run.out.as_str()), (0, "cache: healthy\n"));
}

#[test]
fn in_a_pipe_states_come_with_reasons_where_they_need_one() {
    let world = World::new();
    let _daemon = world.daemon(|request| match request["properties"]["name"].as_str() {
        Some(_) => Some(all(watcher("web", false, "waiting for db, which failed", &[]))),
        None => Some(web_waits_for_db()),
    });
    let run = world.run(&["status"]);
    let expected = "cache: active\ndb: stopped (failed)\nmigrate: active\n\
                    web: stopped (waiting for db, which failed)\n";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, expected, ""));
    let run = world.run(&["status", "--plain"]);
    assert_eq!(run.out, "cache: active\ndb: stopped\nmigrate: active\nweb: stopped\n");
    let run = world.run(&["status", "web"]);
    let reason = "web: waiting for db, which failed\n";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "stopped\n", reason));
}

#[test]
fn when_the_time_is_over_it_says_what_is_missing() {
    let world = World::new();
    let daemon = world.daemon(|_| {
        let watchers = [
            watcher("db", false, "not ready", &[]),
            watcher("web", false, "waiting for db to be ready", &[]),
        ];
        Some(json!({"statuses": {"db": "stopped", "web": "stopped"}, "watchers": watchers}))
    });
    let start = Instant::now();
    let run = world.run(&["health", "--wait", "0.3"]);
    let expected = "db: stopped (not ready)\nweb: stopped (waiting for db to be ready)\n";
    assert_eq!((run.code, run.out.as_str()), (1, expected));
    assert!(start.elapsed() >= Duration::from_millis(300));
    let run = world.run(&["health", "-q", "--wait", "0"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    drop(daemon);
    let run = world.run(&["health", "--wait", "0.2"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.starts_with("error: "), "{}", run.err);
}

#[test]
fn circusd_may_come_later_than_who_asks() {
    let world = World::new();
    let mut child = world.command(&["health", "--wait", "1000", "-q"]).spawn().expect("it starts");
    // Nobody is there, and it goes on.
    let end = Instant::now() + Duration::from_millis(300);
    until_some("some time", || (Instant::now() >= end).then_some(()));
    assert!(child.try_wait().expect("our child").is_none());
    let _daemon = world.daemon(|_| Some(all(watcher("web", true, "", &[]))));
    let code = until_some("the end", || child.try_wait().expect("our child"));
    assert_eq!(code.code(), Some(0));
}
