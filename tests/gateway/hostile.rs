//! What strangers may do to a gateway: it stays alive, its memory stays small, and others are
//! served as before.

use crate::circusd::{Client, World, until};
use crate::stranger;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// A small generator of numbers: the same for every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn garbage_does_no_harm() {
    let world = World::local();
    let mut gateway = world.start();
    gateway.serves(&world.endpoint);
    let mut random = Random(7);
    let good = [
        stranger::greeting(),
        stranger::ready(&[("Socket-Type", "DEALER"), ("Identity", "me")]),
        stranger::message(b"{}"),
    ]
    .concat();
    for round in 0..3000 {
        let endpoint = if round % 3 == 0 { &world.pubsub } else { &world.endpoint };
        let mut bytes = good.clone();
        match round % 4 {
            0 => bytes = random.bytes(200),
            1 => {
                let place = random.next() as usize % bytes.len();
                bytes[place] = random.next() as u8;
            }
            2 => bytes.truncate(random.next() as usize % bytes.len()),
            _ => bytes.extend(random.bytes(100)),
        }
        let mut stream = stranger::connect(endpoint);
        // It may hang up on us at any time.
        let _ = stream.write_all(&bytes);
    }
    gateway.serves(&world.endpoint);
    let resident = gateway.resident_kb();
    assert!(resident < 40_000, "{resident} kB");
}

#[test]
fn a_frame_of_four_gigabytes_ends_the_connection_and_nothing_is_allocated() {
    let world = World::local();
    let mut gateway = world.start();
    gateway.serves(&world.endpoint);
    let before = gateway.resident_kb();
    for (endpoint, kind) in [(&world.endpoint, "DEALER"), (&world.pubsub, "SUB")] {
        for length in [1u64 << 32, u64::MAX, 1 << 63, 300_000] {
            let mut stream = stranger::introduced(endpoint, &[("Socket-Type", kind)]);
            stream.write_all(&[&[2][..], &length.to_be_bytes()].concat()).unwrap();
            let mut rest = Vec::new();
            // It hangs up.
            let _ = stream.read_to_end(&mut rest);
        }
    }
    gateway.serves(&world.endpoint);
    let grown = gateway.resident_kb().saturating_sub(before);
    assert!(grown < 2000, "grown by {grown} kB");
}

/// More connections than there is room for; the last of them is turned away.
fn flood(endpoint: &str) -> Vec<UnixStream> {
    let mut streams: Vec<_> = (0..300).map(|_| stranger::connect(endpoint)).collect();
    let mut bytes = [0; 64];
    while streams[299].read(&mut bytes).is_ok_and(|count| count > 0) {}
    streams
}

#[test]
fn a_flood_of_connections_is_turned_away_and_told() {
    for endpoint in ["control", "pubsub"] {
        let world = World::local().descriptors_max(64);
        let mut gateway = world.start();
        let endpoint = format!("ipc://{}", world.folder.join(endpoint).display());
        let streams = flood(&endpoint);
        assert_eq!(gateway.descriptors(), 64 - 16);
        drop(streams);
        until("the strangers' connections are closed", || gateway.descriptors() < 30);
        gateway.serves(&world.endpoint);
        // Notes come after requests.
        gateway.serves(&world.endpoint);
        assert!(
            gateway.notes.iter().any(|(level, text)| *level == 2 && text.contains("turned away")),
            "{:?}",
            gateway.notes
        );
        assert_eq!(gateway.close().code(), Some(0));
    }
}

#[test]
fn others_cannot_take_the_places_of_root_and_our_own_user() {
    // SAFETY: no memory is involved.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    let world = World::local().descriptors_max(80);
    let mut gateway = world.start();
    let endpoint = world.endpoint.clone();
    let others = std::thread::spawn(move || {
        // SAFETY: changes this thread only, which ends after it.
        unsafe { libc::syscall(libc::SYS_setresuid, 54_321, 54_321, 54_321) };
        flood(&endpoint)
    });
    let streams = others.join().unwrap();
    gateway.serves(&world.endpoint);
    drop(streams);
}

#[test]
fn a_full_house_of_clients_fits_into_its_memory() {
    let world = World::local();
    let mut gateway = world.start();
    let mut streams = Vec::new();
    for number in 0..950 {
        let identity = format!("{number}");
        let properties = [("Socket-Type", "DEALER"), ("Identity", identity.as_str())];
        streams.push(stranger::introduced(&world.endpoint, &properties));
    }
    gateway.serves(&world.endpoint);
    let resident = gateway.resident_kb();
    assert!(resident < 40_000, "{resident} kB");
}

#[test]
fn a_flood_of_subscriptions_ends_the_connection_that_makes_it() {
    let world = World::local();
    let mut gateway = world.start();
    let listener = Client::subscriber(&world.pubsub, &["watcher."]);
    gateway.wait_for_subscribers(1);
    let before = gateway.resident_kb();
    let mut random = Random(99);
    let mut stream = stranger::introduced(&world.pubsub, &[("Socket-Type", "SUB")]);
    let mut is_ended = false;
    for _ in 0..100_000 {
        let body = [&[1][..], &random.bytes(1000)].concat();
        let frame = [&[2][..], &(body.len() as u64).to_be_bytes(), &body].concat();
        if stream.write_all(&frame).is_err() {
            is_ended = true;
            break;
        }
    }
    assert!(is_ended, "100 MB of subscriptions were taken");
    // All that it had subscribed to is gone with it.
    gateway.wait_for_subscribers(1);
    let grown = gateway.resident_kb().saturating_sub(before);
    assert!(grown < 25_000, "grown by {grown} kB");
    gateway.publish("watcher.web.spawn", "{}");
    assert_eq!(listener.parts(), ["watcher.web.spawn", "{}"]);
    gateway.serves(&world.endpoint);
}

#[test]
fn the_end_of_subscriptions_that_never_were_hides_nobody() {
    let world = World::local();
    let mut gateway = world.start();
    let listener = Client::subscriber(&world.pubsub, &["watcher."]);
    gateway.wait_for_subscribers(1);
    let mut stream = stranger::introduced(&world.pubsub, &[("Socket-Type", "SUB")]);
    for number in 0..50u8 {
        stream.write_all(&stranger::message(&[0, number])).unwrap();
        stream.write_all(&stranger::message(b"\0watcher.")).unwrap();
    }
    stream.write_all(&stranger::message(b"\x01new")).unwrap();
    gateway.wait_for_subscribers(2);
    gateway.publish("watcher.web.spawn", "{}");
    assert_eq!(listener.parts(), ["watcher.web.spawn", "{}"]);
}
