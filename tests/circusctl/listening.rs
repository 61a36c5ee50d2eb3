//! `listen`: publications as they come, from whichever endpoint was given.

use crate::world::{DEADLINE, World, until_some};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc;
use std::thread;

/// A publisher, and a daemon that says where it is.
struct Publisher {
    world: World,
    socket: zmq::Socket,
}

impl Publisher {
    fn new() -> Publisher {
        let world = World::new();
        let socket = zmq::Context::new().socket(zmq::XPUB).expect("a socket");
        socket.set_linger(0).expect("an option");
        socket.bind(&world.endpoint("pubsub.sock")).expect("a free endpoint");
        Publisher { world, socket }
    }

    /// Wait until somebody subscribes to this.
    fn wait_for_subscription(&self, topic: &str) {
        until_some("a subscription", || {
            let message = self.socket.recv_bytes(zmq::DONTWAIT).ok()?;
            (message[0] == 1 && &message[1..] == topic.as_bytes()).then_some(())
        });
    }

    fn publish(&self, topic: &str, payload: &str) {
        self.socket.send_multipart([topic, payload], 0).expect("room");
    }
}

/// The first line that a client prints; then it is ended.
fn first_line(mut child: Child) -> String {
    let (sender, receiver) = mpsc::channel();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    thread::spawn(move || {
        let mut line = String::new();
        let _ = out.read_line(&mut line);
        let _ = sender.send(line);
    });
    let line = receiver.recv_timeout(DEADLINE).expect("a line");
    // What runs it passes this on.
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("our child");
    child.wait().expect("our child");
    line.trim_end().to_string()
}

const REAP: &str = r#"{"process_pid": 31, "time": 1795332834.25, "exit_code": -9}"#;

#[test]
fn publications_are_found_by_asking_the_daemon() {
    let publisher = Publisher::new();
    let endpoint = publisher.world.endpoint("pubsub.sock");
    let daemon =
        publisher.world.daemon(move |_| Some(json!({"options": {"pubsub_endpoint": endpoint}})));
    let control = publisher.world.endpoint("control.sock");
    // By the environment, and by an option, which could be the other endpoint as well.
    for words in
        [&["listen", "watcher.web."][..], &["listen", "watcher.web.", "--endpoint", &control]]
    {
        let child = publisher.world.command(words).spawn().expect("it starts");
        publisher.wait_for_subscription("watcher.web.");
        publisher.publish("watcher.other.reap", REAP);
        publisher.publish("watcher.web.reap", REAP);
        let line = first_line(child);
        assert!(line.ends_with(".250 web          reap      pid 31, killed by SIGKILL"), "{line}");
    }
    assert_eq!(daemon.commands(), ["globaloptions"; 2]);
}

#[test]
fn a_watchers_name_is_enough() {
    let publisher = Publisher::new();
    let endpoint = publisher.world.endpoint("pubsub.sock");
    let words = ["listen", "Web", "--pubsub", &endpoint];
    let child = publisher.world.command(&words).spawn().expect("it starts");
    publisher.wait_for_subscription("watcher.web.");
    publisher.publish("watcher.webmail.reap", REAP);
    publisher.publish("watcher.web.reap", REAP);
    let line = first_line(child);
    assert!(line.ends_with(".250 web          reap      pid 31, killed by SIGKILL"), "{line}");
}

#[test]
fn the_endpoint_of_publications_can_be_given() {
    let publisher = Publisher::new();
    let endpoint = publisher.world.endpoint("pubsub.sock");
    let json = r#"{"topic": "watcher.web.reap", "payload": {"process_pid": 31, "time": 1795332834.25, "exit_code": -9}}"#;
    let raw = format!("b'watcher.web.reap': b'{REAP}'");
    for (words, expected) in [
        (&["listen", "--json", "--pubsub", &endpoint][..], json),
        (&["--endpoint", &endpoint, "listen", "--raw"], &raw),
    ] {
        let child = publisher.world.command(words).spawn().expect("it starts");
        publisher.wait_for_subscription("");
        publisher.publish("watcher.web.reap", REAP);
        let line = first_line(child);
        assert_eq!(line, expected);
    }
}

#[test]
fn it_ends_by_itself_when_nobody_reads_any_more() {
    let publisher = Publisher::new();
    let endpoint = publisher.world.endpoint("pubsub.sock");
    let words = ["listen", "--pubsub", &endpoint];
    let mut child = publisher.world.command(&words).spawn().expect("it starts");
    publisher.wait_for_subscription("");
    // Nothing is published: it is not a failed write that ends it.
    drop(child.stdout.take());
    let status = until_some("the end", || child.try_wait().expect("our child"));
    assert_eq!(status.code(), Some(0));
    let mut error = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("UTF-8");
    assert_eq!(error, "");
}
