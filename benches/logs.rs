//! How fast the log writer takes lines from a pipe, beside `cat` that does nothing with them:
//! `cargo bench --bench logs [MEGABYTES]`.

#![allow(clippy::disallowed_methods)]

use circus::sys::packet;
use circus::wire::log::{Channel, FromWriter, PACKET_BYTES_MAX, ToWriter};
use std::fs::{self, File};
use std::io::{ErrorKind, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LINE_BYTES: usize = 100;
const BLOCK_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 3;

/// A way of writing, and what is done with it.
struct Plan {
    name: &'static str,
    at_once: usize,
    /// `None`: by `cat`.
    options: Option<&'static [(&'static str, &'static str)]>,
}

const DRESSED: &[(&str, &str)] =
    &[("prefix", "%(watcher)s.%(wid)s |"), ("time_format", "%Y-%m-%d %H:%M:%S")];
const ROTATED: &[(&str, &str)] = &[("max_bytes", "10M"), ("backup_count", "3")];
const JSON: &[(&str, &str)] = &[("class", "JsonStream")];

const PLANS: [Plan; 7] = [
    Plan { name: "blocks, cat", at_once: BLOCK_BYTES, options: None },
    Plan { name: "blocks", at_once: BLOCK_BYTES, options: Some(&[]) },
    Plan { name: "blocks, rotated at 10 MB", at_once: BLOCK_BYTES, options: Some(ROTATED) },
    Plan { name: "blocks, time and prefix", at_once: BLOCK_BYTES, options: Some(DRESSED) },
    Plan { name: "blocks, JSON", at_once: BLOCK_BYTES, options: Some(JSON) },
    Plan { name: "lines, cat", at_once: LINE_BYTES, options: None },
    Plan { name: "lines", at_once: LINE_BYTES, options: Some(&[]) },
];

fn main() {
    let asked = std::env::args().skip(1).find_map(|word| word.parse::<usize>().ok());
    let bytes = asked.unwrap_or(1024) << 20;
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let folder = root.join(format!("circusd-logs-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder");
    for plan in &PLANS {
        let mut best = (Duration::MAX, Duration::ZERO);
        for _ in 0..ROUNDS {
            best = best.min(measure(plan, bytes, &folder));
            for entry in fs::read_dir(&folder).expect("the folder").flatten() {
                let _ = fs::remove_file(entry.path());
            }
        }
        let (time, cpu) = (best.0.as_secs_f64(), best.1.as_secs_f64());
        let (speed, gib) = (bytes as f64 / 1e6 / time, bytes as f64 / f64::from(1 << 30));
        println!("{:26} {speed:7.0} MB/s  {:6.2} s of CPU a GiB", plan.name, cpu / gib);
    }
    let _ = fs::remove_dir_all(&folder);
}

/// The time from the first byte to the last one in the file, and what the reader took of the CPU.
fn measure(plan: &Plan, bytes: usize, folder: &Path) -> (Duration, Duration) {
    let path = folder.join("log");
    let (read, write) = std::io::pipe().expect("a pipe");
    let Some(options) = plan.options else {
        let file = File::create(&path).expect("a file");
        let mut cat = Command::new("cat").stdin(read).stdout(file).spawn().expect("cat");
        let begin = Instant::now();
        produce(write, plan.at_once, bytes);
        let cpu = wait(&mut cat);
        return (begin.elapsed(), cpu);
    };
    let (ours, theirs) = packet::pair(PACKET_BYTES_MAX).expect("two ends");
    let mut command = Command::new(env!("CARGO_BIN_EXE_circusd"));
    let mut child = command.arg("log-writer").stdin(Stdio::from(theirs)).spawn().expect("circusd");
    open(&ours, &OwnedFd::from(read), &path, options);
    let begin = Instant::now();
    produce(write, plan.at_once, bytes);
    wait_for_end(&ours);
    let time = begin.elapsed();
    packet::send(ours.as_fd(), &ToWriter::Finish { within_ms: 0 }.to_packet(), None).expect("sent");
    (time, wait(&mut child))
}

fn open(socket: &OwnedFd, pipe: &OwnedFd, path: &Path, options: &[(&str, &str)]) {
    let path = path.display().to_string();
    let mut texts: Vec<(Box<str>, Box<str>)> = vec![("filename".into(), path.into())];
    texts.extend(options.iter().map(|(name, text)| ((*name).into(), (*text).into())));
    let said = ToWriter::Open {
        id: 1,
        watcher: "web".into(),
        wid: 1,
        pid: 1,
        channel: Channel::Stdout,
        options: texts,
    };
    packet::send(socket.as_fd(), &said.to_packet(), Some(pipe.as_fd())).expect("sent");
}

fn produce(mut pipe: PipeWriter, at_once: usize, bytes: usize) {
    let line = |number: usize| format!("{number:08} {}\n", "x".repeat(LINE_BYTES - 10));
    let lines: Vec<u8> = (0..BLOCK_BYTES).map(line).collect::<String>().into_bytes();
    let mut rest = bytes;
    while rest > 0 {
        for part in lines.chunks(at_once) {
            let part = &part[..part.len().min(rest)];
            pipe.write_all(part).expect("somebody reads");
            rest -= part.len();
            if rest == 0 {
                break;
            }
        }
    }
}

fn wait_for_end(socket: &OwnedFd) {
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        match packet::receive(socket.as_fd(), &mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_micros(200));
            }
            received => {
                let length = received.expect("a packet").length;
                assert!(length > 0, "the log writer has ended");
                let said = FromWriter::from_packet(&buffer[..length]);
                if let Some(FromWriter::Closed { .. }) = said {
                    return;
                }
            }
        }
    }
}

/// What it took of the CPU, which is known while it is a zombie.
fn wait(child: &mut Child) -> Duration {
    let path = format!("/proc/{}/stat", child.id());
    let fields = loop {
        let text = fs::read_to_string(&path).expect("its figures");
        let rest = text.rsplit_once(") ").expect("a name").1.to_owned();
        if rest.starts_with('Z') {
            break rest;
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    child.wait().expect("its end");
    Duration::from_millis(ticks * 10)
}
