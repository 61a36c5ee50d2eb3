//! A log writer that we have started, and what is said to it.

use circus::sys::packet;
use circus::wire::log::{Channel, FromWriter, Line, PACKET_BYTES_MAX, ToWriter};
use nix::fcntl::OFlag;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Role {
    pub child: Child,
    socket: OwnedFd,
    heard: Vec<FromWriter>,
    next: u64,
}

impl Role {
    pub fn start(stdout: Stdio) -> Role {
        Role::start_as(Command::new(env!("CARGO_BIN_EXE_circusd")).arg("log-writer"), stdout)
    }

    pub fn start_as(command: &mut Command, stdout: Stdio) -> Role {
        let (ours, theirs) = packet::pair(circus::wire::log::PACKET_BYTES_MAX).expect("two ends");
        let command = command.stdin(Stdio::from(theirs)).stdout(stdout).stderr(Stdio::null());
        let child = command.spawn().expect("circusd");
        Role { child, socket: ours, heard: Vec::new(), next: 1 }
    }

    pub fn say(&self, said: &ToWriter) {
        self.send(said, None);
    }

    fn send(&self, said: &ToWriter, pipe: Option<&OwnedFd>) {
        let bytes = said.to_packet();
        let pipe = pipe.map(|pipe| pipe.as_fd());
        until("the packet is taken", || match packet::send(self.socket.as_fd(), &bytes, pipe) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            result => {
                result.expect("sent");
                Some(())
            }
        });
    }

    /// A pipe of its own: its number and the end to write to.
    pub fn open(&mut self, watcher: &str, wid: u32, options: &[(&str, &str)]) -> (u64, File) {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        (self.give(watcher, wid, Channel::Stdout, &read, options), File::from(write))
    }

    /// This pipe.
    pub fn give(
        &mut self,
        watcher: &str,
        wid: u32,
        channel: Channel,
        pipe: &OwnedFd,
        options: &[(&str, &str)],
    ) -> u64 {
        let id = self.next;
        self.next += 1;
        let (watcher, options) = (watcher.into(), texts(options));
        let pid = 1000 + id as i32;
        self.send(&ToWriter::Open { id, watcher, wid, pid, channel, options }, Some(pipe));
        id
    }

    /// The first thing that is said of which this knows something; the others are kept.
    pub fn hear<T>(&mut self, what: &str, wanted: impl Fn(&FromWriter) -> Option<T>) -> T {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        until(what, || {
            if let Some(index) = self.heard.iter().position(|said| wanted(said).is_some()) {
                return wanted(&self.heard.remove(index));
            }
            match packet::receive(self.socket.as_fd(), &mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                received => {
                    let length = received.expect("a packet").length;
                    assert!(length > 0, "the log writer is gone, waiting until {what}");
                    let said = FromWriter::from_packet(&buffer[..length]);
                    self.heard.push(said.expect("a packet that is understood"));
                }
            }
            None
        })
    }

    pub fn closed(&mut self, id: u64) {
        let is_it = |said: &FromWriter| (*said == FromWriter::Closed { id }).then_some(());
        self.hear("a pipe is closed", is_it);
    }

    /// The last line of what was written.
    pub fn drained(&mut self, id: u64) -> Option<String> {
        self.say(&ToWriter::Ended { id });
        self.hear("a pipe is drained", |said| match said {
            FromWriter::Drained { id: theirs, last } if *theirs == id => {
                Some(last.as_deref().map(str::to_owned))
            }
            _ => None,
        })
    }

    /// A line for circusd's log in which this is said.
    pub fn noted(&mut self, part: &str) -> String {
        self.hear(&format!("{part} is noted"), |said| match said {
            FromWriter::Note { text, .. } if text.contains(part) => Some(text.to_string()),
            _ => None,
        })
    }

    pub fn notes(&self) -> usize {
        self.heard.iter().filter(|said| matches!(said, FromWriter::Note { .. })).count()
    }

    /// Lines, the number of the last one, how many are missed, and whether there are more.
    pub fn tail(
        &mut self,
        watcher: Option<&str>,
        count: u32,
        after: Option<u64>,
    ) -> (Vec<Line>, u64, u64, bool) {
        let token = self.next;
        self.next += 1;
        let watcher = watcher.map(Box::from);
        self.say(&ToWriter::Tail { token, watcher, channel: None, count, after, since: None });
        self.hear("there is an answer", |said| match said {
            FromWriter::Lines { token: theirs, lines, last, missed, more } if *theirs == token => {
                Some((lines.clone(), *last, *missed, *more))
            }
            _ => None,
        })
    }

    pub fn finish(mut self) {
        self.say(&ToWriter::Finish { within_ms: 30_000 });
        assert_eq!(self.child.wait().expect("its end").code(), Some(0));
    }
}

impl Role {
    /// As when circusd is killed.
    pub fn leave(mut self) {
        let (other, _) = packet::pair(circus::wire::log::PACKET_BYTES_MAX).expect("two ends");
        self.socket = other;
        assert_eq!(self.child.wait().expect("its end").code(), Some(0));
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn texts(options: &[(&str, &str)]) -> Vec<(Box<str>, Box<str>)> {
    options.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
}

/// Wait for a fact.
pub fn until<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = fact() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A folder for one test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("log-writer-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// What is in all files whose names begin so, the compressed ones too.
    pub fn all(&self, name: &str) -> Vec<u8> {
        self.files(name).iter().flat_map(|path| content(path)).collect()
    }

    pub fn files(&self, name: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).expect("the folder").flatten();
        let mut files: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name))
            })
            .collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn content(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("a file");
    if path.extension().is_none_or(|end| end != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
    std::io::copy(&mut decoder, &mut text).expect("gzip");
    text
}

/// Write numbered lines, in pieces that end anywhere.
pub fn write_lines(mut pipe: File, name: String, count: u32) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let lines = (0..count).map(|number| format!("{name} {number} {}\n", "x".repeat(70)));
        let all: Vec<u8> = lines.collect::<String>().into_bytes();
        let mut rest = &all[..];
        let mut length = 1;
        while !rest.is_empty() {
            length = (length * 7 + 13) % 5000;
            let (part, more) = rest.split_at(rest.len().min(length + 1));
            pipe.write_all(part).expect("somebody reads");
            rest = more;
        }
    })
}

/// Every line of each of these is there once, and nothing else.
pub fn assert_complete(text: &[u8], names: &[String], count: u32) {
    let text = std::str::from_utf8(text).expect("text");
    let mut found: Vec<&str> = text.lines().collect();
    let tail = format!(" {}", "x".repeat(70));
    let mut expected = Vec::new();
    for name in names {
        expected.extend((0..count).map(|number| format!("{name} {number}{tail}")));
    }
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found.len(), expected.len(), "lines");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
}
