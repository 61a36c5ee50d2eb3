//! `on_demand`: watchers that start when somebody comes to one of their sockets.

use crate::control::operate;
use crate::serving::{answer, answered, asking, by_tcp, by_udp, by_unix, connected, port, serving};
use crate::world::{Running, namespaces_are_possible, until};
use std::io::Write;

const INI: &str = "
[socket:web]
host = 127.0.0.1
port = 0
[watcher:w]
cmd = SERVE $(circus.sockets.web)
on_demand = True
";

fn servers(run: &Running) -> usize {
    let all = run.process.children().into_iter();
    all.filter(|process| process.command().contains("serve.py")).count()
}

#[test]
fn it_starts_at_the_first_connection_which_is_answered() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(&format!("{INI}numprocesses = 2\n")).start();
    let port = port(&run, "web");
    run.wait_for_log("w waits for a connection");
    assert_eq!((servers(&run), &*operate(&run, "status w")), (0, "stopped"));
    assert_eq!(operate(&run, "health"), "w: healthy");
    by_tcp(port);
    assert_eq!(operate(&run, "status w"), "active");
    until("both are there", || servers(&run) == 2);
    run.stop();
}

#[test]
fn those_who_come_before_it_is_up_are_all_answered() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(INI).start();
    let port = port(&run, "web");
    let clients: Vec<_> = (0..50).map(|_| connected(port)).collect();
    for client in clients {
        assert_ne!(answer(client).expect("it was there"), "");
    }
    assert_eq!(run.log().matches("serves ").count(), 1);
    run.stop();
}

#[test]
fn datagrams_and_unix_sockets_start_it_too() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "
[socket:udp]
host = 127.0.0.1
port = 0
type = SOCK_DGRAM
[socket:unix]
path = @/unix.sock
[watcher:udp]
cmd = SERVE $(circus.sockets.udp)
on_demand = True
[watcher:stdin]
cmd = SERVE 0
stdin_socket = unix
on_demand = True
";
    let mut run = serving(ini).start();
    assert_ne!(by_udp(port(&run, "udp")), "");
    assert_eq!(operate(&run, "status stdin"), "stopped");
    assert_ne!(by_unix(&run.folder().join("unix.sock")), "");
    run.stop();
}

#[test]
fn an_operators_stop_stays_a_stop_until_a_start_after_which_it_waits_again() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(INI).start();
    let port = port(&run, "web");
    for words in ["stop w --waiting", "stop --waiting"] {
        by_tcp(port);
        operate(&run, words);
        let client = connected(port);
        // Something else that takes its time, and the connection would have been seen.
        operate(&run, "reload --waiting");
        assert_eq!((servers(&run), &*operate(&run, "status w")), (0, "stopped"), "{words}");
        operate(&run, "start w --waiting");
        assert_ne!(answer(client).expect("it has waited"), "", "{words}");
    }
    // Waiting, and stopped.
    operate(&run, "restart w --waiting");
    until("it waits", || operate(&run, "status w") == "stopped");
    operate(&run, "stop w --waiting");
    let client = connected(port);
    operate(&run, "reload --waiting");
    assert_eq!(servers(&run), 0);
    drop(client);
    run.stop();
}

#[test]
fn it_stops_when_nobody_comes_and_starts_for_the_next() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(&format!("{INI}idle_timeout = 0.3\n")).start();
    let port = port(&run, "web");
    for _ in 0..3 {
        let said = run.log().matches("w waits for a connection").count();
        by_tcp(port);
        until("it waits again", || run.log().matches("w waits for a connection").count() > said);
        assert_eq!((servers(&run), &*operate(&run, "status w")), (0, "stopped"));
    }
    run.stop();
}

