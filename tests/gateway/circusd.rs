//! The other end of a gateway: starts it as circusd does, and hears and says what circusd would.

use circus::wire::{FROM_GATEWAY_BYTES_MAX, FromGateway, Inbox, ToGateway};
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub const DEADLINE: Duration = Duration::from_secs(30);

/// Wait for a fact.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a gateway has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Request { uid: Option<u32>, identity: Vec<u8>, body: Vec<u8> },
    Subscribers(u32),
    Note(u8, String),
    Ready,
}

/// What outlives a gateway: the folder, the listeners and the endpoints' names.
pub struct World {
    pub folder: PathBuf,
    pub endpoint: String,
    pub pubsub: String,
    listeners: [OwnedFd; 2],
    multicast: Option<UdpSocket>,
    words: Vec<String>,
    descriptors_max: Option<u64>,
}

impl World {
    /// With local endpoints.
    pub fn local() -> World {
        let folder = folder();
        let listen = |name: &str| {
            let path = folder.join(name);
            let listener = UnixListener::bind(&path).unwrap();
            listener.set_nonblocking(true).unwrap();
            // For the tests with other users.
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
            OwnedFd::from(listener)
        };
        let listeners = [listen("control"), listen("pubsub")];
        let name = |name: &str| format!("ipc://{}", folder.join(name).display());
        World::new(folder.clone(), name("control"), name("pubsub"), listeners)
    }

