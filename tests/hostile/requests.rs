//! Requests that no client would make.

use crate::house::House;
use crate::world::namespaces_are_possible;
use crate::zmtp::{DEADLINE, Kind, Peer};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

/// A reply that says what is wrong, or the end of the connection where the message is too long.
fn is_refused(house: &House, body: &[u8]) {
    let what: String = String::from_utf8_lossy(body).chars().take(60).collect();
    let mut peer = house.client();
    match peer.ask(body, DEADLINE) {
        Ok(reply) => assert!(reply.contains(r#""status": "error""#), "{what}: {reply}"),
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{what}"),
    }
}

#[test]
fn json_of_any_shape_is_answered() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    let deep = |open: &str, close: &str, count: usize| {
        format!("{}{}", open.repeat(count), close.repeat(count)).into_bytes()
    };
    let list = br#"{"command": "list""#;
    let with = |more: &str| [&list[..], more.as_bytes(), b"}"].concat();
    let mut bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b" ".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"1e999".to_vec(),
        b"NaN".to_vec(),
        b"-Infinity".to_vec(),
        b"{".to_vec(),
        b"{}".to_vec(),
        b"{\"command\"}".to_vec(),
        b"{\"command\": {}}".to_vec(),
        deep("[", "]", 100_000),
        deep("{\"a\":", "}", 40_000),
        deep("[", "", 200_000),
        with(r#", "properties": {"name": "\ud800"}"#),
        with(r#", "properties": {"name": NaN}"#),
        with(r#", "properties": {"name": [[[[[[]]]]]]}"#),
        with(r#", "properties": 12"#),
        [&list[..], b", \"properties\": {\"name\": \"\xc3\x28\"}}"].concat(),
        [&list[..], b"} trailing"].concat(),
    ];
    bodies.push(with(&format!(", \"properties\": {{\"name\": \"{}\"}}", "n".repeat(260_000))));
    bodies.push(with(&format!(", \"properties\": {{\"name\": {}}}", "9".repeat(100_000))));
    // More than a request may have.
    bodies.push(with(&format!(", \"id\": \"{}\"", "i".repeat(262_144))));
    bodies.push(vec![b'x'; 1 << 20]);
    for body in &bodies {
        is_refused(&house, body);
    }
    house.stands("odd JSON");
    // These are odd, and right.
    let keys: Vec<String> = (0..20_000).map(|number| format!("\"k{number}\": 0")).collect();
    for body in [
        with(&format!(", {}", keys.join(", "))),
        with(r#", "id": NaN"#),
        with(r#", "command": "list", "command": "list""#),
        with(&format!(", \"id\": \"{}\"", "\\u0000".repeat(30_000))),
    ] {
        house.client().ask(&body, DEADLINE).expect("a reply");
    }
    house.stands("large JSON");
    house.close();
}

#[test]
fn values_beyond_all_bounds_change_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    let name = r#""name": "web""#;
    let mut bodies = Vec::new();
    for number in ["-1", "1e18", "9223372036854775807", "18446744073709551616", "1e400", "-0.5"] {
        bodies.push(format!(r#"{{"command": "set", "properties": {{{name}, "options": {{"numprocesses": {number}}}}}}}"#));
        bodies.push(format!(
            r#"{{"command": "signal", "properties": {{{name}, "signum": {number}}}}}"#
        ));
    }
    for pid in ["-1", "0", "-9223372036854775808", "4294967297", "1.5", "\"\""] {
        bodies.push(format!(
            r#"{{"command": "signal", "properties": {{{name}, "signum": 9, "pid": {pid}}}}}"#
        ));
        bodies.push(format!(
            r#"{{"command": "kill", "properties": {{{name}, "pid": {pid}, "waiting": true}}}}"#
        ));
    }
    for name in ["", &"n".repeat(5000), "a\\nb", "a\\u0000b", "\\u001b[2J", "..", "a/b", "[", "]"] {
        bodies.push(format!(r#"{{"command": "start", "properties": {{"name": "{name}"}}}}"#));
        bodies.push(format!(
            r#"{{"command": "stop", "properties": {{"name": "{name}", "match": "simple"}}}}"#
        ));
    }
    // Patterns that take for ever where they are not matched in linear time.
    let bombs =
        ["(z*)*y", "(z|zz)+y", "((((z*)*)*)*)*y", "z{1,1000}{1,1000}y", "*z*z*z*z*z*z*z*z*z*y"];
    for bomb in bombs {
        for kind in ["regex", "glob"] {
            bodies.push(format!(
                r#"{{"command": "stop", "properties": {{"name": "{bomb}", "match": "{kind}"}}}}"#
            ));
        }
    }
    let mut peer = house.client();
    for body in &bodies {
        // A pid that is not there gets no signal, which is fine; all else is an error.
        let reply = peer.ask(body.as_bytes(), SOON);
        reply.unwrap_or_else(|error| panic!("{body}: {error}"));
        house.stands(body);
    }
    house.close();
}

#[test]
fn messages_of_any_number_of_frames_are_no_matter() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    let body: &[u8] = br#"{"command": "list"}"#;
    let mut peer = house.client();
    for count in [2, 3, 10, 1000] {
        peer.send(&vec![body; count]).expect("it is sent");
    }
    let reply = peer.ask(body, DEADLINE).expect("a reply to the message of one frame");
    assert!(reply.contains("worker"), "{reply}");
    let empty: &[u8] = b"";
    peer.send(&[empty, body]).expect("it is sent");
    peer.send(&[body, empty]).expect("it is sent");
    house.stands("messages of many frames");
    // A message that never ends. Whoever holds it in memory must give up some time.
    if let Some(mut guest) = house.guest(Kind::Dealer) {
        let part = crate::zmtp::frame(1, &vec![b'm'; 200_000]);
        for _ in 0..1000 {
            if guest.write(&part).is_err() {
                break;
            }
        }
    }
    house.stands("a message without an end");
    house.close();
}

#[test]
fn whoever_does_not_read_is_not_waited_for() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    let question = br#"{"command": "options", "properties": {"name": "web"}}"#;
    let mut deaf: Vec<Peer> = (0..5).map(|_| house.client()).collect();
    let deadline = std::time::Instant::now() + Duration::from_secs(3);
    for peer in &mut deaf {
        let bytes = crate::zmtp::frame(0, question).repeat(100);
        for _ in 0..60 {
            // Its socket's buffer may be full: then it would wait for ever.
            if std::time::Instant::now() > deadline || peer.write(&bytes).is_err() {
                break;
            }
        }
    }
    house.stands("clients who do not read");
    drop(deaf);
    // Who asks and goes at once.
    for _ in 0..500 {
        if let Some(mut guest) = house.guest(Kind::Dealer) {
            let _ = guest.send(&[question]);
        }
    }
    house.stands("clients who ask and go");
    house.close();
}
