//! Discovery over UDP.

use crate::circusd::{DEADLINE, World};
use std::net::UdpSocket;

#[test]
fn whoever_asks_hears_where_the_endpoint_is() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let world = World::network().multicast(socket);
    let mut gateway = world.start();
    let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
    asker.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut buffer = [0; 2000];
    for question in [&b"\"\""[..], b"", b"anything", &[0xff; 1500]] {
        asker.send_to(question, address).unwrap();
        let (length, _) = asker.recv_from(&mut buffer).unwrap();
        let answer = std::str::from_utf8(&buffer[..length]).unwrap();
        assert_eq!(answer, format!("{{\"endpoint\": \"{}\"}}", world.endpoint));
    }
    gateway.serves(&world.endpoint);
}

#[test]
fn a_flood_of_questions_gets_few_answers() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let world = World::network().multicast(socket);
    let mut gateway = world.start();
    let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..5000 {
        let _ = asker.send_to(b"?", address);
    }
    gateway.serves(&world.endpoint);
    asker.set_nonblocking(true).unwrap();
    let mut answers = 0;
    while asker.recv(&mut [0; 100]).is_ok() {
        answers += 1;
    }
    assert!((1..500).contains(&answers), "{answers} answers");
}