#[test]
fn whoever_stays_connected_keeps_it() {
    if !namespaces_are_possible() {
        return;
    }
    let unix = "[socket:u]\npath = @/u.sock\n[watcher:u]\ncmd = SERVE $(circus.sockets.u)\n\
                on_demand = True\nidle_timeout = 0.2\n";
    let mut run = serving(&format!("{INI}idle_timeout = 0.2\n{unix}")).start();
    let mut client = connected(port(&run, "web"));
    client.write_all(b"wait\n").expect("it is connected");
    let path = run.folder().join("u.sock");
    let mut other = std::os::unix::net::UnixStream::connect(path).expect("it listens");
    other.write_all(b"wait\n").expect("it is connected");
    until("both are up", || operate(&run, "status") == "u: active\nw: active");
    // Many times as long as nobody may come.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(operate(&run, "status"), "u: active\nw: active");
    assert_eq!(run.log().matches("serves ").count(), 2, "neither was stopped meanwhile");
    answered(client);
    assert_ne!(answer(other).expect("it is there"), "");
    until("both wait again", || operate(&run, "status") == "u: stopped\nw: stopped");
    run.stop();
}

#[test]
fn whoever_comes_while_it_stops_is_answered_by_the_next() {
    if !namespaces_are_possible() {
        return;
    }
    // It takes its time to end, and takes nobody more.
    let script = "trap 'echo asked >> @/asked; while ! test -e @/let-go; do sleep 0.02; done; \
                  kill -9 $(cat @/server); exit' TERM\n\
                  rm -f @/let-go\n\
                  python3 -IS @/serve.py $1 & echo $! > @/server\n\
                  while :; do wait; done\n";
    let ini = INI.replace("SERVE", "sh @/slow.sh");
    let world = serving(&format!("{ini}idle_timeout = 0.2\n")).with("slow.sh", script);
    let mut run = world.start();
    let port = port(&run, "web");
    let first = by_tcp(port);
    run.wait_for_file("asked", "asked");
    // Held: what it has not taken when it is told to end is for the next.
    let pid = first.trim().to_string();
    let held = run.others().into_iter().find(|it| it.status("NSpid").ends_with(&format!(" {pid}")));
    held.expect("it serves").send("STOP");
    let client = connected(port);
    run.write("let-go", "");
    let second = answer(client).expect("it was in the queue");
    assert!(!second.is_empty() && second != first, "{first} {second}");
    run.send("TERM");
    run.wait_for_log("SIGTERM received");
    run.write("let-go", "");
    assert_eq!(run.exit_code(), 0);
}

#[test]
fn a_server_that_is_killed_while_it_serves_does_not_take_the_others_with_it() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(INI).start();
    let port = port(&run, "web");
    by_tcp(port);
    let mut crashing = connected(port);
    crashing.write_all(b"crash\n").expect("it is sent");
    let clients: Vec<_> = (0..10).map(|_| connected(port)).collect();
    for client in clients {
        assert_ne!(answer(client).expect("it waited in the queue"), "");
    }
    run.stop();
}

#[test]
fn each_is_started_by_its_own_socket_only() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "
[socket:a]
host = 127.0.0.1
port = 0
[socket:b]
host = 127.0.0.1
port = 0
[socket:c]
host = 127.0.0.1
port = 0
[watcher:a]
cmd = SERVE $(circus.sockets.a)
on_demand = True
[watcher:b]
cmd = SERVE $(circus.sockets.b)
on_demand = True
[watcher:c]
cmd = SERVE $(circus.sockets.c)
";
    let mut run = serving(ini).start();
    by_tcp(port(&run, "c"));
    assert_eq!(operate(&run, "status"), "a: stopped\nb: stopped\nc: active");
    by_tcp(port(&run, "b"));
    assert_eq!(operate(&run, "status"), "a: stopped\nb: active\nc: active");
    by_tcp(port(&run, "a"));
    assert_eq!(operate(&run, "status"), "a: active\nb: active\nc: active");
    run.stop();
}

#[test]
fn everything_ends_while_they_wait_or_are_about_to_start() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(INI).start();
    run.wait_for_log("w waits for a connection");
    run.stop();
    let mut run = serving(INI).start();
    let client = asking(port(&run, "web"));
    assert_eq!(operate(&run, "quit --waiting"), "ok");
    assert_eq!(run.exit_code(), 0);
    assert_eq!(run.others(), []);
    drop(client);
}
