//! `reloadconfig` with sockets: new ones are bound before anything changes, and old ones serve until
//! nobody is left who was started with them.

use crate::control::{ask, operate, with_endpoints};
use crate::serving::{answered, asking, by_tcp, by_unix, free_port, port, serve, serving, shown};
use crate::world::{Running, namespaces_are_possible, until};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

fn ini(port: u16) -> String {
    format!(
        "[socket:web]\nhost = 127.0.0.1\nport = {port}\n[watcher:w]\n\
         cmd = SERVE $(circus.sockets.web)\nnumprocesses = 2\n[watcher:other]\ncmd = sleep 901\n"
    )
}

fn rewrite(run: &Running, ini: &str) {
    run.write("circus.ini", &with_endpoints(&ini.replace("SERVE", serve())));
}

fn is_listened_at(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_changed_port_is_served_and_the_old_one_until_its_workers_have_gone() {
    if !namespaces_are_possible() {
        return;
    }
    let [old, new] = [free_port(), free_port()];
    let mut run = serving(&ini(old)).start();
    run.wait_for_log("started");
    by_tcp(old);
    let other = run.wait_for_child("sleep 901");
    let waiting: Vec<_> = (0..10).map(|_| asking(old)).collect();
    rewrite(&run, &ini(new));
    let changes = operate(&run, "reloadconfig --dry-run");
    assert_eq!(changes, "[socket:web]: reloaded\nw: reloaded (sockets)");
    operate(&run, "reloadconfig --waiting");
    by_tcp(new);
    for client in waiting {
        answered(client);
    }
    until("the old one is closed", || !is_listened_at(old));
    assert_eq!(run.wait_for_child("sleep 901"), other);
    assert_eq!(port(&run, "web"), new);
    run.stop();
}

#[test]
fn the_old_port_answers_as_long_as_a_worker_that_has_it_lives() {
    if !namespaces_are_possible() {
        return;
    }
    let [old, new] = [free_port(), free_port()];
    // The new ones are never ready.
    let never = |ini: &str| ini.replace("numprocesses = 2", "ready = notify\nready_timeout = 600");
    let mut run = serving(&ini(old)).start();
    run.wait_for_log("started");
    by_tcp(old);
    rewrite(&run, &never(&ini(new)));
    operate(&run, "reloadconfig");
    until("the new one is there", || is_listened_at(new));
    by_tcp(new);
    for _ in 0..20 {
        by_tcp(old);
    }
    run.stop();
}

#[test]
fn a_socket_that_cannot_be_bound_leaves_everything_as_it_was() {
    if !namespaces_are_possible() {
        return;
    }
    let [old, free] = [free_port(), free_port()];
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let taken = (taken.local_addr().expect("it is bound").port(), taken);
    let mut run = serving(&ini(old)).start();
    run.wait_for_log("started");
    by_tcp(old);
    let before = run.process.children();
    let fds = run.process.descriptors();
    // One that could be bound comes first; other things would change too.
    let more =
        format!("[socket:a]\nhost = 127.0.0.1\nport = {free}\n[watcher:new]\ncmd = sleep 902\n");
    let text = format!("{}{more}", ini(taken.0).replace("= 2", "= 3"));
    rewrite(&run, &text);
    for words in ["reloadconfig", "reloadconfig --waiting", "restart --waiting"] {
        let said = ask(&run, words);
        assert_eq!((said.code, &*said.out), (3, ""), "{words}: {said:?}");
        for part in ["socket web (", &taken.0.to_string(), "in use"] {
            assert!(said.err.contains(part), "{words}: {said:?}");
        }
    }
    by_tcp(old);
    assert!(!is_listened_at(free), "what was bound is closed");
    let servers = |all: &[crate::process::Process]| {
        let all = all.iter().filter(|it| !it.command().contains("circusctl"));
        all.copied().collect::<Vec<_>>()
    };
    assert_eq!(servers(&run.process.children()), servers(&before));
    let sockets = |all: &std::collections::BTreeMap<u32, String>| {
        all.values().filter(|it| it.starts_with("socket:")).count()
    };
    assert!(sockets(&run.process.descriptors()) <= sockets(&fds) + 1, "the gateway's is the one");
    assert_eq!(operate(&run, "list"), "other,w");
    // And when it is free it can.
    drop(taken.1);
    operate(&run, "reloadconfig --waiting");
    by_tcp(taken.0);
    run.stop();
}

#[test]
fn backlog_and_mode_change_without_a_reload() {
    if !namespaces_are_possible() {
        return;
    }
    let text = "[socket:a]\npath = @/a.sock\n[socket:b]\nhost = 127.0.0.1\nport = 0\n\
                [watcher:a]\ncmd = SERVE $(circus.sockets.a)\n\
                [watcher:b]\ncmd = SERVE $(circus.sockets.b)\n";
    let mut run = serving(text).start();
    run.wait_for_log("started");
    by_unix(&run.folder().join("a.sock"));
    let number = port(&run, "b");
    let by = by_tcp(number);
    let text = text.replace("a.sock\n", "a.sock\nmode = 0606\n");
    let text = text.replace("port = 0\n", "port = 0\nbacklog = 9\n");
    rewrite(&run, &text);
    let changes = operate(&run, "reloadconfig --dry-run");
    assert_eq!(changes, "[socket:a]: adjusted\n[socket:b]: adjusted");
    operate(&run, "reloadconfig --waiting");
    assert_eq!((by_tcp(number), port(&run, "b")), (by, number));
    assert_eq!(shown(&run, "b")["backlog"], 9);
    let data = std::fs::metadata(run.folder().join("a.sock")).expect("it is there");
    assert_eq!(data.permissions().mode() & 0o7777, 0o606);
    assert_eq!(operate(&run, "reloadconfig --dry-run"), "nothing would change");
    run.stop();
}

#[test]
fn sockets_come_and_go_with_their_watchers() {
    if !namespaces_are_possible() {
        return;
    }
    let [one, two] = [free_port(), free_port()];
    let before = ini(one);
    let mut run = serving(&before).start();
    run.wait_for_log("started");
    by_tcp(one);
    let text = format!(
        "{before}[socket:u]\npath = @/u.sock\n[watcher:u]\ncmd = SERVE $(circus.sockets.u)\n\
         [socket:x]\nhost = 127.0.0.1\nport = {two}\n[watcher:x]\ncmd = SERVE $(circus.sockets.x)\n"
    );
    for _ in 0..3 {
        rewrite(&run, &text);
        operate(&run, "reloadconfig --waiting");
        by_unix(&run.folder().join("u.sock"));
        by_tcp(two);
        rewrite(&run, &before);
        operate(&run, "reloadconfig --waiting");
        assert!(!run.folder().join("u.sock").exists(), "its file is gone");
        assert!(!is_listened_at(two), "its port is closed");
        by_tcp(one);
    }
    run.stop();
}

#[test]
fn a_socket_with_another_name_is_the_same_socket() {
    if !namespaces_are_possible() {
        return;
    }
    let one = free_port();
    let mut run = serving(&ini(one)).start();
    run.wait_for_log("started");
    let waiting: Vec<_> = (0..5).map(|_| asking(one)).collect();
    rewrite(
        &run,
        &ini(one).replace("socket:web", "socket:net").replace("sockets.web", "sockets.net"),
    );
    operate(&run, "reloadconfig --waiting");
    by_tcp(one);
    for client in waiting {
        answered(client);
    }
    run.stop();
}

#[test]
fn one_that_waits_for_somebody_waits_at_the_new_socket() {
    if !namespaces_are_possible() {
        return;
    }
    let [old, new] = [free_port(), free_port()];
    let demand = |port| ini(port).replace("numprocesses = 2", "on_demand = True");
    let mut run = serving(&demand(old)).start();
    run.wait_for_log("w waits for a connection");
    rewrite(&run, &demand(new));
    operate(&run, "reloadconfig --waiting");
    assert!(!is_listened_at(old), "nobody has it");
    assert_eq!(operate(&run, "status w"), "stopped");
    by_tcp(new);
    assert_eq!(operate(&run, "status w"), "active");
    run.stop();
}

#[test]
fn processes_of_another_kind_of_port_change_one_after_the_other() {
    if !namespaces_are_possible() {
        return;
    }
    let [old, new] = [free_port(), free_port()];
    let shared = |port| ini(port).replace("[watcher:w]", "so_reuseport = True\n[watcher:w]");
    let mut run = serving(&shared(old)).start();
    run.wait_for_log("started");
    by_tcp(old);
    rewrite(&run, &shared(new));
    operate(&run, "reloadconfig --waiting");
    by_tcp(new);
    until("the old one is closed", || !is_listened_at(old));
    run.stop();
}
