//! A small ZeroMQ peer for tests: ZMTP 3.0 with the NULL mechanism over ipc and tcp, in plain Rust.
//! It can say anything, also what no library would let it say. Nothing here waits without an end.

#![allow(dead_code)] // Each test program uses its own part of this.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Far more than any answer takes on the slowest machine.
pub const DEADLINE: Duration = Duration::from_secs(25);

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(4);

/// No frame that a test waits for is larger.
const FRAME_BYTES_MAX: u64 = 64 << 20;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// One message: its frames.
pub type Message = Vec<Vec<u8>>;

/// What kind of socket this peer says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Dealer,
    Req,
    Sub,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Dealer => "DEALER",
            Kind::Req => "REQ",
            Kind::Sub => "SUB",
        }
    }
}

/// A connection's bytes.
#[derive(Debug)]
enum Wire {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Wire {
    fn open(endpoint: &str) -> io::Result<Wire> {
        if let Some(path) = endpoint.strip_prefix("ipc://") {
            UnixStream::connect(path).map(Wire::Unix)
        } else if let Some(address) = endpoint.strip_prefix("tcp://") {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(Wire::Tcp(stream))
        } else {
            Err(io::Error::new(ErrorKind::InvalidInput, format!("what is {endpoint}?")))
        }
    }

    fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        let time = Some(time.max(Duration::from_millis(1)));
        match self {
            Wire::Unix(stream) => stream.set_read_timeout(time),
            Wire::Tcp(stream) => stream.set_read_timeout(time),
        }
    }

    fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        match self {
            Wire::Unix(stream) => stream.set_write_timeout(Some(time)),
            Wire::Tcp(stream) => stream.set_write_timeout(Some(time)),
        }
    }

    fn shutdown(&self) {
        let _ = match self {
            Wire::Unix(stream) => stream.shutdown(Shutdown::Both),
            Wire::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Wire {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Unix(stream) => stream.read(space),
            Wire::Tcp(stream) => stream.read(space),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Unix(stream) => stream.write(bytes),
            Wire::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The kernel may let a connect to a full backlog wait for ever, so another thread does it.
fn open(endpoint: &str, within: Duration) -> io::Result<Wire> {
    let (done, result) = mpsc::channel();
    let endpoint = endpoint.to_owned();
    thread::spawn(move || done.send(Wire::open(&endpoint)));
    let late = |_| io::Error::new(ErrorKind::TimedOut, "no connection in time");
    result.recv_timeout(within).map_err(late)?
}

/// A connection on which nothing has been said yet.
#[derive(Debug)]
pub struct Raw {
    wire: Wire,
    /// Bytes that were received and not yet taken.
    inbox: Vec<u8>,
}

impl Raw {
    /// Connect, once.
    pub fn open(endpoint: &str, within: Duration) -> io::Result<Raw> {
        let wire = open(endpoint, within)?;
        wire.set_write_timeout(within)?;
        Ok(Raw { wire, inbox: Vec::new() })
    }

    /// Send these bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)
    }

    /// Take so many bytes, waiting for them until then.
    fn take(&mut self, count: usize, end: Instant) -> io::Result<Vec<u8>> {
        while self.inbox.len() < count {
            self.fill(end)?;
        }
        Ok(self.inbox.drain(..count).collect())
    }

    /// Receive something.
    fn fill(&mut self, end: Instant) -> io::Result<()> {
        let late = || io::Error::new(ErrorKind::TimedOut, "nothing came in time");
        let left = end.checked_duration_since(Instant::now()).ok_or_else(late)?;
        self.wire.set_read_timeout(left)?;
        let mut space = [0; 65536];
        match self.wire.read(&mut space) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the other side hung up")),
            Ok(count) => {
                self.inbox.extend_from_slice(&space[..count]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(late())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the other side hangs up within this time, whatever it sends before.
    pub fn is_hung_up_on(&mut self, within: Duration) -> bool {
        let end = Instant::now() + within;
        loop {
            match self.fill(end) {
                Ok(()) => self.inbox.clear(),
                Err(error) => return error.kind() != ErrorKind::TimedOut,
            }
        }
    }

    /// Greet and introduce itself.
    pub fn shake_hands(
        mut self,
        kind: Kind,
        identity: &[u8],
        within: Duration,
    ) -> io::Result<Peer> {
        let end = Instant::now() + within;
        self.write(&greeting())?;
        let theirs = self.take(64, end)?;
        if theirs[0] != 0xff || theirs[9] != 0x7f || theirs[10] < 3 {
            return Err(io::Error::new(ErrorKind::InvalidData, "that is no ZMTP 3"));
        }
        self.write(&ready(kind, identity))?;
        let mut peer = Peer { raw: self, parts: Vec::new() };
        loop {
            let (flags, body) = peer.frame(end)?;
            if flags & COMMAND != 0 && body.starts_with(b"\x05READY") {
                return Ok(peer);
            }
            if flags & COMMAND != 0 && body.starts_with(b"\x05ERROR") {
                return Err(io::Error::new(ErrorKind::PermissionDenied, "the peer refuses us"));
            }
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.wire.shutdown();
    }
}

/// The first 64 bytes of every conversation: version 3.0, NULL.
pub fn greeting() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[0] = 0xff;
    bytes[8] = 1;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

/// The command that introduces a socket.
pub fn ready(kind: Kind, identity: &[u8]) -> Vec<u8> {
    introduction(&[("Socket-Type", kind.name().as_bytes()), ("Identity", identity)])
}

/// The same with any properties.
pub fn introduction(properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in properties {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    frame(COMMAND, &body)
}

/// A frame with these flags; whether it is long is seen to.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 9);
    match u8::try_from(body.len()) {
        Ok(length) => bytes.extend_from_slice(&[flags, length]),
        Err(_) => {
            bytes.push(flags | LONG);
            bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A connected socket.
#[derive(Debug)]
pub struct Peer {
    raw: Raw,
    /// Frames of a message that is not complete yet.
    parts: Message,
}

impl Peer {
    /// Connect and shake hands, within this time and in one attempt.
    pub fn try_connect(
        endpoint: &str,
        kind: Kind,
        identity: &[u8],
        within: Duration,
    ) -> io::Result<Peer> {
        Raw::open(endpoint, within)?.shake_hands(kind, identity, within)
    }

    /// The same, again and again until somebody listens.
    pub fn connect(endpoint: &str, kind: Kind, identity: &[u8]) -> Peer {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match Peer::try_connect(endpoint, kind, identity, left) {
                Ok(peer) => return peer,
                Err(error) if left.is_zero() => panic!("cannot connect to {endpoint}: {error}"),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// A client of the control endpoint.
    pub fn dealer(endpoint: &str) -> Peer {
        Peer::connect(endpoint, Kind::Dealer, b"")
    }

    /// A subscriber to everything.
    pub fn subscriber(endpoint: &str) -> Peer {
        let mut peer = Peer::connect(endpoint, Kind::Sub, b"");
        peer.subscribe(b"").expect("a subscription can be sent");
        peer
    }

    /// Ask for the topics that begin so.
    pub fn subscribe(&mut self, prefix: &[u8]) -> io::Result<()> {
        self.send(&[&[b"\x01", prefix].concat()])
    }

    /// Send one message of these frames.
    pub fn send(&mut self, frames: &[&[u8]]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (number, body) in frames.iter().enumerate() {
            let more = if number + 1 < frames.len() { MORE } else { 0 };
            bytes.extend_from_slice(&frame(more, body));
        }
        self.raw.write(&bytes)
    }

    /// Send these bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.raw.write(bytes)
    }

    /// Send a body and take the reply to it: the only frame of the next message.
    pub fn ask(&mut self, body: &[u8], within: Duration) -> io::Result<String> {
        self.send(&[body])?;
        let mut frames = self.receive(within)?;
        let body = frames.pop().filter(|_| frames.is_empty());
        let body = body.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "many frames"))?;
        String::from_utf8(body).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    /// The next message, if one comes within this time.
    ///
    /// # Errors
    /// `TimedOut`: none came. Otherwise the connection is of no more use.
    pub fn receive(&mut self, within: Duration) -> io::Result<Message> {
        let end = Instant::now() + within;
        loop {
            let (flags, body) = self.frame(end)?;
            if flags & COMMAND != 0 {
                if body.starts_with(b"\x04PING") {
                    let context = body.get(7..).unwrap_or_default();
                    self.raw.write(&frame(COMMAND, &[b"\x04PONG", context].concat()))?;
                }
                continue;
            }
            self.parts.push(body);
            if flags & MORE == 0 {
                return Ok(std::mem::take(&mut self.parts));
            }
        }
    }

    /// Whether the other side hangs up within this time.
    pub fn is_hung_up_on(&mut self, within: Duration) -> bool {
        self.raw.is_hung_up_on(within)
    }

    /// A frame. What has come of it stays where it is until all is there.
    fn frame(&mut self, end: Instant) -> io::Result<(u8, Vec<u8>)> {
        let (flags, head, length) = loop {
            let inbox = &self.raw.inbox;
            let long = inbox.first().is_some_and(|flags| flags & LONG != 0);
            match (inbox.first(), long) {
                (Some(flags), false) if inbox.len() >= 2 => break (*flags, 2, u64::from(inbox[1])),
                (Some(flags), true) if inbox.len() >= 9 => {
                    let bytes = inbox[1..9].try_into().expect("eight bytes");
                    break (*flags, 9, u64::from_be_bytes(bytes));
                }
                _ => self.raw.fill(end)?,
            }
        };
        if length > FRAME_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "a frame beyond all limits"));
        }
        let whole = head + length as usize;
        while self.raw.inbox.len() < whole {
            self.raw.fill(end)?;
        }
        let body = self.raw.inbox.drain(..whole).skip(head).collect();
        Ok((flags, body))
    }
}
