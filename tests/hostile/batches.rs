//! Many requests at once that are much work: nothing else waits until all of them are done.

use crate::process::Process;
use crate::world::{Running, World, namespaces_are_possible, until_some};
use crate::zmtp::{DEADLINE, Peer, frame};

fn gateway(running: &Running) -> Option<Process> {
    let all = running.process.children();
    all.into_iter().find(|process| process.command().starts_with("circusctl gateway "))
}

fn open(more: &str) -> (Running, Peer, Process) {
    let ini = "[circus]\nendpoint = ipc://@/control.sock\npubsub_endpoint = ipc://@/pubsub.sock\n";
    let running = World::pid_1(&format!("{ini}{more}")).start();
    let mut client = Peer::dealer(&format!("ipc://{}/control.sock", running.folder().display()));
    client.ask(br#"{"command": "list"}"#, DEADLINE).expect("a reply");
    let gateway = until_some("a gateway serves", || gateway(&running));
    (running, client, gateway)
}

/// In one write, so that the gateway passes them on together.
fn send_all(client: &mut Peer, requests: &[String]) {
    let bytes: Vec<u8> = requests.iter().flat_map(|text| frame(0, text.as_bytes())).collect();
    client.write(&bytes).expect("it is sent");
}

fn reply(client: &mut Peer) -> String {
    let mut frames = client.receive(DEADLINE).expect("a reply");
    String::from_utf8(frames.pop().expect("a frame")).expect("UTF-8")
}

#[test]
fn long_replies_to_many_requests_at_once_are_no_fault_of_the_gateway() {
    if !namespaces_are_possible() {
        return;
    }
    let value = "x".repeat(2000);
    let variables: String =
        (0..100).map(|number| format!("VARIABLE_{number} = {value}\n")).collect();
    let ini = format!("[watcher:big]\ncmd = sleep 1001\n[env:big]\n{variables}");
    let (mut running, mut client, before) = open(&ini);
    let requests: Vec<String> = (0..120)
        .map(|number| {
            format!(r#"{{"command": "options", "properties": {{"name": "big"}}, "id": {number}}}"#)
        })
        .collect();
    send_all(&mut client, &requests);
    for number in 0..requests.len() {
        let reply = reply(&mut client);
        assert!(reply.len() > 200_000 && reply.ends_with(&format!(r#""id": {number}}}"#)));
    }
    assert_eq!(gateway(&running), Some(before), "it was not replaced");
    let log = running.log();
    assert!(!log.contains("gateway"), "{log}");
    running.stop();
}

#[test]
fn a_death_is_seen_while_requests_that_are_much_work_wait() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:many]\ncmd = sleep 1001\nnumprocesses = 150\n\
               [watcher:one]\ncmd = sleep 1002\n";
    let (mut running, mut client, _) = open(ini);
    running.wait_for_children("sleep 1001", 150);
    running.wait_for_child("sleep 1002");
    let list = r#"{"command": "list", "properties": {"name": "one"}}"#;
    let pids = |reply: &str| {
        let (_, rest) = reply.split_once(r#""pids": ["#)?;
        rest.split_once(']').map(|(pids, _)| pids.to_string())
    };
    let before = pids(&client.ask(list.as_bytes(), DEADLINE).expect("a reply"));
    let mut requests =
        vec![r#"{"command": "signal", "properties": {"name": "one", "signum": 9}}"#.to_string()];
    requests.extend((0..60).map(|_| r#"{"command": "stats"}"#.to_string()));
    requests.push(list.to_string());
    send_all(&mut client, &requests);
    let last = requests.iter().map(|_| reply(&mut client)).last().expect("a reply");
    assert!(before.is_some() && pids(&last).is_some(), "{last}");
    assert_ne!(pids(&last), before, "it has ended long ago");
    running.stop();
}
