//! Plays one recorded conversation again, and says what is not as it was.

use crate::clients::Clients;
use crate::compare::{Pids, compare};
use crate::differences::{self, SAME};
use crate::expected::{Expected, ask_others, substitute};
use crate::json::Json;
use crate::places::Places;
use crate::plans::{Plan, When};
use crate::publications::{self, Closeness, Loss};
use crate::record::{self, Exchange, Heard, Publication, Sent, Step};
use crate::subscriber::Subscriber;
use crate::world::{Running, World};
use crate::zmtp::DEADLINE;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a fact.
pub const PAUSE: Duration = Duration::from_millis(10);

/// When something has gone wrong already.
pub const SHORT: Duration = Duration::from_secs(1);

/// A pause of the recorder from which on it waited for something to happen.
const PATIENT_FROM: f64 = 0.09;

/// With whom the conversations are held.
#[derive(Debug, Clone)]
pub enum Target {
    Here,
    /// The original: its path.
    Circus(String),
}

/// What came of a recording.
#[derive(Debug, Default)]
pub struct Outcome {
    pub name: String,
    /// Replies that are as recorded.
    pub equal: usize,
    /// Replies that differ as listed.
    pub different: usize,
    /// Publications compared.
    pub publications: usize,
    /// Reasons for requests that were not made, and how many.
    pub skipped: BTreeMap<String, usize>,
    pub problems: Vec<String>,
    /// How long it took.
    pub time: Duration,
    /// Names of differences that occurred.
    pub occurred: BTreeSet<String>,
}

impl Outcome {
    pub fn problem(&mut self, text: String) {
        self.problems.push(format!("{}: {text}", self.name));
    }

    pub fn skip(&mut self, why: &str) {
        *self.skipped.entry(why.to_owned()).or_default() += 1;
    }
}

/// Play a recording.
pub fn play(plan: &Plan, target: &Target) -> Outcome {
    let mut outcome = Outcome { name: plan.name.to_owned(), ..Outcome::default() };
    let start = Instant::now();
    let count = record::parts(plan.name, &str::to_owned).len();
    for number in 0..count {
        let mut replay = Replay::start(plan, target, number, &mut outcome);
        replay.run();
        replay.finish();
    }
    outcome.time = start.elapsed();
    outcome
}

/// A conversation that is held again.
pub struct Replay<'a> {
    pub plan: &'a Plan,
    pub target: &'a Target,
    pub outcome: &'a mut Outcome,
    pub running: Running,
    pub places: Places,
    pub clients: Clients,
    pub subscriber: Subscriber,
    pub steps: Vec<Step>,
    /// What will be published, as far as the record and the differences tell.
    pub timeline: Vec<Publication>,
    pub closeness: Closeness,
    pub pids: Pids,
    /// Watchers of which something did not come: nobody waits for them again.
    pub given_up: BTreeSet<String>,
    pub asked_to_end: bool,
    pub is_patient: bool,
    /// How long something is waited for.
    pub patience: Duration,
}

