//! What goes through a gateway, and what becomes of it when either end goes away.

use crate::circusd::{Client, DEADLINE, Said, World};
use circus::wire::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX, ToGateway};
use std::collections::BTreeSet;

#[test]
fn a_request_and_its_reply_pass_through() {
    for (world, uid) in [
        // SAFETY: no memory is involved.
        (World::local(), Some(unsafe { libc::geteuid() })),
        (World::network(), None),
    ] {
        let mut gateway = world.start();
        let client = Client::new(&world.endpoint);
        client.ask("{\"command\": \"list\"}");
        let (from, identity, body) = gateway.request();
        assert_eq!((from, body.as_slice()), (uid, &b"{\"command\": \"list\"}"[..]));
        gateway.reply(&identity, b"{\"status\": \"ok\"}");
        assert_eq!(client.answer(), "{\"status\": \"ok\"}");
    }
}

#[test]
fn clients_are_told_apart_by_their_identity() {
    let world = World::local();
    let mut gateway = world.start();
    let clients: Vec<Client> = (0..20)
        .map(|number| {
            Client::prepared(&world.endpoint, zmq::DEALER, |socket| {
                socket.set_identity(format!("{number:0255}").as_bytes()).unwrap();
            })
        })
        .collect();
    clients.iter().enumerate().for_each(|(number, client)| client.ask(&number.to_string()));
    let mut requests: Vec<_> = (0..20).map(|_| gateway.request()).collect();
    requests.sort();
    for (_, identity, body) in &requests {
        let number: usize = String::from_utf8(body.clone()).unwrap().parse().unwrap();
        assert_eq!(identity, format!("{number:0255}").as_bytes());
        gateway.reply(identity, body);
    }
    for (number, client) in clients.iter().enumerate() {
        assert_eq!(client.answer(), number.to_string());
    }
}

#[test]
fn requests_and_replies_may_be_as_long_as_allowed_but_no_longer() {
    let world = World::local();
    let mut gateway = world.start();
    let client = Client::new(&world.endpoint);
    client.ask(&"x".repeat(REQUEST_BYTES_MAX));
    let (_, identity, body) = gateway.request();
    assert_eq!(body.len(), REQUEST_BYTES_MAX);
    gateway.reply(&identity, &vec![b'y'; REPLY_BYTES_MAX]);
    assert_eq!(client.answer().len(), REPLY_BYTES_MAX);
    let greedy = Client::new(&world.endpoint);
    greedy.ask(&"x".repeat(REQUEST_BYTES_MAX + 1));
    gateway.serves(&world.endpoint);
}

#[test]
fn a_request_of_another_number_of_frames_is_dropped_and_told_once() {
    let world = World::local();
    let mut gateway = world.start();
    let poison = Client::new(&world.endpoint);
    for _ in 0..100 {
        poison.socket.send_multipart(["", "{}"], 0).unwrap();
        poison.socket.send_multipart(["a", "b", "c", "d"], 0).unwrap();
    }
    let asker = Client::prepared(&world.endpoint, zmq::REQ, |_| {});
    asker.ask("{}");
    poison.ask("last");
    let (_, identity, body) = gateway.request();
    assert_eq!(body, b"last");
    gateway.reply(&identity, b"1");
    assert_eq!(poison.answer(), "1");
    gateway.serves(&world.endpoint);
    let notes = gateway.notes.clone();
    assert!(
        matches!(&notes[..], [(0, text)] if text.contains("not exactly one frame")),
        "{notes:?}"
    );
}

#[test]
fn replies_that_come_in_pieces_or_many_at_once_arrive() {
    let world = World::local();
    let mut gateway = world.start();
    let client = Client::new(&world.endpoint);
    client.ask("who am I?");
    let (_, identity, _) = gateway.request();
    let mut bytes = Vec::new();
    for number in 0..500 {
        let body = number.to_string();
        ToGateway::Reply { identity: &identity, body: body.as_bytes() }.append_to(&mut bytes);
        ToGateway::Reply { identity: b"nobody", body: b"?" }.append_to(&mut bytes);
    }
    let (first, rest) = bytes.split_at(3000);
    first.chunks(1).for_each(|byte| gateway.say_bytes(byte));
    gateway.say_bytes(rest);
    for number in 0..500 {
        assert_eq!(client.answer(), number.to_string());
    }
}

#[test]
fn publications_reach_those_who_subscribed_to_the_start_of_their_topic() {
    let world = World::local();
    let mut gateway = world.start();
    let web = Client::subscriber(&world.pubsub, &["watcher.web."]);
    gateway.wait_for_subscribers(1);
    let all = Client::subscriber(&world.pubsub, &[""]);
    gateway.wait_for_subscribers(2);
    gateway.publish("watcher.db.spawn", "{\"pid\": 1}");
    gateway.publish("watcher.web.spawn", "{\"pid\": 2}");
    assert_eq!(web.parts(), ["watcher.web.spawn", "{\"pid\": 2}"]);
    assert_eq!(all.parts(), ["watcher.db.spawn", "{\"pid\": 1}"]);
    assert_eq!(all.parts(), ["watcher.web.spawn", "{\"pid\": 2}"]);
    drop(web);
    gateway.wait_for_subscribers(1);
    all.socket.set_unsubscribe(b"").unwrap();
    gateway.wait_for_subscribers(0);
}

