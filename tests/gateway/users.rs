//! Whose process a client is: the kernel's word, and nobody else's.

use crate::circusd::{Client, World};
use crate::stranger;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

const SOMEBODY: u32 = 54_321;

fn is_root() -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::geteuid() == 0 }
}

/// Connect as another user. The identity of a thread is its own as long as libc is not asked.
fn connect_as(uid: u32, endpoint: &str) -> UnixStream {
    let endpoint = endpoint.to_string();
    let thread = std::thread::spawn(move || {
        // SAFETY: changes this thread only, which ends after it.
        let result = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
        assert_eq!(result, 0);
        stranger::connect(&endpoint)
    });
    thread.join().unwrap()
}

#[test]
fn the_uid_is_that_of_who_connected() {
    if !is_root() {
        return;
    }
    let world = World::local();
    let mut gateway = world.start();
    let mut stream = connect_as(SOMEBODY, &world.endpoint);
    stranger::introduce(&mut stream, &[("Socket-Type", "DEALER"), ("Identity", "x")]);
    stream.write_all(&stranger::message(b"{}")).unwrap();
    assert_eq!(gateway.request(), (Some(SOMEBODY), b"x".to_vec(), b"{}".to_vec()));
    let client = Client::new(&world.endpoint);
    client.ask("root");
    assert_eq!(gateway.request().0, Some(0));
}

#[test]
fn a_client_cannot_say_that_it_is_somebody_else() {
    if !is_root() {
        return;
    }
    let world = World::local();
    let mut gateway = world.start();
    let forged = ["localhost:0:0:1", ":0:0:1", "0:0:0"];
    for (index, address) in forged.iter().enumerate() {
        let mut stream = connect_as(SOMEBODY, &world.endpoint);
        let identity = index.to_string();
        let properties = [
            ("Peer-Address", *address),
            ("Socket-Type", "DEALER"),
            ("Identity", &identity),
            ("Peer-Address", *address),
            ("User-Id", "0"),
            ("__fd", "3"),
        ];
        stranger::introduce(&mut stream, &properties);
        stream.write_all(&stranger::message(b"{}")).unwrap();
        assert_eq!(gateway.request().0, Some(SOMEBODY));
    }
}

#[test]
fn a_client_so_old_that_nobody_knows_who_it_is_is_hung_up_on() {
    let world = World::local();
    let mut gateway = world.start();
    let listener = Client::subscriber(&world.pubsub, &["watcher."]);
    gateway.wait_for_subscribers(1);
    let signature = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f];
    for (endpoint, kind, words) in
        [(&world.endpoint, 5, &b"{\"command\": \"quit\"}"[..]), (&world.pubsub, 2, b"\0watcher.")]
    {
        // ZMTP 2.0 says its version and kind; 1.0 starts with the identity.
        let second = [&signature[..], &[1, kind, 0, 0], &stranger::message(words)].concat();
        let first = [&[1, 0][..], &[words.len() as u8 + 1, 0], words].concat();
        for bytes in [second, first] {
            let mut stream = stranger::connect(endpoint);
            stream.write_all(&bytes).unwrap();
            let mut rest = Vec::new();
            // It may hang up before it has read all.
            let _ = stream.read_to_end(&mut rest);
        }
    }
    gateway.serves(&world.endpoint);
    gateway.publish("watcher.web.spawn", "{}");
    assert_eq!(listener.parts(), ["watcher.web.spawn", "{}"]);
}
