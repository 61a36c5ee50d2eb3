//! Whose process a client is: the kernel's word, and nobody else's.

use crate::circusd::{Client, World};
use crate::stranger;
use std::io::Write;
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
fn a_client_of_which_libzmq_does_not_tell_is_not_heard() {
    let world = World::local();
    let mut gateway = world.start();
    // ZMTP 2.0: no mechanism, and so no metadata.
    let mut stream = stranger::connect(&world.endpoint);
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 1, 5];
    bytes.extend_from_slice(&stranger::message(b"old"));
    bytes.extend_from_slice(&stranger::message(b"{\"command\": \"quit\"}"));
    stream.write_all(&bytes).unwrap();
    let note = gateway.hear();
    assert!(format!("{note:?}").contains("older than ZeroMQ 4"), "{note:?}");
    gateway.serves(&world.endpoint);
}
