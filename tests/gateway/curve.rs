//! Keys on a network: only those who are listed come in.

use crate::circusd::{Client, DEADLINE, Gateway, Said, World};
use std::path::Path;
use zmq::{CurveKeyPair, z85_encode};

fn text(key: &[u8]) -> String {
    z85_encode(key).unwrap()
}

/// A world whose endpoints want keys, and the key of the server.
fn world(authorized: &[&CurveKeyPair]) -> (World, CurveKeyPair) {
    let server = CurveKeyPair::new().unwrap();
    let world = World::network();
    let secret = world.write("secret", &format!("{}\n", text(&server.secret_key)));
    let lines: Vec<String> = authorized.iter().map(|pair| text(&pair.public_key)).collect();
    let keys = world.write("keys", &format!("# ours\n{}\n", lines.join("\n")));
    let words = ["--curve-secret-key", &secret, "--curve-authorized-keys", &keys];
    (world.words(&words), server)
}

fn client(
    endpoint: &str,
    kind: zmq::SocketType,
    server: &CurveKeyPair,
    own: &CurveKeyPair,
) -> Client {
    Client::prepared(endpoint, kind, |socket| {
        socket.set_curve_serverkey(&server.public_key).unwrap();
        socket.set_curve_publickey(&own.public_key).unwrap();
        socket.set_curve_secretkey(&own.secret_key).unwrap();
        if kind == zmq::SUB {
            socket.set_subscribe(b"").unwrap();
        }
    })
}

fn is_served(gateway: &mut Gateway, client: &Client, question: &str) {
    client.ask(question);
    let (uid, identity, body) = gateway.request();
    assert_eq!((uid, body.as_slice()), (None, question.as_bytes()));
    gateway.reply(&identity, b"yes");
    assert_eq!(client.answer(), "yes");
}

#[test]
fn whoever_is_listed_comes_in_and_nobody_else() {
    let friend = CurveKeyPair::new().unwrap();
    let (world, server) = world(&[&friend]);
    let mut gateway = world.start();
    let stranger = CurveKeyPair::new().unwrap();
    let strangers = [
        client(&world.endpoint, zmq::DEALER, &server, &stranger),
        // Without keys.
        Client::new(&world.endpoint),
        // Who takes somebody else for the server.
        client(&world.endpoint, zmq::DEALER, &stranger, &friend),
    ];
    for stranger in &strangers {
        let _ = stranger.socket.send("let me in", zmq::DONTWAIT);
    }
    let eavesdropper = client(&world.pubsub, zmq::SUB, &server, &stranger);
    let first = client(&world.endpoint, zmq::DEALER, &server, &friend);
    for _ in 0..20 {
        is_served(&mut gateway, &first, "am I in?");
    }
    let listener = client(&world.pubsub, zmq::SUB, &server, &friend);
    gateway.wait_for_subscribers(1);
    gateway.publish("watcher.web.spawn", "{}");
    assert_eq!(listener.parts(), ["watcher.web.spawn", "{}"]);
    assert!(eavesdropper.socket.recv_bytes(zmq::DONTWAIT).is_err());
}

#[test]
fn a_key_that_is_taken_out_of_the_file_no_longer_opens() {
    let friend = CurveKeyPair::new().unwrap();
    let other = CurveKeyPair::new().unwrap();
    let (world, server) = world(&[&friend]);
    let mut gateway = world.start();
    is_served(&mut gateway, &client(&world.endpoint, zmq::DEALER, &server, &friend), "1");
    world.write("keys", &format!("{} the other one\n", text(&other.public_key)));
    is_served(&mut gateway, &client(&world.endpoint, zmq::DEALER, &server, &other), "2");
    let revoked = client(&world.endpoint, zmq::DEALER, &server, &friend);
    let _ = revoked.socket.send("3", zmq::DONTWAIT);
    is_served(&mut gateway, &client(&world.endpoint, zmq::DEALER, &server, &other), "4");
    // A file that cannot be read opens for nobody, and the log says so.
    std::fs::remove_file(world.folder.join("keys")).unwrap();
    let late = client(&world.endpoint, zmq::DEALER, &server, &other);
    let _ = late.socket.send("5", zmq::DONTWAIT);
    let said = gateway.hear();
    assert!(matches!(&said, Said::Note(3, text) if text.contains("keys")), "{said:?}");
}

#[test]
fn without_a_list_nobody_comes_in() {
    let server = CurveKeyPair::new().unwrap();
    let world = World::network();
    let certificate = format!("curve\n    secret-key = \"{}\"\n", text(&server.secret_key));
    let secret = world.write("server.key_secret", &certificate);
    let world = world.words(&["--curve-secret-key", &secret]);
    let mut gateway = world.start();
    let own = CurveKeyPair::new().unwrap();
    let context = zmq::Context::new();
    let monitor = context.socket(zmq::PAIR).unwrap();
    let socket = context.socket(zmq::DEALER).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_curve_serverkey(&server.public_key).unwrap();
    socket.set_curve_publickey(&own.public_key).unwrap();
    socket.set_curve_secretkey(&own.secret_key).unwrap();
    let refused = zmq::SocketEvent::HANDSHAKE_FAILED_AUTH;
    socket.monitor("inproc://monitor", refused.to_raw().into()).unwrap();
    monitor.set_rcvtimeo(DEADLINE.as_millis() as i32).unwrap();
    monitor.connect("inproc://monitor").unwrap();
    socket.connect(&world.endpoint).unwrap();
    let event = monitor.recv_multipart(0).unwrap();
    assert_eq!(event[0][..2], refused.to_raw().to_ne_bytes());
    assert_eq!(event[0][2..], 400u32.to_ne_bytes());
    assert!(gateway.is_alive());
}

#[test]
fn a_bad_file_is_told_and_nothing_is_served() {
    for (name, content, authorized) in [
        ("secret", "short", None),
        ("secret", "", None),
        ("missing", "", None),
        ("secret", "good", Some("no key\n")),
    ] {
        let world = World::network();
        let good = text(&CurveKeyPair::new().unwrap().secret_key);
        let secret = world.folder.join(name).display().to_string();
        if name != "missing" {
            world.write(name, if content == "good" { &good } else { content });
        }
        let mut words = vec!["--curve-secret-key".to_string(), secret];
        if let Some(lines) = authorized {
            words.extend(["--curve-authorized-keys".to_string(), world.write("keys", lines)]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let world = world.words(&words);
        let mut gateway = world.start_as_it_is();
        let said = gateway.hear();
        let file = Path::new(&world.folder).display().to_string();
        assert!(matches!(&said, Said::Note(4, text) if text.contains(&file)), "{said:?}");
        assert_eq!(gateway.ended().code(), Some(2));
    }
}

#[test]
fn local_endpoints_need_no_keys() {
    let server = CurveKeyPair::new().unwrap();
    let world = World::local();
    let secret = world.write("secret", &text(&server.secret_key));
    let world = world.words(&["--curve-secret-key", &secret]);
    world.start().serves(&world.endpoint);
}