impl<'a> Replay<'a> {
    pub fn start(
        plan: &'a Plan,
        target: &'a Target,
        number: usize,
        outcome: &'a mut Outcome,
    ) -> Replay<'a> {
        let mut world = World::pid_1("");
        let places = Places::new(plan, target, &world.folder);
        let ini = places.configuration(plan, &record::read(&format!("{}.ini", plan.name)));
        for name in plan.folders {
            fs::create_dir(world.folder.join(name)).expect("a folder in the folder");
        }
        for (name, text) in plan.scripts {
            world.write(name, text);
        }
        for (name, program) in plan.links {
            let link = world.folder.join(name);
            std::os::unix::fs::symlink(program, link).expect("a link in the folder");
        }
        fs::write(world.folder.join("circus.ini"), ini).expect("a file for the test");
        if let Target::Circus(program) = target {
            world = world.with_program(program);
        }
        // What the recorder's environment was.
        let environment = [
            "env",
            "-i",
            "PATH=/opt/circus-venv/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME=/tmp/example",
            "LANG=C.UTF-8",
            "PYTHONUNBUFFERED=1",
        ];
        let running = world.through(&environment).words(&["circus.ini"]).start();
        let subscriber = Subscriber::start(&places.pubsub);
        let clients = Clients::new(&places.endpoint);
        let mut steps = record::parts(plan.name, &|line| places.apply(line)).swap_remove(number);
        substitute(plan, &mut steps);
        if matches!(target, Target::Here) {
            ask_others(plan, &mut steps);
        }
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let closeness = Closeness {
            repeating: names(plan.repeating),
            with_children: names(plan.with_children),
            mixed: BTreeSet::new(),
        };
        let mut replay = Replay {
            plan,
            target,
            outcome,
            running,
            places,
            clients,
            subscriber,
            steps,
            timeline: Vec::new(),
            closeness,
            pids: Pids::default(),
            given_up: BTreeSet::new(),
            asked_to_end: false,
            is_patient: false,
            patience: DEADLINE,
        };
        for same in SAME.iter().filter(|same| same.recording == plan.name) {
            let is_there = record::read(&format!("{}.jsonl", plan.name)).contains(same.later);
            let name = format!("{} {}", same.recording, same.later);
            replay.outcome.occurred.extend(is_there.then_some(name));
        }
        replay.timeline = replay.expected_publications();
        replay.synchronize();
        replay
    }

    pub fn is_here(&self) -> bool {
        matches!(self.target, Target::Here)
    }

    pub fn run(&mut self) {
        for number in 0..self.steps.len() {
            match self.steps[number].clone() {
                Step::Publication(_) => {}
                Step::Note(text) => {
                    self.note(number, &text);
                }
                Step::Exchange(exchange) => {
                    self.exchange(number, &exchange);
                    for (when, who, deed) in self.plan.deeds {
                        let is_now = match when {
                            When::After(label) => *label == exchange.label,
                            When::AfterNoted(note) => *note == exchange.note,
                            When::Note(_) => false,
                        };
                        if is_now {
                            self.deed(number, *who, *deed);
                        }
                    }
                }
            }
        }
    }

    pub fn note(&mut self, number: usize, text: &str) {
        if let Some(ini) = text.strip_prefix("ini now: ") {
            self.wait_for_publications(number);
            let ini = (self.plan.edit)(ini);
            fs::write(self.running.folder().join("circus.ini"), ini).expect("a file for the test");
        }
        for (when, who, deed) in self.plan.deeds {
            let is_now = match when {
                When::Note(note) => match note.strip_suffix('*') {
                    Some(start) => text.starts_with(start),
                    None => *note == text,
                },
                When::After(_) | When::AfterNoted(_) => false,
            };
            if is_now {
                self.deed(number, *who, *deed);
            }
        }
    }

    /// The first watcher of the configuration.
    pub fn watcher(&self) -> String {
        let ini = record::read(&format!("{}.ini", self.plan.name));
        let ini = self.places.configuration(self.plan, &ini);
        let header =
            |line: &str| line.strip_prefix("[watcher:")?.strip_suffix(']').map(str::to_owned);
        ini.lines().find_map(header).expect("a watcher")
    }

    pub fn exchange(&mut self, number: usize, exchange: &Exchange) {
        let expected = self.expected(exchange);
        if let Expected::Skip(why) = &expected {
            self.outcome.skip(why);
            return;
        }
        self.wait_for_publications(number);
        if exchange.pause > PATIENT_FROM {
            self.wait_for_idleness();
        }
        self.pair_spawned(number);
        let place = format!("{} {}", exchange.label, self.sent(exchange));
        match expected {
            Expected::Skip(_) => {}
            Expected::Datagram(text) => self.datagram(exchange, &place, &text),
            Expected::Silence(seconds) => self.silence(exchange, &place, seconds),
            Expected::Reply { reply, by } => {
                // A stop that is waited for must come to its end.
                if self.sent(exchange).contains("\"waiting\": true") {
                    self.release(true);
                }
                self.reply(exchange, &place, &reply, &by);
                self.afterwards(exchange);
            }
        }
    }

    /// Make all as it was in Circus after this request.
    pub fn afterwards(&mut self, exchange: &Exchange) {
        let row = differences::find(self.plan.name, &exchange.label);
        let row = row.filter(|row| self.is_here() && !row.then.is_empty());
        let Some(row) = row else { return };
        let reply = self.clients.ask("main", row.then.as_bytes());
        if !reply.as_ref().is_ok_and(|reply| reply.contains("\"ok\"")) {
            self.outcome.problem(format!("{}, then {}: {reply:?}", exchange.label, row.then));
        }
    }

    /// The request as it is written now.
    pub fn sent(&self, exchange: &Exchange) -> String {
        match &exchange.request {
            Sent::Json(request) => {
                let mut request = request.clone();
                self.pids.translate_request(&mut request);
                request.to_string()
            }
            Sent::Bytes(bytes) | Sent::Datagram(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            Sent::Parts => "three frames".to_owned(),
        }
    }

    pub fn reply(&mut self, exchange: &Exchange, place: &str, expected: &Json, by: &[String]) {
        // The recorder paused to let something happen, and then looked.
        self.is_patient |= exchange.pause > PATIENT_FROM;
        self.is_patient &= only_reads(exchange);
        let end = Instant::now() + self.patience;
        let result = loop {
            let result = self.one_reply(exchange, expected);
            // Circus refuses what comes too early; the recorder had waited.
            let is_early = !self.is_here()
                && result.as_ref().is_err_and(|text| text.contains("arbiter is already running"));
            let is_patient = self.is_patient && only_reads(exchange) || is_early;
            if result.is_ok() || !is_patient || Instant::now() > end {
                break result;
            }
            thread::sleep(PAUSE);
        };
        match result {
            Ok(reply) if by.is_empty() => {
                drop(reply);
                self.outcome.equal += 1;
            }
            Ok(reply) => {
                self.outcome.different += 1;
                self.outcome.occurred.extend(by.iter().cloned());
                let Some(Heard::Reply(then)) = &exchange.reply else { return };
                let row = differences::find(self.plan.name, &exchange.label);
                let is_restored = row.is_some_and(|row| !row.then.is_empty());
                if !is_restored && compare(then, &reply, &mut self.pids.clone()).is_ok() {
                    let text = format!("{place}: no difference any more ({})", by.join(", "));
                    self.outcome.problem(text);
                }
            }
            Err(problem) => {
                self.outcome.problem(format!("{place}\n    {problem}"));
                self.patience = SHORT;
            }
        }
    }

    /// Ask, and compare the reply.
    pub fn one_reply(&mut self, exchange: &Exchange, expected: &Json) -> Result<Json, String> {
        let text = self.clients.exchange(exchange, &self.pids)?;
        let mut reply = Json::parse(&text).map_err(|error| format!("{text}: {error}"))?;
        if reply.to_string() != text {
            return Err(format!("{text}: Python's json.dumps would write {reply}"));
        }
        let is_silent = reply.get("reason").text().is_some_and(|reason| reason.trim().is_empty());
        if is_silent {
            return Err(format!("{text}: no reason"));
        }
        let mut expected = expected.clone();
        if self.plan.unordered {
            sort_statuses(&mut expected);
            sort_statuses(&mut reply);
        }
        if !self.plan.passing.is_empty() {
            leave_out_passing(&mut expected, &mut reply, self.plan.passing);
        }
        let compared = compare(&expected, &reply, &mut self.pids);
        compared
            .map_err(|error| format!("{error}\n    is       {text}\n    expected {expected}"))?;
        Ok(reply)
    }

    pub fn silence(&mut self, exchange: &Exchange, place: &str, seconds: f64) {
        // Circus may answer later. We never do: what is asked next is answered next.
        let wait = if self.is_here() { None } else { Some(seconds.min(0.6)) };
        match self.clients.silence(exchange, &self.pids, wait) {
            Ok(()) => self.outcome.equal += 1,
            Err(problem) => self.outcome.problem(format!("{place}\n    {problem}")),
        }
    }

    pub fn datagram(&mut self, exchange: &Exchange, place: &str, expected: &str) {
        let Sent::Datagram(bytes) = &exchange.request else { return };
        match self.places.ask_discovery(bytes) {
            Ok(reply) if reply == *expected => self.outcome.equal += 1,
            other => self.outcome.problem(format!("{place}: {other:?} in place of {expected}")),
        }
    }

    /// All was said: see circusd end, and compare what it published.
    pub fn finish(mut self) {
        self.release(true);
        let quits = |step: &Step| match step {
            Step::Exchange(exchange) => match &exchange.request {
                Sent::Json(request) => request.get("command").text() == Some("quit"),
                Sent::Bytes(_) | Sent::Parts | Sent::Datagram(_) => false,
            },
            Step::Publication(_) | Step::Note(_) => false,
        };
        if !self.asked_to_end && !self.steps.iter().any(quits) {
            self.running.send("TERM");
        }
        let code = self.running.exit_code();
        if code != 0 {
            self.outcome.problem(format!("circusd ended with exit code {code}"));
        }
        let heard = self.subscriber.finish();
        for problem in heard.problems {
            self.outcome.problem(problem);
        }
        self.compare_publications(&heard.publications);
        if !self.outcome.problems.is_empty() && std::env::var_os("CONVERSATIONS_LOG").is_some() {
            println!(
                "--- log of {}:\n{}{}",
                self.plan.name,
                self.running.log(),
                self.running.file("err")
            );
        }
    }

    pub fn compare_publications(&mut self, now: &[Publication]) {
        let is_deaf = self.steps.iter().any(|step| {
            matches!(step, Step::Exchange(exchange) if exchange.label == self.plan.deaf_after)
        });
        let loss = match (self.is_here(), is_deaf) {
            (true, _) => Loss::InRecord,
            (false, false) => Loss::InBoth,
            (false, true) => Loss::All,
        };
        let then_by_watcher = publications::by_watcher(&self.timeline);
        let now_by_watcher = publications::by_watcher(now);
        let watchers: BTreeSet<&String> =
            then_by_watcher.keys().chain(now_by_watcher.keys()).collect();
        for watcher in watchers {
            let of = |all: &publications::ByWatcher| all.get(watcher).cloned().unwrap_or_default();
            let (then, now) = (of(&then_by_watcher), of(&now_by_watcher));
            self.outcome.publications += then.len();
            let lists = (publications::words(&then), publications::words(&now));
            let compared =
                publications::compare_watcher(then, now, &self.closeness, loss, &mut self.pids);
            if let Err(problem) = compared {
                self.outcome.problem(format!(
                    "publications of {watcher}: {problem}\n    are      {}\n    expected {}",
                    lists.1, lists.0
                ));
            }
        }
        let starts = |all: &[Publication]| {
            let all = all.iter().filter(|one| one.action == "start");
            all.map(|one| one.watcher.clone()).collect::<Vec<_>>()
        };
        let (then, now) = (starts(&self.timeline), starts(now));
        // Here a watcher starts when its turn comes, not when the one before it has started.
        if then != now && (self.plan.starts_slowly || loss == Loss::InBoth) {
            self.outcome.problem(format!("started in the order {now:?} in place of {then:?}"));
        }
    }
}

