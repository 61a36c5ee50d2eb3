//! A server that inherits its socket, and its clients.

use crate::operator::operate;
use crate::world::{Running, World, until, until_some};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, recv, send, socket,
};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// `serve.py FD [WORD]` answers each line or message with its number in its namespace, and WORD.
/// Asked to end it finishes what it has. `wait` is answered when the client says more; `crash` never.
pub const SERVER: &str = r#"
import os, select, signal, socket, sys
ends, wakes = os.pipe()
for fd in ends, wakes:
    os.set_blocking(fd, False)
signal.set_wakeup_fd(wakes)
signal.signal(signal.SIGTERM, lambda *_: None)
sock = socket.socket(fileno=int(sys.argv[1]))
sock.setblocking(False)
answer = ' '.join([str(os.getpid())] + sys.argv[2:]).encode()
print('serves', os.getpid(), flush=True)
def serve(connection):
    connection.setblocking(True)
    asked = connection.recv(100)
    if asked == b'crash\n':
        os.kill(os.getpid(), signal.SIGKILL)
    if asked == b'wait\n':
        connection.recv(100)
    connection.sendall(answer)
    connection.close()
while True:
    ready = select.select([sock, ends], [], [])[0]
    if sock in ready:
        try:
            if sock.type == socket.SOCK_DGRAM:
                message, client = sock.recvfrom(100)
                sock.sendto(answer, client)
            else:
                serve(sock.accept()[0])
        except BlockingIOError:
            pass
    elif ends in ready:
        break
"#;

/// How it is run: by what `python3` stands for, which may be a script that takes its time.
pub fn serve() -> &'static str {
    static SERVE: OnceLock<String> = OnceLock::new();
    SERVE.get_or_init(|| {
        let words = ["-c", "import sys; print(sys.executable)"];
        let output = Command::new("python3").args(words).output().expect("python3 is there");
        let path = String::from_utf8(output.stdout).expect("a path");
        format!("{} -IS @/serve.py", path.trim())
    })
}

/// An answer takes no longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A circusd that is PID 1, is operated, and has the server at hand.
pub fn serving(ini: &str) -> World {
    crate::operator::operated(&ini.replace("SERVE", serve())).with("serve.py", SERVER)
}

/// Of a socket, as `listsockets` shows it; with `detail` more.
pub fn shown(run: &Running, name: &str) -> Value {
    until("it can be operated", || run.folder().join("c.sock").exists());
    let text = operate(run, "--json listsockets");
    let reply: Value = serde_json::from_str(&text).expect("JSON");
    let all = reply["sockets"].as_array().expect("a list").clone();
    all.into_iter().find(|socket| socket["name"] == name).expect("it is there")
}

/// The port that it has.
pub fn port(run: &Running, name: &str) -> u16 {
    shown(run, name)["port"].as_u64().expect("it has a port") as u16
}

/// A port that is free.
pub fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    socket.local_addr().expect("it is bound").port()
}

/// A client that is connected, and has not asked yet.
pub fn connected(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// What it is answered.
pub fn answer(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"hello\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What a new client of a port is answered.
pub fn by_tcp(port: u16) -> String {
    let answer = answer(connected(port)).expect("an answer");
    assert_ne!(answer, "", "the connection was closed without an answer");
    answer
}

/// What a new client of a unix socket is answered.
pub fn by_unix(path: &Path) -> String {
    let stream = UnixStream::connect(path).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    answer(stream).expect("an answer")
}

/// What a client is answered by datagrams.
pub fn by_udp(port: u16) -> String {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.send_to(b"hello\n", ("127.0.0.1", port)).expect("it is sent");
    let mut space = [0; 100];
    let (length, _) = socket.recv_from(&mut space).expect("an answer");
    String::from_utf8_lossy(&space[..length]).into_owned()
}

/// What a client with a unix socket of this type is answered.
pub fn by_message(kind: SockType, path: &Path) -> String {
    let client: OwnedFd =
        socket(AddressFamily::Unix, kind, SockFlag::empty(), None).expect("a socket");
    let fd = client.as_raw_fd();
    if kind == SockType::Datagram {
        let own = path.with_extension("client");
        bind(fd, &UnixAddr::new(&own).expect("an address")).expect("it is free");
    }
    connect(fd, &UnixAddr::new(path).expect("an address")).expect("it is bound");
    send(fd, b"hello\n", MsgFlags::empty()).expect("it is sent");
    let mut space = [0; 100];
    let length = until_some("an answer", || recv(fd, &mut space, MsgFlags::MSG_DONTWAIT).ok());
    String::from_utf8_lossy(&space[..length]).into_owned()
}

/// A client that has asked, and will read the answer.
pub fn asking(port: u16) -> TcpStream {
    let mut stream = connected(port);
    stream.write_all(b"hello\n").expect("it is connected");
    stream
}

/// The answer to what it has asked.
pub fn answered(mut stream: TcpStream) -> String {
    // One that waits for more waits no longer.
    stream.shutdown(Shutdown::Write).expect("it is connected");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_ne!(answer, "", "the connection was closed without an answer");
    answer
}
