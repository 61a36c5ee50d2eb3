//! `so_reuseport`: each process has a socket of its own at the same port, and hands it on.

use crate::control::{ask, operate};
use crate::process::Process;
use crate::serving::{answered, asking, by_tcp, port, serving};
use crate::world::{Running, namespaces_are_possible, until, until_some};
use std::collections::{BTreeMap, BTreeSet};

const INI: &str = "
[socket:web]
host = 127.0.0.1
port = 0
so_reuseport = True
[watcher:w]
cmd = SERVE $(circus.sockets.web)
numprocesses = 4
";

/// The servers, by the socket that each has.
fn servers(run: &Running, count: usize) -> BTreeMap<String, Process> {
    until_some(&format!("{count} servers with a socket each"), || {
        let all = run.process.children().into_iter().filter(|it| it.command().contains("serve.py"));
        let all: Vec<Process> = all.collect();
        let sockets: BTreeMap<String, Process> =
            all.iter().filter_map(|it| Some((it.descriptors().remove(&3)?, *it))).collect();
        (all.len() == count && sockets.len() == count).then_some(sockets)
    })
}

fn sockets(run: &Running, count: usize) -> BTreeSet<String> {
    servers(run, count).into_keys().collect()
}

/// So many serve.
fn wait_for_servers(run: &Running, count: usize) {
    until("they serve", || run.log().matches("serves ").count() >= count);
}

#[test]
fn each_process_has_a_socket_of_its_own_at_the_same_port() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(INI).start();
    let sockets = sockets(&run, 4);
    assert!(sockets.iter().all(|it| it.starts_with("socket:")), "{sockets:?}");
    wait_for_servers(&run, 4);
    let port = port(&run, "web");
    let served: BTreeSet<String> = (0..200).map(|_| by_tcp(port)).collect();
    assert_eq!(served.len(), 4, "the kernel shares them out: {served:?}");
    run.stop();
}

#[test]
fn the_successor_of_a_killed_one_has_its_socket_and_answers_who_waited_there() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(&INI.replace("= 4", "= 2")).start();
    let before = servers(&run, 2);
    wait_for_servers(&run, 2);
    let port = port(&run, "web");
    // Both are held, so that clients wait in the queues of both.
    before.values().for_each(|server| server.send("STOP"));
    let clients: Vec<_> = (0..20).map(|_| asking(port)).collect();
    before.values().for_each(|server| server.send("KILL"));
    for client in clients {
        answered(client);
    }
    let after = servers(&run, 2);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before.values().all(|old| after.values().all(|new| new != old)));
    run.stop();
}

#[test]
fn a_reload_shares_them_and_nobody_who_waits_is_lost() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(INI).start();
    let before = sockets(&run, 4);
    wait_for_servers(&run, 4);
    let port = port(&run, "web");
    for words in ["reload w --waiting", "reload w --sequential --waiting", "restart w --waiting"] {
        let clients: Vec<_> = (0..20).map(|_| asking(port)).collect();
        operate(&run, words);
        assert_eq!(sockets(&run, 4), before, "{words}");
        for client in clients {
            answered(client);
        }
    }
    run.stop();
}

#[test]
fn fewer_processes_have_fewer_sockets_and_all_who_come_are_answered() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = serving(INI).start();
    let before = sockets(&run, 4);
    wait_for_servers(&run, 4);
    let port = port(&run, "web");
    operate(&run, "decr w 3 --waiting");
    let after = sockets(&run, 1);
    assert!(after.is_subset(&before));
    let held = || run.process.descriptors().into_values().collect::<Vec<_>>();
    let gone = before.difference(&after).collect::<Vec<_>>();
    until("the sockets of the others are closed", || {
        let held = held();
        gone.iter().all(|gone| !held.contains(gone))
    });
    for _ in 0..50 {
        by_tcp(port);
    }
    operate(&run, "incr w 2 --waiting");
    assert!(sockets(&run, 3).is_superset(&after));
    wait_for_servers(&run, 6);
    for _ in 0..50 {
        by_tcp(port);
    }
    assert_eq!(ask(&run, "listsockets").code, 0);
    run.stop();
}
