//! Fifty clients at once, who do not know of each other: none is refused, no reply is lost, and in
//! the end all is as the last of them wanted it. The same while the gateway is killed again and
//! again.
//!
//! `CLIENTS_SECONDS=30` lets them go on for longer; `SEED=` lets them do the same again.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod zmtp;

#[path = "pid1/process.rs"]
#[allow(dead_code)] // Written for another test.
mod process;

#[path = "pid1/random.rs"]
#[allow(dead_code)] // Written for another test.
mod random;

#[path = "pid1/world.rs"]
#[allow(dead_code)] // Written for another test.
mod world;

use process::Process;
use random::Random;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use world::{Running, World, until};
use zmtp::{DEADLINE, Kind, Peer};

const CLIENTS: usize = 50;

/// How often the gateway is killed.
const KILL_PAUSE: Duration = Duration::from_secs(1);

/// How long a client waits for a reply before it asks again, where the gateway is killed.
const PATIENCE: Duration = Duration::from_secs(5);

const INI: &str = "\
[circus]
endpoint = ipc://@/control.sock
pubsub_endpoint = ipc://@/pubsub.sock
[watcher:one]
cmd = sleep 1001
numprocesses = 2
[watcher:two]
cmd = sleep 1002
priority = 5
[watcher:three]
cmd = sleep 1003
stop_children = True
[watcher:four]
cmd = sh -c 'trap \"sleep 0.05; exit\" TERM; while :; do sleep 0.02; done'
graceful_timeout = 2
numprocesses = 2
[watcher:five]
cmd = sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'
graceful_timeout = 0.3
";

const WATCHERS: [&str; 5] = ["one", "two", "three", "four", "five"];

