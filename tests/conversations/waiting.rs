//! Waits for what the recorder had waited for: for facts, never for a time.

use crate::clients::Clients;
use crate::differences::{LATER, Later};
use crate::process::Process;
use crate::publications;
use crate::record::{self, Publication, Step};
use crate::replay::{PAUSE, Replay, SHORT};
use crate::subscriber::Subscriber;
use crate::zmtp::DEADLINE;
use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

impl Replay<'_> {
    /// Wait until all has come that had come when this was recorded.
    pub fn wait_for_publications(&mut self, before: usize) {
        let so_far: Vec<Publication> =
            self.timeline.iter().filter(|one| one.at < before).cloned().collect();
        let needed = publications::needed(&so_far, &self.closeness);
        if self.is_later(before, &needed) {
            return;
        }
        let end = Instant::now() + self.patience;
        loop {
            let came = self
                .subscriber
                .look(|heard| publications::came(&heard.publications, &self.closeness));
            let missing: Vec<_> = needed
                .iter()
                .filter(|(key, count)| {
                    !self.given_up.contains(&key.0) && came.get(key).unwrap_or(&0) < count
                })
                .collect();
            if missing.is_empty() {
                self.release(false);
                self.wait_for_traps();
                return;
            }
            let is_held = |name: &str| self.plan.held.contains(&name);
            if missing.iter().any(|((watcher, action), _)| is_held(watcher) && action != "kill") {
                self.release(true);
            }
            if Instant::now() > end {
                for ((watcher, action), count) in missing {
                    let came = came.get(&(watcher.clone(), action.clone())).unwrap_or(&0);
                    let text = format!("{came} of {count} publications {watcher}.{action} came");
                    self.outcome.problem(text);
                    self.given_up.insert(watcher.clone());
                }
                self.patience = SHORT;
                self.release(false);
                return;
            }
            thread::sleep(PAUSE);
        }
    }

    /// How many watchers start by themselves.
    fn watchers_started(&self) -> usize {
        let ini = record::read(&format!("{}.ini", self.plan.name));
        let ini = self.places.configuration(self.plan, &ini);
        let sections = ini.split("\n[").filter(|section| section.starts_with("watcher:"));
        sections.filter(|section| !section.contains("autostart = False")).count()
    }

    /// Whether what was published before this step comes later here.
    pub fn is_later(&mut self, before: usize, needed: &publications::Counts) -> bool {
        let Step::Exchange(exchange) = &self.steps[before] else { return false };
        let is_it = |it: &&Later| it.recording == self.plan.name && it.before == exchange.label;
        if !self.is_here() || !LATER.iter().any(|it| is_it(&it)) {
            return false;
        }
        let came =
            self.subscriber.look(|heard| publications::came(&heard.publications, &self.closeness));
        if needed.iter().any(|(key, count)| came.get(key).unwrap_or(&0) < count) {
            let name = format!("{} before {}", self.plan.name, exchange.label);
            self.outcome.occurred.insert(name);
        }
        true
    }

    /// Wait until every script has set up what it does on signals: until then they kill it.
    pub fn wait_for_traps(&self) {
        const HUP: u64 = 1;
        const TERM: u64 = 1 << 14;
        let traps = [
            ("slow.sh", TERM),
            ("stub.sh", TERM),
            ("fam.sh", TERM),
            ("trap \"\" TERM", TERM),
            ("trap \"echo hup", HUP),
        ];
        let is_set_up = |process: &Process| {
            let command = process.command();
            let mask = |name: &str| u64::from_str_radix(&process.status(name), 16).unwrap_or(0);
            traps.iter().all(|(words, signal)| {
                !command.contains(words) || (mask("SigCgt") | mask("SigIgn")) & signal != 0
            })
        };
        let end = Instant::now() + DEADLINE;
        while !self.running.process.children().iter().all(is_set_up) && Instant::now() < end {
            thread::sleep(PAUSE);
        }
    }

    /// Let processes that wait for it end.
    pub fn release(&self, really: bool) {
        if self.plan.held.is_empty() {
            return;
        }
        let path = self.running.folder().join("go");
        if really {
            fs::write(path, "").expect("a file for the test");
        } else {
            let _ = fs::remove_file(path);
        }
    }

    /// The nth process that a watcher started then is the nth of now.
    pub fn pair_spawned(&mut self, before: usize) {
        let spawned = |all: &[Publication]| {
            let all = all.iter().filter(|one| one.action == "spawn");
            publications::by_watcher(all)
        };
        let then: Vec<Publication> =
            self.timeline.iter().filter(|one| one.at < before).cloned().collect();
        let then = spawned(&then);
        let mut now = self.subscriber.look(|heard| spawned(&heard.publications));
        for (watcher, mut then) in then {
            then.sort_by_key(Publication::pid);
            if self.closeness.repeating.contains(&watcher) {
                continue;
            }
            let Some(now) = now.get_mut(&watcher) else { continue };
            // Some that were made at once may be told in another order.
            now.sort_by_key(Publication::pid);
            for (then, now) in then.iter().zip(now) {
                if let (Some(then), Some(now)) = (then.pid(), now.pid()) {
                    // A contradiction shows when all publications are compared.
                    let _ = self.pids.pair(then, now);
                }
            }
        }
    }

    /// Circus refuses a request and forgets a signal that come while it is at work.
    pub fn wait_for_idleness(&mut self) {
        if self.is_here() || self.plan.held.is_empty() || self.asked_to_end {
            return;
        }
        self.release(true);
        let name = self.watcher();
        let nothing =
            format!(r#"{{"command": "set", "properties": {{"name": "{name}", "options": {{}}}}}}"#);
        let is_idle = |reply: std::io::Result<String>| reply.is_ok_and(|it| it.contains("\"ok\""));
        let end = Instant::now() + DEADLINE;
        while !is_idle(self.clients.ask("main", nothing.as_bytes())) && Instant::now() < end {
            thread::sleep(PAUSE);
        }
        self.release(false);
    }

    /// Wait until publications arrive, and forget those of the start.
    pub fn synchronize(&mut self) {
        let end = Instant::now() + DEADLINE;
        let watcher = self.watcher();
        let probe = format!(
            r#"{{"command": "set", "id": "probe", "properties": {{"name": "{watcher}", "options": {{"max_retry": 5}}}}}}"#
        );
        if self.plan.starts_slowly {
            while self.subscriber.look(|heard| heard.connections) == 0 {
                assert!(Instant::now() < end, "no connection to the publications");
                thread::sleep(PAUSE);
            }
            let has_begun = |reply: String| reply.contains("\"active\"");
            let ask = |clients: &mut Clients| clients.ask("main", br#"{"command": "status"}"#);
            while !has_begun(ask(&mut self.clients).expect("a reply")) {
                assert!(Instant::now() < end, "nothing starts");
                thread::sleep(PAUSE);
            }
        }
        while !self.plan.starts_slowly {
            assert!(Instant::now() < end, "no publication arrives: {}", self.running.log());
            self.clients.ask("main", probe.as_bytes()).expect("a reply");
            let turn = Instant::now() + Duration::from_millis(250);
            let has_come = |subscriber: &Subscriber| {
                subscriber
                    .look(|heard| heard.publications.iter().any(|one| one.action == "updated"))
            };
            while Instant::now() < turn && !has_come(&self.subscriber) {
                thread::sleep(PAUSE);
            }
            if has_come(&self.subscriber) {
                break;
            }
        }
        let active = self.watchers_started();
        while !self.plan.starts_slowly {
            let reply = self.clients.ask("main", br#"{"command": "status"}"#).expect("a reply");
            if reply.matches("\"active\"").count() >= active || Instant::now() > end {
                break;
            }
            thread::sleep(PAUSE);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        self.subscriber.forget_before(now.as_secs_f64());
    }
}
