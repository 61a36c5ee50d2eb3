//! What an inherited socket costs: requests, a start on demand and a reload, each beside the same
//! without circusd's part in it, in turns within one run. Prints a table in Markdown.
//!
//! `cargo bench --bench sockets`; `docs/performance.md` shows a result.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Of each measure: many and short, so that what else the machine does falls on both sides.
const ROUNDS: usize = 60;
const ROUND: Duration = Duration::from_millis(100);
const CLIENTS: usize = 2;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "serve") {
        serve(&words[at + 1], &words[at + 2]);
    }
    let world = World::start();
    println!("| | with circusd's socket | without | ratio | samples |\n|---|---:|---:|---:|---:|");
    row("requests a second", &pairs(|| requests(world.inherited), || requests(world.own)));
    let free = free_port();
    row("on demand, ms", &pairs(|| world.demand(), || world.spawn(free)));
    row("reload of 4, ms", &pairs(|| world.reload(), || world.start_and_stop()));
}

/// The server: one connection after the other, the least that can be done for each.
fn serve(kind: &str, number: &str) -> ! {
    let listener = match kind {
        "stdin" => {
            let stdin = std::io::stdin();
            let socket = stdin.as_fd().try_clone_to_owned().expect("room for a descriptor");
            TcpListener::from(socket)
        }
        _ => TcpListener::bind(format!("127.0.0.1:{number}")).expect("the port is free"),
    };
    listener.set_nonblocking(false).expect("a socket");
    loop {
        if let Ok((mut client, _)) = listener.accept() {
            client.set_nonblocking(false).expect("a socket");
            let _ = client.read(&mut [0; 64]);
            let _ = client.write_all(b"x");
        }
    }
}

struct World {
    folder: PathBuf,
    circusd: Child,
    inherited: u16,
    own: u16,
    lazy: u16,
}

impl World {
    fn start() -> World {
        let folder = std::env::temp_dir().join(format!("circus-sockets-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (inherited, own, lazy) = (free_port(), free_port(), free_port());
        let us = ourselves();
        let (us, at) = (us.display(), folder.display());
        let ini = format!(
            "[circus]\nendpoint = ipc://{at}/control\npubsub_endpoint = ipc://{at}/events\n\
             [socket:web]\nhost = 127.0.0.1\nport = {inherited}\n\
             [socket:lazy]\nhost = 127.0.0.1\nport = {lazy}\n\
             [socket:four]\nhost = 127.0.0.1\nport = 0\n\
             [watcher:web]\ncmd = {us} serve stdin 0\nstdin_socket = web\n\
             [watcher:own]\ncmd = {us} serve port {own}\n\
             [watcher:four]\ncmd = {us} serve stdin 0\nstdin_socket = four\nnumprocesses = 4\n\
             [watcher:lazy]\ncmd = {us} serve stdin 0\nstdin_socket = lazy\non_demand = True\n"
        );
        let file = folder.join("circus.ini");
        fs::write(&file, ini).expect("a file");
        let mut circusd = Command::new(env!("CARGO_BIN_EXE_circusd"));
        circusd.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let circusd = circusd.spawn().expect("circusd");
        let world = World { folder, circusd, inherited, own, lazy };
        first_byte(own);
        first_byte(inherited);
        world.ask(&["numwatchers"]);
        world
    }

    /// One command; how long it took.
    fn ask(&self, words: &[&str]) -> f64 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_circusctl"));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        command.env("CIRCUSCTL_ENDPOINT", format!("ipc://{}/control", self.folder.display()));
        let begin = Instant::now();
        assert!(command.status().expect("circusctl").success(), "{words:?}");
        ms(begin)
    }

    /// What it takes beside the command itself.
    fn work(&self, words: &[&str]) -> f64 {
        self.ask(words) - self.ask(&["numwatchers"])
    }

    fn demand(&self) -> f64 {
        self.ask(&["stop", "lazy", "--waiting"]);
        self.ask(&["start", "lazy", "--waiting"]);
        first_byte(self.lazy)
    }

    /// A server of our own from its spawn to its first byte.
    fn spawn(&self, port: u16) -> f64 {
        let begin = Instant::now();
        let mut server = Command::new(ourselves());
        let mut server =
            server.args(["serve", "port", &port.to_string()]).spawn().expect("ourselves");
        first_byte(port);
        let took = ms(begin);
        server.kill().and_then(|()| server.wait()).expect("it runs");
        took
    }

    fn reload(&self) -> f64 {
        self.work(&["reload", "four", "--waiting"])
    }

    fn start_and_stop(&self) -> f64 {
        let stop = self.work(&["stop", "four", "--waiting"]);
        stop + self.work(&["start", "four", "--waiting"])
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.ask(&["quit", "--waiting"]);
        let _ = self.circusd.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn ourselves() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| Path::new("/proc/self/exe").to_path_buf())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Answered requests a second, each on a new connection.
fn requests(port: u16) -> f64 {
    let end = Instant::now() + ROUND;
    let client = move || {
        let mut count = 0u32;
        while Instant::now() < end {
            assert!(is_answered(port), "a request got no answer");
            count += 1;
        }
        count
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(client)).collect();
    let count: u32 = clients.into_iter().map(|client| client.join().expect("answers")).sum();
    f64::from(count) / ROUND.as_secs_f64()
}

/// How long until somebody answers.
fn first_byte(port: u16) -> f64 {
    let begin = Instant::now();
    while !is_answered(port) {
        assert!(begin.elapsed() < Duration::from_secs(20), "nobody answers");
        thread::sleep(Duration::from_micros(20));
    }
    ms(begin)
}

fn is_answered(port: u16) -> bool {
    let Ok(mut client) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0];
    client.write_all(b"?").and_then(|()| client.read_exact(&mut answer)).is_ok()
}

fn ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

/// Samples of both, in turns; which one is first changes.
fn pairs(with: impl Fn() -> f64, without: impl Fn() -> f64) -> Vec<(f64, f64)> {
    let pair = |round: usize| match round % 2 {
        0 => (with(), without()),
        _ => {
            let without = without();
            (with(), without)
        }
    };
    (0..ROUNDS).map(pair).collect()
}

/// The medians, and that of the ratios within each round.
fn row(title: &str, samples: &[(f64, f64)]) {
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut sorted: Vec<f64> = samples.iter().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (with, without) = (median(|pair| pair.0), median(|pair| pair.1));
    let ratio = median(|pair| pair.0 / pair.1);
    println!("| {title} | {with:.2} | {without:.2} | {ratio:.2} | {} |", samples.len());
}
