//! Whoever connects without libzmq: says what it likes, byte by byte.

use crate::circusd::DEADLINE;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// The start of every conversation in ZMTP 3.0 without security.
pub fn greeting() -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0];
    bytes.extend_from_slice(b"NULL");
    bytes.resize(64, 0);
    bytes
}

/// The command that follows it, with these properties.
pub fn ready(properties: &[(&str, &str)]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in properties {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    let mut bytes = vec![4, body.len() as u8];
    bytes.append(&mut body);
    bytes
}

/// A message of one short frame.
pub fn message(body: &[u8]) -> Vec<u8> {
    [&[0, body.len() as u8][..], body].concat()
}

/// Connect; the kernel's word on us is that of this moment.
pub fn connect(endpoint: &str) -> UnixStream {
    let path = endpoint.strip_prefix("ipc://").unwrap();
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Connect and get to the point where messages may be sent.
pub fn introduced(endpoint: &str, properties: &[(&str, &str)]) -> UnixStream {
    let mut stream = connect(endpoint);
    introduce(&mut stream, properties);
    stream
}

pub fn introduce(stream: &mut UnixStream, properties: &[(&str, &str)]) {
    stream.write_all(&greeting()).unwrap();
    stream.write_all(&ready(properties)).unwrap();
    let mut answer = [0; 64];
    stream.read_exact(&mut answer).unwrap();
}