/// The request changes nothing.
fn only_reads(exchange: &Exchange) -> bool {
    let Sent::Json(request) = &exchange.request else { return false };
    let command = request.get("command").text().unwrap_or_default();
    [
        "list",
        "status",
        "numprocesses",
        "numwatchers",
        "options",
        "get",
        "globaloptions",
        "stats",
        "dstats",
        "listsockets",
    ]
    .contains(&command)
}

/// States of watchers, by name.
fn sort_statuses(reply: &mut Json) {
    if let Some(Json::Object(members)) = reply.find_mut("statuses") {
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
}

/// The same replies without the children that come and go: known ones of then, any one of now.
fn leave_out_passing(then: &mut Json, now: &mut Json, passing: &[i64]) {
    match (then, now) {
        (Json::List(then), Json::List(now)) => {
            let is_passing =
                |child: &Json| child.get("pid").integer().is_some_and(|pid| passing.contains(&pid));
            then.retain(|child| !is_passing(child));
            let are_children = now.iter().all(|child| child.find("children").is_some());
            if are_children && now.len() == then.len() + 1 {
                now.pop();
            }
        }
        (Json::Object(then), Json::Object(now)) => {
            for ((_, then), (_, now)) in then.iter_mut().zip(now) {
                leave_out_passing(then, now, passing);
            }
        }
        _ => {}
    }
}
