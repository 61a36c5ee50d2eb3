//! Those who do not speak ZMTP, or speak it wrongly.

use crate::house::House;
use crate::random::Random;
use crate::world::namespaces_are_possible;
use crate::zmtp::{Kind, frame, greeting, introduction, ready};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

#[test]
fn garbage_and_broken_greetings_are_no_matter() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    let mut random = Random::new();
    let good =
        [greeting(), ready(Kind::Dealer, b"me"), frame(0, br#"{"command": "list"}"#)].concat();
    for round in 0..600 {
        let mut bytes = good.clone();
        let place = random.below(bytes.len() as u64) as usize;
        match round % 4 {
            0 => bytes = (0..random.below(300)).map(|_| random.below(256) as u8).collect(),
            1 => bytes[place] = random.below(256) as u8,
            2 => bytes.truncate(place),
            _ => bytes.extend((0..100).map(|_| random.below(256) as u8)),
        }
        if let Some(mut stranger) = house.stranger(round / 4) {
            // It may hang up on us at any time.
            let _ = stranger.write(&bytes);
        }
    }
    house.stands("garbage");
    house.close();
}

#[test]
fn other_versions_mechanisms_and_kinds_are_turned_away() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    for (version, minor) in [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 255), (255, 255)] {
        for mechanism in ["NULL", "PLAIN", "CURVE", "GSSAPI", "", "NULLNULLNULLNULLNULL"] {
            let mut bytes = greeting();
            bytes[10..12].copy_from_slice(&[version, minor]);
            bytes[12..32].fill(0);
            bytes[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
            let mut stranger = house.stranger(usize::from(version)).expect("a connection");
            let _ = stranger.write(&[bytes, ready(Kind::Dealer, b"x")].concat());
        }
    }
    house.stands("other versions and mechanisms");
    let long = [b'i'; 300];
    let kinds = [
        "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB",
        "STREAM", "", "NONSENSE",
    ];
    for (number, kind) in kinds.iter().cycle().take(3 * kinds.len()).enumerate() {
        let identities: [&[u8]; 4] = [b"", b"\0zero", &long[..255], &long];
        for identity in identities {
            let properties =
                [("Socket-Type", kind.as_bytes()), ("Identity", identity), ("X", &long)];
            let mut stranger = house.stranger(number).expect("a connection");
            let introduced = [greeting(), introduction(&properties)].concat();
            let _ = stranger.write(&[introduced, frame(0, br#"{"command": "list"}"#)].concat());
        }
    }
    house.stands("other kinds of sockets");
    house.close();
}

#[test]
fn frames_and_commands_that_promise_gigabytes_cost_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    for kind in [Kind::Dealer, Kind::Sub] {
        for flags in [2, 3, 6, 7, 0xff] {
            for length in [1_u64 << 32, u64::MAX, 1 << 63, i64::MAX as u64, 300_000] {
                let mut guest = house.guest(kind).expect("it is let in");
                let _ = guest.write(&[&[flags][..], &length.to_be_bytes()].concat());
                let _ = guest.write(&[0; 1000]);
            }
        }
        // A property that is longer than all that was said.
        let mut guest = house.stranger(usize::from(kind == Kind::Sub)).expect("a connection");
        let body = b"\x05READY\x0bSocket-Type\xff\xff\xff\xffDEALER";
        let _ = guest.write(&[greeting(), frame(4, body)].concat());
    }
    house.stands("frames of gigabytes");
    let mut guest = house.guest(Kind::Dealer).expect("it is let in");
    for body in
        [&b"\x04PING"[..], b"\x04PING\0\0", b"\x05ERROR\xff", b"\xffX", b"", b"\x09SUBSCRIBE"]
    {
        let _ = guest.write(&frame(4, body));
    }
    for _ in 0..2000 {
        let _ = guest.write(&frame(4, &[b"\x04PING\x00\x01", &[b'c'; 16][..]].concat()));
    }
    house.stands("commands");
    house.close();
}

#[test]
fn those_who_say_little_or_nothing_keep_nobody_waiting() {
    if !namespaces_are_possible() {
        return;
    }
    let house = House::open();
    let mut strangers: Vec<_> = (0..200).filter_map(|number| house.stranger(number)).collect();
    for (number, stranger) in strangers.iter_mut().enumerate() {
        let _ = stranger.write(&greeting()[..number % 64]);
    }
    let mut client = house.client();
    for _ in 0..20 {
        client.ask(br#"{"command": "list"}"#, SOON).expect("a reply in spite of them");
    }
    drop(strangers);
    house.stands("those who say nothing");
    house.close();
}
