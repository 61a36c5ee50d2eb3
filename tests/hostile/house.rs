//! A circusd with some services, and what must hold after every attack.

use crate::process::Process;
use crate::world::{Running, World, until};
use crate::zmtp::{DEADLINE, Kind, Peer, Raw};
use std::time::Duration;

const INI: &str = "\
[circus]
endpoint = ipc://@/control.sock
pubsub_endpoint = ipc://@/pubsub.sock
[watcher:web]
cmd = sleep 1001
numprocesses = 2
[watcher:worker]
cmd = sleep 1002
";

/// So much more than before an attack may be in circusd's memory: what is read and written at once.
const GROWTH_KB_MAX: u64 = 1024;

/// A circusd under attack.
pub struct House {
    pub running: Running,
    pub control: String,
    pub publications: String,
    services: Vec<Process>,
    resident_kb: u64,
    descriptors: usize,
}

impl House {
    /// One like any other.
    pub fn open() -> House {
        House::behind(&[])
    }

    /// One that is started by this command.
    pub fn behind(words: &[&str]) -> House {
        let running = World::pid_1(INI).through(words).start();
        let place = |name: &str| format!("ipc://{}/{name}", running.folder().display());
        let (control, publications) = (place("control.sock"), place("pubsub.sock"));
        running.wait_for_children("sleep 1001", 2);
        running.wait_for_child("sleep 1002");
        let mut house = House {
            running,
            control,
            publications,
            services: Vec::new(),
            resident_kb: 0,
            descriptors: 0,
        };
        house.services = house.services_now();
        // What is only needed once, is there after the first requests.
        let big = format!(r#"{{"command": "list", "id": "{}"}}"#, "x".repeat(200_000));
        for _ in 0..3 {
            let mut peer = Peer::dealer(&house.control);
            peer.ask(big.as_bytes(), DEADLINE).expect("a reply");
            let _ = peer.ask(br#"{"command": "options", "properties": {"name": "web"}}"#, DEADLINE);
            let _ = peer.ask(br#"{"command": "stats"}"#, DEADLINE);
            drop(Peer::subscriber(&house.publications));
        }
        house.answers();
        house.resident_kb = house.resident_kb();
        house.descriptors = house.running.process.descriptors().len();
        house
    }

    fn services_now(&self) -> Vec<Process> {
        let mut all = self.running.children("sleep 1001");
        all.extend(self.running.children("sleep 1002"));
        all.sort();
        all
    }

    /// What circusd has in memory of its own.
    fn resident_kb(&self) -> u64 {
        let text = self.running.process.status("RssAnon");
        text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("RssAnon")
    }

    /// A client that nobody else disturbs.
    pub fn client(&self) -> Peer {
        Peer::dealer(&self.control)
    }

    /// A connection to commands (even numbers) or publications on which nothing was said yet; none
    /// while there is no room.
    pub fn stranger(&self, number: usize) -> Option<Raw> {
        let endpoint = if number.is_multiple_of(2) { &self.control } else { &self.publications };
        Raw::open(endpoint, Duration::from_secs(5)).ok()
    }

    /// One that has introduced itself, if it was let in.
    pub fn guest(&self, kind: Kind) -> Option<Peer> {
        let endpoint = if kind == Kind::Sub { &self.publications } else { &self.control };
        Peer::try_connect(endpoint, kind, b"", Duration::from_secs(5)).ok()
    }

    /// Wait for an answer to a new client.
    fn answers(&self) {
        until("circusd answers", || {
            let within = Duration::from_secs(5);
            let peer = Peer::try_connect(&self.control, Kind::Dealer, b"", within);
            let question = br#"{"command": "list", "id": "still there"}"#;
            let reply = peer.and_then(|mut peer| peer.ask(question, within));
            reply.is_ok_and(|reply| reply.contains(r#"["web", "worker"]"#))
        });
    }

    /// All is as it was.
    pub fn stands(&self, after: &str) {
        self.answers();
        assert_eq!(self.services_now(), self.services, "the services after {after}");
        let most = self.descriptors;
        until(&format!("circusd has closed what it had opened for {after}"), || {
            self.running.process.descriptors().len() <= most
        });
        let (before, now) = (self.resident_kb, self.resident_kb());
        assert!(now <= before + GROWTH_KB_MAX, "{now} kB after {after}, {before} kB before");
    }

    /// It ends as it should.
    pub fn close(mut self) {
        self.stands("all");
        self.running.stop();
    }
}