/// How long the clients go on.
fn duration() -> Duration {
    let seconds = std::env::var("CLIENTS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(5.0))
}

/// Text of a reply's member; nothing if it has none.
fn member(reply: &str, name: &str) -> String {
    let reply: serde_json::Value = serde_json::from_str(reply).expect("a reply is JSON");
    match &reply[name] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// One client and its connection.
struct Client {
    endpoint: String,
    peer: Option<Peer>,
    name: usize,
    asked: usize,
    /// The gateway may be gone at any time: ask again.
    is_persistent: bool,
}

impl Client {
    fn new(endpoint: &str, name: usize, is_persistent: bool) -> Client {
        Client { endpoint: endpoint.to_owned(), peer: None, name, asked: 0, is_persistent }
    }

    fn connect(&mut self, within: Duration) -> io::Result<&mut Peer> {
        let identity = format!("{:032x}", self.name);
        let peer = match self.peer.take() {
            Some(peer) => peer,
            None => Peer::try_connect(&self.endpoint, Kind::Dealer, identity.as_bytes(), within)?,
        };
        Ok(self.peer.insert(peer))
    }

    /// Ask once.
    fn try_ask(&mut self, request: &str, id: &str, within: Duration) -> io::Result<String> {
        let is_persistent = self.is_persistent;
        let peer = self.connect(within)?;
        peer.send(&[request.as_bytes()])?;
        loop {
            let mut frames = peer.receive(within)?;
            let body = frames.pop().filter(|_| frames.is_empty());
            let body = body.ok_or_else(|| io::Error::other("not one frame"))?;
            let reply = String::from_utf8_lossy(&body).into_owned();
            if member(&reply, "id") == id {
                return Ok(reply);
            }
            // An answer to what was asked before, and given up. Without killing there is none.
            if !is_persistent {
                return Err(io::Error::other(format!("{reply} in reply to {request}")));
            }
        }
    }

    /// Ask for this until there is an answer.
    fn ask(&mut self, command: &str, properties: &str) -> String {
        self.asked += 1;
        let id = format!("{}-{}", self.name, self.asked);
        let request =
            format!(r#"{{"command": "{command}", "id": "{id}", "properties": {{{properties}}}}}"#);
        let end = Instant::now() + DEADLINE;
        let within = if self.is_persistent { PATIENCE } else { DEADLINE };
        loop {
            match self.try_ask(&request, &id, within) {
                Ok(reply) => return reply,
                Err(error) if !self.is_persistent => panic!("{request}: {error}"),
                Err(error) if Instant::now() > end => panic!("{request}: {error}"),
                Err(_) => self.peer = None,
            }
        }
    }

    /// Something that is not refused.
    fn do_something(&mut self, random: &mut Random) {
        let watcher = WATCHERS[random.below(WATCHERS.len() as u64) as usize];
        let waiting = if random.below(4) == 0 { r#", "waiting": true"# } else { "" };
        let name = format!(r#""name": "{watcher}""#);
        let (command, properties) = match random.below(24) {
            0..=3 => ("start", format!("{name}{waiting}")),
            4..=6 => ("stop", format!("{name}{waiting}")),
            7..=9 => ("incr", format!("{name}{waiting}")),
            10..=12 => ("decr", format!("{name}{waiting}")),
            13..=15 => ("reload", format!("{name}{waiting}")),
            16 => ("reload", format!(r#"{name}, "sequential": true{waiting}"#)),
            17 => ("restart", format!("{name}{waiting}")),
            18 => ("start", String::new()),
            19 => ("reload", String::new()),
            20 => ("set", format!(r#"{name}, "options": {{"numprocesses": 2}}{waiting}"#)),
            21 => ("list", name),
            22 => ("status", String::new()),
            _ => ("status", name),
        };
        let reply = self.ask(command, &properties);
        let status = member(&reply, "status");
        assert_ne!(status, "error", "{command} {properties}: {reply}");
    }
}

/// Let all clients do what they like for a while; how much they did.
fn crowd(endpoint: &str, is_persistent: bool, random: &mut Random) -> usize {
    let end = Instant::now() + duration();
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut random = random.fork();
            let count = &count;
            scope.spawn(move || {
                let mut client = Client::new(endpoint, number + 1, is_persistent);
                while Instant::now() < end {
                    client.do_something(&mut random);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.into_inner()
}

fn gateway(running: &Running) -> Option<Process> {
    let mut children = running.process.children().into_iter();
    children.find(|process| process.read("comm").trim() == "circusctl")
}

/// Zombies among circusd's children that stay.
fn zombies(running: &Running) -> Vec<Process> {
    let mut children = running.process.children();
    children.retain(|process| process.stat(3) == "Z");
    children
}

/// Each watcher is as the last command for it says, and so are its processes.
fn last_commands_hold(client: &mut Client, random: &mut Random, running: &Running) {
    let mut processes = 0;
    for watcher in WATCHERS {
        let name = format!(r#""name": "{watcher}""#);
        let starts = random.below(2) == 0;
        let target = random.below(4);
        client.ask(
            "set",
            &format!(r#"{name}, "options": {{"numprocesses": {target}}}, "waiting": true"#),
        );
        let command = if starts { "start" } else { "stop" };
        let reply = client.ask(command, &format!(r#"{name}, "waiting": true"#));
        assert_eq!(member(&reply, "status"), "ok", "{command} {watcher}: {reply}");
        let status = member(&client.ask("status", &name), "status");
        assert_eq!(status, if starts { "active" } else { "stopped" }, "{command} {watcher}");
        let expected = if starts { target } else { 0 };
        until(&format!("{watcher} has {expected} processes"), || {
            let pids = member(&client.ask("list", &name), "pids");
            let pids: Vec<i32> = serde_json::from_str(&pids).expect("a list of pids");
            pids.len() as u64 == expected
        });
        let count = member(&client.ask("numprocesses", &name), "numprocesses");
        assert_eq!(count, expected.to_string(), "numprocesses of {watcher}");
        processes += expected as usize;
    }
    until("circusd has so many processes as it says, and no zombie", || {
        let children = running.process.children();
        let services = children.iter().filter(|process| process.read("comm").trim() != "circusctl");
        services.count() == processes && zombies(running).is_empty()
    });
}

/// Stop everything five times, start it, and quit while it is being reloaded.
fn end(client: &mut Client, running: &mut Running) {
    for _ in 0..5 {
        let reply = client.ask("stop", r#""waiting": true"#);
        assert_eq!(member(&reply, "status"), "ok", "{reply}");
    }
    let statuses = member(&client.ask("status", ""), "statuses");
    assert_eq!(statuses.matches("stopped").count(), WATCHERS.len(), "{statuses}");
    for watcher in WATCHERS {
        let properties = format!(r#""name": "{watcher}", "options": {{"numprocesses": 2}}"#);
        client.ask("set", &properties);
    }
    let reply = client.ask("start", r#""waiting": true"#);
    assert_eq!(member(&reply, "status"), "ok", "{reply}");
    let reply = client.ask("reload", r#""sequential": true"#);
    assert_eq!(member(&reply, "status"), "ok", "{reply}");
    let reply = client.ask("quit", r#""waiting": true"#);
    assert_eq!(member(&reply, "status"), "ok", "{reply}");
    assert_eq!(running.exit_code(), 0);
    assert_eq!(running.others(), [], "nothing is left");
}

fn open() -> (Running, String) {
    let running = World::pid_1(INI).start();
    let endpoint = format!("ipc://{}/control.sock", running.folder().display());
    // From now on somebody listens.
    drop(Peer::dealer(&endpoint));
    (running, endpoint)
}

#[test]
fn clients_who_do_not_know_of_each_other_are_all_served() {
    if !world::namespaces_are_possible() {
        return;
    }
    let (mut running, endpoint) = open();
    let mut random = Random::new();
    let count = crowd(&endpoint, false, &mut random);
    println!("{count} commands");
    let mut client = Client::new(&endpoint, CLIENTS + 1, false);
    last_commands_hold(&mut client, &mut random, &running);
    end(&mut client, &mut running);
}

#[test]
fn a_gateway_that_is_killed_again_and_again_costs_retries_and_nothing_else() {
    if !world::namespaces_are_possible() {
        return;
    }
    let (mut running, endpoint) = open();
    let mut random = Random::new();
    let is_over = AtomicBool::new(false);
    let (count, kills) = thread::scope(|scope| {
        let (running, is_over) = (&running, &is_over);
        let killer = scope.spawn(move || {
            let mut kills = 0;
            let mut next = Instant::now() + KILL_PAUSE;
            while !is_over.load(Ordering::Relaxed) {
                if Instant::now() > next
                    && let Some(gateway) = gateway(running)
                {
                    gateway.send("KILL");
                    kills += 1;
                    next = Instant::now() + KILL_PAUSE;
                }
                thread::sleep(Duration::from_millis(10));
            }
            kills
        });
        let count = crowd(&endpoint, true, &mut random);
        is_over.store(true, Ordering::Relaxed);
        (count, killer.join().expect("it has not panicked"))
    });
    println!("{count} commands, the gateway killed {kills} times");
    assert!(kills > 0 || duration() < 2 * KILL_PAUSE);
    let mut client = Client::new(&endpoint, CLIENTS + 1, true);
    last_commands_hold(&mut client, &mut random, &running);
    end(&mut client, &mut running);
}