#[test]
fn requests_wait_with_the_clients_while_circusd_takes_none() {
    let world = World::local();
    let mut gateway = world.start();
    gateway.serves(&world.endpoint);
    let before = gateway.resident_kb();
    let client = Client::prepared(&world.endpoint, zmq::DEALER, |socket| {
        socket.set_sndhwm(10).unwrap();
        socket.set_sndtimeo(500).unwrap();
    });
    let body = "x".repeat(100_000);
    let mut sent = 0;
    while client.socket.send(body.as_bytes(), 0).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "it ends");
    }
    let grown = gateway.resident_kb() - before;
    // A hundred of them with libzmq, one batch with us.
    assert!(grown < 30_000, "grown by {grown} kB for {sent} requests");
    for number in 0..sent {
        let (_, identity, got) = gateway.request();
        assert_eq!(got.len(), body.len());
        gateway.reply(&identity, number.to_string().as_bytes());
    }
    for number in 0..sent {
        assert_eq!(client.answer(), number.to_string());
    }
    gateway.serves(&world.endpoint);
}

#[test]
fn replies_are_taken_while_circusd_takes_no_requests() {
    let world = World::local();
    let mut gateway = world.start();
    let patient = Client::new(&world.endpoint);
    patient.ask("first");
    let (_, identity, _) = gateway.request();
    let flood = Client::prepared(&world.endpoint, zmq::DEALER, |socket| {
        socket.set_sndtimeo(500).unwrap();
        socket.set_sndhwm(10).unwrap();
    });
    while flood.socket.send(vec![b'x'; 100_000], 0).is_ok() {}
    gateway.reply(&identity, b"still");
    assert_eq!(patient.answer(), "still");
}

#[test]
fn a_new_gateway_takes_over_the_listeners_and_clients_find_it() {
    let world = World::local();
    let (sender, published) = std::sync::mpsc::channel();
    let subscriber = Client::subscriber(&world.pubsub, &["watcher."]);
    // libzmq subscribes anew only while it is asked for messages.
    let listener = std::thread::spawn(move || {
        for _ in 0..5 {
            sender.send(subscriber.parts()).unwrap();
        }
    });
    let mut identities = BTreeSet::new();
    for round in 0..5 {
        // Until there is a gateway, clients wait in the kernel.
        let client = Client::new(&world.endpoint);
        client.ask(&round.to_string());
        let mut gateway = world.start();
        let (mut is_answered, mut is_subscribed) = (false, false);
        while !(is_answered && is_subscribed) {
            match gateway.hear() {
                Said::Request { identity, body, .. } => {
                    // A reply for a client of the last one finds nobody.
                    assert!(identities.insert(identity.clone()));
                    gateway.reply(&identity, &body);
                    assert_eq!(client.answer(), round.to_string());
                    is_answered = true;
                }
                Said::Subscribers(count) => is_subscribed = count == 1,
                other => panic!("{other:?}"),
            }
        }
        gateway.publish("watcher.web.spawn", &round.to_string());
        let parts = published.recv_timeout(DEADLINE).unwrap();
        assert_eq!(parts, ["watcher.web.spawn".to_string(), round.to_string()]);
        gateway.kill();
    }
    listener.join().unwrap();
}

#[test]
fn what_was_said_before_goodbye_is_delivered() {
    let world = World::local();
    let mut gateway = world.start();
    let subscriber = Client::subscriber(&world.pubsub, &[""]);
    gateway.wait_for_subscribers(1);
    let client = Client::new(&world.endpoint);
    client.ask("quit");
    let (_, identity, _) = gateway.request();
    gateway.publish("watcher.web.stop", "{}");
    gateway.reply(&identity, &vec![b'z'; 1 << 20]);
    assert_eq!(gateway.close().code(), Some(0));
    assert_eq!(client.answer().len(), 1 << 20);
    assert_eq!(subscriber.parts(), ["watcher.web.stop", "{}"]);
}

#[test]
fn a_client_that_does_not_read_does_not_delay_the_goodbye() {
    let world = World::local();
    let mut gateway = world.start();
    let client = Client::prepared(&world.endpoint, zmq::DEALER, |socket| {
        socket.set_rcvhwm(1).unwrap();
    });
    client.ask("much");
    let (_, identity, _) = gateway.request();
    for _ in 0..20 {
        gateway.reply(&identity, &vec![b'z'; 1 << 20]);
    }
    assert_eq!(gateway.close().code(), Some(0));
}

#[test]
fn signals_for_everybody_do_not_end_it() {
    let world = World::local();
    let mut gateway = world.start();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1] {
        gateway.send(signal);
    }
    gateway.serves(&world.endpoint);
    assert_eq!(gateway.close().code(), Some(0));
}

#[test]
fn a_frame_that_circusd_never_sends_ends_it() {
    for bytes in [&[0, 0, 0, 0][..], &[255, 255, 255, 255], &[1, 0, 0, 0, 9]] {
        let world = World::local();
        let mut gateway = world.start();
        gateway.say_bytes(bytes);
        assert_eq!(gateway.ended().code(), Some(70));
    }
}

#[test]
fn a_wrong_command_line_is_told_in_the_log() {
    let world = World::local().words(&["--colour", "blue"]);
    let mut gateway = world.start_as_it_is();
    assert_eq!(gateway.hear(), Said::Note(4, "no such option: --colour".to_string()));
    assert_eq!(gateway.ended().code(), Some(2));
}