    /// With endpoints on the loopback network.
    pub fn network() -> World {
        let listen = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            (format!("tcp://{}", listener.local_addr().unwrap()), OwnedFd::from(listener))
        };
        let ((endpoint, control), (pubsub, publications)) = (listen(), listen());
        World::new(folder(), endpoint, pubsub, [control, publications])
    }

    fn new(folder: PathBuf, endpoint: String, pubsub: String, listeners: [OwnedFd; 2]) -> World {
        let (words, descriptors_max) = (Vec::new(), None);
        World { folder, endpoint, pubsub, listeners, multicast: None, words, descriptors_max }
    }

    /// More words for the gateway's command line.
    pub fn words(mut self, words: &[&str]) -> World {
        self.words.extend(words.iter().map(|word| word.to_string()));
        self
    }

    /// With a socket for discovery.
    pub fn multicast(mut self, socket: UdpSocket) -> World {
        self.multicast = Some(socket);
        self.words(&["--multicast", "udp://237.219.251.97:12027"])
    }

    /// With no more descriptors than that.
    pub fn descriptors_max(mut self, count: u64) -> World {
        self.descriptors_max = Some(count);
        self
    }

    /// A file for a key.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Start a gateway and wait until it serves.
    pub fn start(&self) -> Gateway {
        let mut gateway = self.start_as_it_is();
        assert_eq!(gateway.hear(), Said::Ready);
        gateway
    }

    /// Start a gateway, which may find that it cannot.
    pub fn start_as_it_is(&self) -> Gateway {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut numbers: Vec<RawFd> = vec![theirs.as_raw_fd()];
        numbers.extend(self.listeners.iter().map(AsRawFd::as_raw_fd));
        numbers.extend(self.multicast.iter().map(AsRawFd::as_raw_fd));
        let descriptors_max = self.descriptors_max;
        let mut command = Command::new(env!("CARGO_BIN_EXE_circusctl"));
        command
            .args(["gateway", "--endpoint", &self.endpoint, "--pubsub", &self.pubsub])
            .args(&self.words)
            .stdin(Stdio::null());
        let prepare = move || {
            // SAFETY: system calls only.
            unsafe {
                if let Some(count) = descriptors_max {
                    let limit = libc::rlimit { rlim_cur: count, rlim_max: count };
                    libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
                }
                // First out of the way of each other, then to their places, open for the program.
                for (place, number) in numbers.iter().enumerate() {
                    libc::dup2(*number, 40 + place as i32);
                }
                for place in 0..numbers.len() as i32 {
                    libc::dup2(40 + place, 3 + place);
                    libc::close(40 + place);
                }
                libc::syscall(libc::SYS_close_range, 3 + numbers.len(), u32::MAX, 4);
            }
            Ok(())
        };
        // SAFETY: what is done there may be done after a fork.
        let child = unsafe { command.pre_exec(prepare) }.spawn().unwrap();
        ours.set_read_timeout(Some(DEADLINE)).unwrap();
        ours.set_write_timeout(Some(DEADLINE)).unwrap();
        let inbox = Inbox::new(FROM_GATEWAY_BYTES_MAX);
        Gateway { child, stream: Some(ours), inbox, notes: Vec::new() }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("circus-gateway-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// A running gateway, and our end of its socket pair.
pub struct Gateway {
    child: Child,
    stream: Option<UnixStream>,
    inbox: Inbox,
    /// What it wanted in the log.
    pub notes: Vec<(u8, String)>,
}

impl Gateway {
    fn stream(&mut self) -> &mut UnixStream {
        self.stream.as_mut().expect("not closed yet")
    }

    /// The next thing that it says.
    pub fn hear(&mut self) -> Said {
        self.try_hear().expect("it is still there")
    }

    /// The next thing that it says; nothing if it has ended.
    pub fn try_hear(&mut self) -> Option<Said> {
        loop {
            if let Some(frame) = self.inbox.next_frame().unwrap() {
                return Some(match FromGateway::parse(frame).unwrap() {
                    FromGateway::Request { uid, identity, body } => {
                        Said::Request { uid, identity: identity.to_vec(), body: body.to_vec() }
                    }
                    FromGateway::Subscribers(count) => Said::Subscribers(count),
                    FromGateway::Note { level, text } => Said::Note(level, text.to_string()),
                    FromGateway::Ready => Said::Ready,
                });
            }
            let stream = self.stream.as_mut().expect("not closed yet");
            let count = stream.read(self.inbox.space()).expect("in time");
            if count == 0 {
                return None;
            }
            self.inbox.filled(count);
        }
    }

    /// The next request; notes are kept, and who has subscribed is not asked.
    pub fn request(&mut self) -> (Option<u32>, Vec<u8>, Vec<u8>) {
        loop {
            match self.hear() {
                Said::Request { uid, identity, body } => return (uid, identity, body),
                Said::Note(level, text) => self.notes.push((level, text)),
                Said::Subscribers(_) => {}
                Said::Ready => panic!("ready again"),
            }
        }
    }

    /// Wait until so many subscriptions are in force.
    pub fn wait_for_subscribers(&mut self, count: u32) {
        loop {
            match self.hear() {
                Said::Subscribers(number) if number == count => return,
                Said::Subscribers(_) => {}
                Said::Note(level, text) => self.notes.push((level, text)),
                other => panic!("not about subscribers: {other:?}"),
            }
        }
    }

    pub fn say(&mut self, message: ToGateway<'_>) {
        let mut bytes = Vec::new();
        message.append_to(&mut bytes);
        self.say_bytes(&bytes);
    }

    pub fn say_bytes(&mut self, bytes: &[u8]) {
        self.stream().write_all(bytes).unwrap();
    }

    pub fn reply(&mut self, identity: &[u8], body: &[u8]) {
        self.say(ToGateway::Reply { identity, body });
    }

    pub fn publish(&mut self, topic: &str, body: &str) {
        self.say(ToGateway::Publication { topic: topic.as_bytes(), body: body.as_bytes() });
    }

    /// Whether a client with this question gets this answer: the gateway is well.
    pub fn serves(&mut self, endpoint: &str) {
        let client = Client::new(endpoint);
        client.ask("are you well?");
        let (_, identity, body) = loop {
            let request = self.request();
            // What others had sent before is still there.
            if request.2 == b"are you well?" {
                break request;
            }
        };
        self.reply(&identity, &[b"yes: ", &body[..]].concat());
        assert_eq!(client.answer(), "yes: are you well?");
    }

    pub fn send(&self, signal: i32) {
        // SAFETY: no memory is involved, and it was not waited for yet.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Kill it, and be sure that it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Say goodbye, and how it ended.
    pub fn close(mut self) -> ExitStatus {
        self.stream = None;
        self.ended()
    }

    /// How it ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the gateway ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory in kilobytes.
    pub fn resident_kb(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, field: &str) -> u64 {
        let path = Path::new("/proc").join(self.child.id().to_string()).join("status");
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// How many descriptors it has.
    pub fn descriptors(&self) -> usize {
        let path = Path::new("/proc").join(self.child.id().to_string()).join("fd");
        std::fs::read_dir(path).unwrap().count()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client as Circus has them: a DEALER.
pub struct Client {
    pub socket: zmq::Socket,
}

impl Client {
    pub fn new(endpoint: &str) -> Client {
        Client::prepared(endpoint, zmq::DEALER, |_| {})
    }

    pub fn subscriber(endpoint: &str, topics: &[&str]) -> Client {
        let client = Client::prepared(endpoint, zmq::SUB, |_| {});
        for topic in topics {
            client.socket.set_subscribe(topic.as_bytes()).unwrap();
        }
        client
    }

    pub fn prepared(
        endpoint: &str,
        kind: zmq::SocketType,
        prepare: impl FnOnce(&zmq::Socket),
    ) -> Client {
        let socket = zmq::Context::new().socket(kind).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(DEADLINE.as_millis() as i32).unwrap();
        prepare(&socket);
        socket.connect(endpoint).unwrap();
        Client { socket }
    }

    pub fn ask(&self, text: &str) {
        self.socket.send(text, 0).unwrap();
    }

    pub fn answer(&self) -> String {
        let parts = self.parts();
        assert_eq!(parts.len(), 1);
        parts[0].clone()
    }

    pub fn parts(&self) -> Vec<String> {
        let parts = self.socket.recv_multipart(0).expect("in time");
        parts.into_iter().map(|part| String::from_utf8(part).unwrap()).collect()
    }
}
