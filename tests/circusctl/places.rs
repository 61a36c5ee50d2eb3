//! Where the daemon is looked for, and what is said if it is not there.

use crate::world::{World, finish};
use serde_json::json;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn the_default_directory_is_found_without_any_option() {
    let world = World::new();
    fs::create_dir(world.folder.join("circus")).expect("a folder");
    let inner = World { folder: world.folder.join("circus") };
    let _daemon = inner.daemon(|_| Some(json!({"numwatchers": 3})));
    let mut command = world.command(&["numwatchers"]);
    command.env_remove("CIRCUSCTL_ENDPOINT").env("XDG_RUNTIME_DIR", &world.folder);
    let run = finish(command);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "3\n", ""));
}

#[test]
fn an_option_wins_over_the_environment() {
    let world = World::new();
    let _daemon = world.daemon(|_| Some(json!({"numwatchers": 3})));
    let mut command =
        world.command(&["numwatchers", "--endpoint", &world.endpoint("control.sock")]);
    command.env("CIRCUSCTL_ENDPOINT", "ipc:///nowhere/x");
    assert_eq!(finish(command).out, "3\n");
}

/// Long before its time is over, the client says this, and exits with 1.
fn soon(world: &World, words: &[&str], parts: &[&str]) {
    let started = Instant::now();
    let mut words = words.to_vec();
    words.extend(["--timeout", "50"]);
    let run = world.run(&words);
    assert_eq!((run.code, run.out.as_str()), (1, ""), "{}", run.err);
    for part in parts {
        assert!(run.err.contains(part), "{part:?} in {}", run.err);
    }
    assert!(started.elapsed() < Duration::from_secs(40));
}

#[test]
fn nobody_there_is_told_at_once() {
    let world = World::new();
    soon(&world, &["status"], &["there is no", "control.sock", "Is circusd running"]);
    // A socket that is left over.
    drop(UnixListener::bind(world.folder.join("control.sock")).expect("a socket"));
    soon(&world, &["status"], &["nobody listens at"]);
    soon(&world, &["listen"], &["nobody listens at"]);
    soon(&world, &["listen", "--endpoint", &world.endpoint("x")], &["there is no"]);
    soon(
        &world,
        &["list", "--endpoint", "tcp://127.0.0.1:1"],
        &["nobody listens at tcp://127.0.0.1:1"],
    );
}

#[test]
fn an_endpoint_that_is_none_is_a_wrong_command_line() {
    for endpoint in ["nonsense", "tcp://", "tcp://127.0.0.1:x", "inproc://x", "udp://1.2.3.4:5"] {
        let run = World::new().run(&["--endpoint", endpoint, "list"]);
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains("ipc://PATH or tcp://HOST:PORT"), "{}", run.err);
    }
}

#[test]
fn silence_is_told_when_the_time_is_over() {
    let world = World::new();
    let _daemon = world.daemon(|_| None);
    let run = world.run(&["--timeout", "0.2", "stop", "--waiting"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("timed out: no answer from ipc://"), "{}", run.err);
    assert!(run.err.contains("within 0.2 s\nThe work may go on"), "{}", run.err);
    // Only what has to do with it is said.
    let run = world.run(&["--timeout", "0.2", "status"]);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let run = world.run(&["--timeout", "0.2", "status", "--endpoint", &format!("tcp://{address}")]);
    assert_eq!(run.err.lines().count(), 2, "{}", run.err);
    assert!(run.err.contains("\nIf it wants CURVE, give --curve-key"), "{}", run.err);
    let run = world.run(&["--timeout", "0.2", "status", "--endpoint", "tcp://nobody.invalid:5555"]);
    assert!(run.err.contains("\nCan that address be reached from here?"), "{}", run.err);
}

#[test]
fn whoever_may_not_connect_is_told_who_may() {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only root can become somebody else");
        return;
    }
    let world = World::new();
    let program = world.folder.join("circusctl");
    fs::copy(env!("CARGO_BIN_EXE_circusctl"), &program).expect("the program can be copied");
    fs::set_permissions(&world.folder, Permissions::from_mode(0o755)).expect("ours");
    let private = World { folder: world.folder.join("private") };
    fs::create_dir(&private.folder).expect("a folder");
    let _daemon = private.daemon(|_| Some(json!({"numwatchers": 3})));
    let as_other = |endpoint: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "1234", "--regid", "1234", "--clear-groups"]).arg(&program);
        command.args(["--timeout", "50", "--endpoint", endpoint, "numwatchers"]);
        finish(command)
    };
    // A socket that is open to its owner only, then a directory.
    let socket = private.folder.join("control.sock");
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).expect("ours");
    for closed in [&socket, &private.folder] {
        fs::set_permissions(closed, Permissions::from_mode(0o700)).expect("ours");
        let run = as_other(&private.endpoint("control.sock"));
        assert_eq!(run.code, 1);
        let expected = format!(
            "permission denied: {} belongs to user 0, and we are user 1234",
            closed.display()
        );
        assert!(run.err.contains(&expected), "{}", run.err);
        assert!(run.err.contains("docker exec -u 0"), "{}", run.err);
    }
    fs::set_permissions(&private.folder, Permissions::from_mode(0o755)).expect("ours");
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).expect("ours");
    assert_eq!(as_other(&private.endpoint("control.sock")).out, "3\n");
}

#[test]
fn a_directory_that_somebody_else_made_is_not_used() {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only root can give a directory away");
        return;
    }
    let world = World::new();
    let inner = World { folder: world.folder.join("circus") };
    fs::create_dir(&inner.folder).expect("a folder");
    let daemon = inner.daemon(|_| Some(json!({"numwatchers": 3})));
    fs::set_permissions(&world.folder, Permissions::from_mode(0o1777)).expect("ours");
    std::os::unix::fs::chown(&inner.folder, Some(1234), None).expect("we are root");
    let mut command = world.command(&["numwatchers"]);
    command.env_remove("CIRCUSCTL_ENDPOINT").env("XDG_RUNTIME_DIR", &world.folder);
    let run = finish(command);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("its directory belongs to user 1234"), "{}", run.err);
    assert!(daemon.requests().is_empty());
}
