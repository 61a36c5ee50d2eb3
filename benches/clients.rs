//! Native clients: each asks for the status of one watcher, waits for the answer, and asks again.

use crate::echo::REQUEST;
use circus::sys::poll::{Interest, PollSet};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where a contestant is asked, and in which language.
#[derive(Debug, Clone)]
pub enum Address {
    ZeroMq(String),
    /// XML-RPC over HTTP, on a socket with this path.
    Http(PathBuf),
}

/// What a load of requests came to.
#[derive(Debug)]
pub struct Load {
    pub requests: usize,
    pub elapsed: Duration,
    latencies_us: Vec<f64>,
}

impl Load {
    pub fn median_us(&mut self) -> f64 {
        self.latencies_us.sort_by(f64::total_cmp);
        self.latencies_us.get(self.latencies_us.len() / 2).copied().unwrap_or(f64::NAN)
    }

    pub fn a_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

impl Address {
    /// Ask over so many connections for so long, one request in flight for each.
    pub fn load(&self, connections: usize, time: Duration) -> Result<Load, String> {
        let latencies_us = Vec::with_capacity(1 << 20);
        let mut load = Load { requests: 0, elapsed: Duration::ZERO, latencies_us };
        let result = match self {
            Address::ZeroMq(endpoint) => load.over_zeromq(endpoint, connections, time),
            Address::Http(path) => load.over_http(path, connections, time),
        };
        result.map_err(|error| error.to_string())?;
        if load.requests == 0 { Err("nobody answers".to_string()) } else { Ok(load) }
    }
}

impl Load {
    fn answered(&mut self, sent: &mut Instant) {
        self.requests += 1;
        self.latencies_us.push(sent.elapsed().as_nanos() as f64 / 1e3);
        *sent = Instant::now();
    }

    fn over_zeromq(
        &mut self,
        endpoint: &str,
        connections: usize,
        time: Duration,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let context = zmq::Context::new();
        let mut sockets = Vec::new();
        for _ in 0..connections {
            let socket = context.socket(zmq::DEALER)?;
            socket.set_linger(0)?;
            socket.connect(endpoint)?;
            // The first answer is that of a server that may have to be started.
            socket.send(REQUEST, 0)?;
            socket.set_rcvtimeo(10_000)?;
            socket.recv_bytes(0)?;
            sockets.push(socket);
        }
        let begin = Instant::now();
        let mut sent = vec![begin; connections];
        for socket in &sockets {
            socket.send(REQUEST, 0)?;
        }
        let mut reply = zmq::Message::new();
        let mut items: Vec<_> = sockets.iter().map(|s| s.as_poll_item(zmq::POLLIN)).collect();
        while begin.elapsed() < time {
            zmq::poll(&mut items, 500)?;
            for ((socket, item), sent) in sockets.iter().zip(&items).zip(&mut sent) {
                if item.is_readable() {
                    socket.recv(&mut reply, 0)?;
                    check(&reply, b"\"active\"")?;
                    self.answered(sent);
                    socket.send(REQUEST, 0)?;
                }
            }
        }
        self.elapsed = begin.elapsed();
        Ok(())
    }

    fn over_http(
        &mut self,
        path: &Path,
        connections: usize,
        time: Duration,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let request = xml_request();
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(UnixStream::connect(path)?);
        }
        let begin = Instant::now();
        let mut sent = vec![begin; connections];
        let mut replies = vec![Vec::new(); connections];
        for stream in &mut streams {
            stream.write_all(request.as_bytes())?;
        }
        let mut set = PollSet::default();
        while begin.elapsed() < time {
            set.clear();
            streams.iter().for_each(|stream| set.add(stream.as_fd(), Interest::Read));
            set.wait(None);
            for ((stream, reply), sent) in streams.iter_mut().zip(&mut replies).zip(&mut sent) {
                if !set.is_ready(stream.as_raw_fd()) {
                    continue;
                }
                let mut buffer = [0; 16 << 10];
                let count = stream.read(&mut buffer)?;
                reply.extend_from_slice(&buffer[..count]);
                if count == 0 || is_whole(reply) {
                    check(reply, b"RUNNING")?;
                    reply.clear();
                    self.answered(sent);
                    stream.write_all(request.as_bytes())?;
                }
            }
        }
        self.elapsed = begin.elapsed();
        Ok(())
    }
}

fn xml_request() -> String {
    let body = "<?xml version='1.0'?><methodCall><methodName>supervisor.getProcessInfo</methodName>\
                <params><param><value><string>s0</string></value></param></params></methodCall>";
    format!(
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn is_whole(reply: &[u8]) -> bool {
    let text = String::from_utf8_lossy(reply).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).is_none_or(|length| body.len() >= length)
}

/// An answer that is no answer must not look fast.
fn check(reply: &[u8], part: &[u8]) -> Result<(), String> {
    match reply.windows(part.len()).any(|window| window == part) {
        true => Ok(()),
        false => Err(format!("the answer is {}", String::from_utf8_lossy(reply))),
    }
}
