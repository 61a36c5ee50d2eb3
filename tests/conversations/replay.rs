//! Plays one recorded conversation again, and says what is not as it was.

use crate::classes::CLASSES;
use crate::clients::Clients;
use crate::compare::{ANY_PID, ANYTHING, Pids, compare};
use crate::differences::{Here, LATER, Later, MIXED, ROWS, Row, WINDOWS, is_conflict};
use crate::json::Json;
use crate::places::Places;
use crate::plans::{Deed, For, Plan, When};
use crate::process::Process;
use crate::publications::{self, Closeness, Loss};
use crate::record::{self, Exchange, Heard, Publication, Sent, Step};
use crate::subscriber::Subscriber;
use crate::world::{Running, World};
use crate::zmtp::DEADLINE;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks at a fact.
const PAUSE: Duration = Duration::from_millis(10);

/// When something has gone wrong already.
const SHORT: Duration = Duration::from_secs(1);

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
    /// Names of differences that occurred.
    pub occurred: BTreeSet<String>,
}

impl Outcome {
    fn problem(&mut self, text: String) {
        self.problems.push(format!("{}: {text}", self.name));
    }

    pub fn skip(&mut self, why: &str) {
        *self.skipped.entry(why.to_owned()).or_default() += 1;
    }
}

/// Play a recording.
pub fn play(plan: &Plan, target: &Target) -> Outcome {
    let mut outcome = Outcome { name: plan.name.to_owned(), ..Outcome::default() };
    let count = record::parts(plan.name, &str::to_owned).len();
    for number in 0..count {
        let mut replay = Replay::start(plan, target, number, &mut outcome);
        replay.run();
        replay.finish();
    }
    outcome
}

/// What is expected in reply to a request.
enum Expected {
    Skip(String),
    Silence(f64),
    Datagram(String),
    Reply {
        reply: Json,
        /// Differences that made this of the recorded reply.
        by: Vec<String>,
    },
}

struct Replay<'a> {
    plan: &'a Plan,
    target: &'a Target,
    outcome: &'a mut Outcome,
    running: Running,
    places: Places,
    clients: Clients,
    subscriber: Subscriber,
    steps: Vec<Step>,
    /// What will be published, as far as the record and the differences tell.
    timeline: Vec<Publication>,
    closeness: Closeness,
    pids: Pids,
    /// Watchers of which something did not come: nobody waits for them again.
    given_up: BTreeSet<String>,
    asked_to_end: bool,
    is_patient: bool,
    /// How long something is waited for.
    patience: Duration,
}

impl<'a> Replay<'a> {
    fn start(
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
        replay.timeline = replay.expected_publications();
        replay.synchronize();
        replay
    }

    fn is_here(&self) -> bool {
        matches!(self.target, Target::Here)
    }

    /// Wait until publications arrive, and forget those of the start.
    fn synchronize(&mut self) {
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
        while !self.plan.starts_slowly {
            let reply = self.clients.ask("main", br#"{"command": "status"}"#).expect("a reply");
            if !reply.contains("\"starting\"") || Instant::now() > end {
                break;
            }
            thread::sleep(PAUSE);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        self.subscriber.forget_before(now.as_secs_f64());
    }

    fn run(&mut self) {
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

    fn note(&mut self, number: usize, text: &str) {
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

    fn deed(&mut self, number: usize, who: For, deed: Deed) {
        let is_for_us = match who {
            For::Both => true,
            For::Here => self.is_here(),
            For::Circus => !self.is_here(),
        };
        if !is_for_us {
            return;
        }
        self.wait_for_publications(number);
        match deed {
            Deed::Signal(signal) => {
                if signal == "HUP" {
                    self.wait_for_idleness();
                }
                self.asked_to_end |= signal == "TERM";
                self.running.send(signal);
            }
            Deed::Kill(then) => {
                let inner = self.pids.now(then);
                let found = self.running.others().into_iter().find(|process| {
                    let inner_pid = process.status("NSpid");
                    inner_pid.split_whitespace().last().and_then(|pid| pid.parse().ok()) == inner
                });
                match found {
                    Some(process) => process.send("KILL"),
                    None => self.outcome.problem(format!("no process to kill that was {then}")),
                }
            }
            Deed::KillCommand(command) => {
                self.running.wait_for_child(command).send("KILL");
            }
            Deed::Ask(request) => {
                let reply = self.clients.ask("main", request.as_bytes());
                if !reply.as_ref().is_ok_and(|reply| reply.contains("\"ok\"")) {
                    self.outcome.problem(format!("{request}: {reply:?}"));
                }
            }
            Deed::AddSections(sections) => {
                let path = self.running.folder().join("circus.ini");
                let ini = fs::read_to_string(&path).expect("it is there");
                fs::write(&path, format!("{ini}\n{sections}")).expect("a file for the test");
            }
            Deed::SecondDaemon(words) => self.second_daemon(words),
        }
    }

    /// Circus refuses a request and forgets a signal that come while it is at work.
    fn wait_for_idleness(&mut self) {
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

    /// The first watcher of the configuration.
    fn watcher(&self) -> String {
        let ini = record::read(&format!("{}.ini", self.plan.name));
        let ini = self.places.configuration(self.plan, &ini);
        let header =
            |line: &str| line.strip_prefix("[watcher:")?.strip_suffix(']').map(str::to_owned);
        ini.lines().find_map(header).expect("a watcher")
    }

    /// Another circusd must not take over the endpoints of this one.
    fn second_daemon(&mut self, words: &str) {
        let ini =
            fs::read_to_string(self.running.folder().join("circus.ini")).expect("it is there");
        let mut second = World::pid_1(&ini).start();
        let code = second.exit_code();
        let said = format!("{}{}", second.log(), second.file("err"));
        if code == 0 || !said.contains(words) {
            self.outcome.problem(format!("a second circusd ended with {code} and said {said:?}"));
        }
    }

    fn exchange(&mut self, number: usize, exchange: &Exchange) {
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
    fn afterwards(&mut self, exchange: &Exchange) {
        let is_it = |row: &&Row| row.recording == self.plan.name && row.label == exchange.label;
        let row = ROWS.iter().find(is_it).filter(|row| self.is_here() && !row.then.is_empty());
        let Some(row) = row else { return };
        let reply = self.clients.ask("main", row.then.as_bytes());
        if !reply.as_ref().is_ok_and(|reply| reply.contains("\"ok\"")) {
            self.outcome.problem(format!("{}, then {}: {reply:?}", exchange.label, row.then));
        }
    }

    /// The request as it is written now.
    fn sent(&self, exchange: &Exchange) -> String {
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

    fn reply(&mut self, exchange: &Exchange, place: &str, expected: &Json, by: &[String]) {
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
                let is_restored = ROWS.iter().any(|row| {
                    !row.then.is_empty()
                        && row.recording == self.plan.name
                        && row.label == exchange.label
                });
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
    fn one_reply(&mut self, exchange: &Exchange, expected: &Json) -> Result<Json, String> {
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

    fn silence(&mut self, exchange: &Exchange, place: &str, seconds: f64) {
        // Circus may answer later. We never do: what is asked next is answered next.
        let wait = if self.is_here() { None } else { Some(seconds.min(0.6)) };
        match self.clients.silence(exchange, &self.pids, wait) {
            Ok(()) => self.outcome.equal += 1,
            Err(problem) => self.outcome.problem(format!("{place}\n    {problem}")),
        }
    }

    fn datagram(&mut self, exchange: &Exchange, place: &str, expected: &str) {
        let Sent::Datagram(bytes) = &exchange.request else { return };
        match self.places.ask_discovery(bytes) {
            Ok(reply) if reply == *expected => self.outcome.equal += 1,
            other => self.outcome.problem(format!("{place}: {other:?} in place of {expected}")),
        }
    }

    /// What is to come of a request.
    fn expected(&self, exchange: &Exchange) -> Expected {
        if let Some(why) = self.skipped(exchange) {
            return Expected::Skip(why.to_owned());
        }
        let heard = exchange.reply.clone();
        let row = ROWS.iter().find(|row| {
            self.is_here() && row.recording == self.plan.name && row.label == exchange.label
        });
        let conflict = matches!(&heard, Some(Heard::Reply(reply)) if is_conflict(reply));
        match (row, heard) {
            (Some(row), heard) => self.expected_by_row(row, exchange, heard),
            _ if conflict && self.is_here() => {
                Expected::Skip("a conflict in Circus: made in a conversation of its own".to_owned())
            }
            (None, Some(Heard::Reply(reply))) => self.expected_by_class(exchange, reply),
            (None, Some(Heard::Silence(seconds))) => Expected::Silence(seconds),
            (None, Some(Heard::Datagram(text))) => Expected::Datagram(text),
            (None, None) => Expected::Skip("no reply was recorded".to_owned()),
        }
    }

    fn expected_by_class(&self, exchange: &Exchange, mut reply: Json) -> Expected {
        let mut by = Vec::new();
        leave_out_absent(&mut reply, self.plan.absent);
        if self.is_here() {
            for class in &CLASSES {
                if (class.change)(exchange, &mut reply) {
                    by.push(class.name.to_owned());
                }
            }
        }
        Expected::Reply { reply, by }
    }

    fn expected_by_row(&self, row: &Row, exchange: &Exchange, heard: Option<Heard>) -> Expected {
        let name = format!("{} {}", row.recording, row.label);
        let any = |mut value: Json| {
            value.map_text(&|text| if text == "?" { ANYTHING.to_owned() } else { text.to_owned() });
            value
        };
        match row.here {
            Here::Ask(_) => match heard {
                Some(Heard::Reply(reply)) => self.expected_by_class(exchange, reply),
                other => panic!("{name}: {other:?}"),
            },
            Here::Unsent => Expected::Skip(format!("listed: {}", row.why)),
            Here::Reply(text) => {
                let reply = any(Json::parse(text).expect("a listed reply is JSON"));
                Expected::Reply { reply, by: vec![name] }
            }
            Here::Refused(errno, words) => {
                let id = match &exchange.request {
                    Sent::Json(request) => request.get("id").clone(),
                    Sent::Bytes(bytes) => {
                        let request = Json::parse(&String::from_utf8_lossy(bytes));
                        request.map_or(Json::Null, |request| request.get("id").clone())
                    }
                    Sent::Parts | Sent::Datagram(_) => Json::Null,
                };
                let members = [
                    ("status", Json::Text("error".to_owned())),
                    ("reason", Json::Text(format!("{ANYTHING}{words}"))),
                    ("tb", Json::Null),
                    ("time", Json::Number("0.5".to_owned())),
                    ("errno", Json::Number(errno.to_string())),
                    ("id", id),
                ];
                let members = members.map(|(name, value)| (name.to_owned(), value));
                Expected::Reply { reply: Json::Object(members.into()), by: vec![name] }
            }
            Here::With(changes) => {
                let Some(Heard::Reply(reply)) = heard else { panic!("{name}: no recorded reply") };
                let Expected::Reply { mut reply, mut by } = self.expected_by_class(exchange, reply)
                else {
                    unreachable!("it was a reply")
                };
                for (path, text) in changes {
                    let value = any(Json::parse(text).expect("a listed value is JSON"));
                    let (way, last) = path.rsplit_once('.').unwrap_or(("", path));
                    let mut object = &mut reply;
                    for name in way.split('.').filter(|name| !name.is_empty()) {
                        object = object.find_mut(name).expect("a listed path is there");
                    }
                    object.set(last, value);
                }
                by.push(name);
                Expected::Reply { reply, by }
            }
        }
    }

    /// Why a request is not made, if it is not.
    fn skipped(&self, exchange: &Exchange) -> Option<&'static str> {
        let labels: Vec<&str> = self
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Exchange(exchange) => Some(&*exchange.label),
                Step::Publication(_) | Step::Note(_) => None,
            })
            .collect();
        let place = |label: &str| labels.iter().position(|other| *other == label);
        let here = place(&exchange.label)?;
        let is_in = |first: &str, last: &str| {
            place(first).is_some_and(|first| first <= here)
                && place(last).is_some_and(|last| here <= last)
        };
        let found = self.plan.skipped.iter().find(|(first, last, _)| is_in(first, last));
        found.map(|(_, _, why)| *why)
    }

    /// What will be published from the first request on.
    fn expected_publications(&mut self) -> Vec<Publication> {
        let mut result: Vec<(Publication, Option<String>)> = Vec::new();
        let mut after: Option<String> = None;
        // Whose publications were those of a request that is not made.
        let mut skipped: Option<String> = None;
        let mut started_at = 0.0;
        for step in &self.steps {
            match step {
                Step::Note(_) => {}
                Step::Exchange(exchange) => {
                    if let (None, Some(Heard::Reply(reply))) = (&after, &exchange.reply) {
                        started_at = reply.get("time").float().unwrap_or(0.0) - exchange.took;
                    }
                    after = Some(exchange.label.clone());
                    skipped = self.skipped(exchange).and_then(|_| named(exchange));
                }
                Step::Publication(one) => {
                    let is_of_start = after.is_none() || one.time() < started_at;
                    let is_absent = self.plan.absent.contains(&&*one.watcher);
                    let is_skipped = skipped.as_ref() == Some(&one.watcher);
                    if !is_of_start && !is_skipped && !is_absent {
                        result.push((one.clone(), after.clone()));
                    }
                }
            }
        }
        if self.is_here() {
            return self.with_differences(result);
        }
        let end =
            result.iter().position(|(_, after)| after.as_deref() == Some(self.plan.deaf_after));
        result.truncate(end.unwrap_or(result.len()));
        result.into_iter().map(|(one, _)| one).collect()
    }

    fn with_differences(
        &mut self,
        mut result: Vec<(Publication, Option<String>)>,
    ) -> Vec<Publication> {
        let is_ours = |recording: &str| recording == self.plan.name;
        let windows = WINDOWS.iter().filter(|window| is_ours(window.recording));
        for window in windows {
            let is_in = |(one, after): &(Publication, Option<String>)| {
                one.watcher == window.watcher && after.as_deref() == Some(window.after)
            };
            let label_is_here = self.steps.iter().any(
                |step| matches!(step, Step::Exchange(exchange) if exchange.label == window.after),
            );
            if !label_is_here {
                continue;
            }
            let old: Vec<Publication> =
                result.iter().filter(|entry| is_in(entry)).map(|(one, _)| one.clone()).collect();
            let name = format!("{} {} {}", window.recording, window.after, window.watcher);
            if publications::words(&old) != window.circus {
                let words = publications::words(&old);
                self.outcome.problem(format!("listed for {name}, but Circus published {words}"));
                continue;
            }
            let at = self.steps.iter().position(
                |step| matches!(step, Step::Exchange(exchange) if exchange.label == window.after),
            );
            let end_of_window = || {
                let is_last = |(_, after): &(Publication, Option<String>)| {
                    after.as_deref() == Some(window.after)
                };
                let last = result.iter().rposition(is_last).map(|last| last + 1);
                last.unwrap_or_else(|| {
                    result.iter().take_while(|(one, _)| Some(one.at) < at).count()
                })
            };
            let place = result.iter().position(is_in).unwrap_or_else(end_of_window);
            result.retain(|entry| !is_in(entry));
            let mut unused = old.clone();
            for (number, word) in window.here.split_whitespace().enumerate() {
                let (action, pid) = word.split_once('=').unwrap_or((word, ""));
                let found = unused.iter().position(|one| pid.is_empty() && one.action == action);
                let mut one = match found {
                    Some(found) => unused.remove(found),
                    None => new_publication(window.watcher, action, at.unwrap_or(0)),
                };
                if !pid.is_empty() {
                    one.fields.set("process_pid", Json::Number(pid.to_owned()));
                }
                result.insert(place + number, (one, Some(window.after.to_owned())));
            }
            self.outcome.occurred.insert(name);
        }
        let mut result: Vec<Publication> = result.into_iter().map(|(one, _)| one).collect();
        for mixed in MIXED.iter().filter(|mixed| is_ours(mixed.recording)) {
            self.closeness.mixed.insert(mixed.watcher.to_owned());
            self.outcome.occurred.insert(format!("{} {} mixed", mixed.recording, mixed.watcher));
        }
        if publications::add_untold_deaths(&mut result, &self.closeness) {
            self.outcome.occurred.insert("untold deaths".to_owned());
        }
        result
    }

    /// Wait until all has come that had come when this was recorded.
    fn wait_for_publications(&mut self, before: usize) {
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

    /// Whether what was published before this step comes later here.
    fn is_later(&mut self, before: usize, needed: &publications::Counts) -> bool {
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
    fn wait_for_traps(&self) {
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
    fn release(&self, really: bool) {
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
    fn pair_spawned(&mut self, before: usize) {
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

    /// All was said: see circusd end, and compare what it published.
    fn finish(mut self) {
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

    fn compare_publications(&mut self, now: &[Publication]) {
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

/// A listed publication that was not recorded.
fn new_publication(watcher: &str, action: &str, at: usize) -> Publication {
    let mut members = vec![("time".to_owned(), Json::Number("0.5".to_owned()))];
    if matches!(action, "spawn" | "kill" | "reap") {
        members.insert(0, ("process_pid".to_owned(), Json::Number(ANY_PID.to_owned())));
    }
    if action == "reap" {
        members.push(("exit_code".to_owned(), Json::Text(ANYTHING.to_owned())));
    }
    let (watcher, action) = (watcher.to_owned(), action.to_owned());
    Publication { watcher, action, fields: Json::Object(members), at }
}

/// Put requests that do the same without what is not built yet in place of others.
fn substitute(plan: &Plan, steps: &mut [Step]) {
    for step in steps {
        let Step::Exchange(exchange) = step else { continue };
        let found = plan.substituted.iter().find(|(label, _)| *label == exchange.label);
        if let Some((_, request)) = found {
            exchange.request = Sent::Json(Json::parse(request).expect("JSON"));
        }
    }
}

/// Put requests that do here what the recorded ones did in Circus in their place.
fn ask_others(plan: &Plan, steps: &mut [Step]) {
    for step in steps {
        let Step::Exchange(exchange) = step else { continue };
        let is_it = |row: &&Row| row.recording == plan.name && row.label == exchange.label;
        if let Some(Row { here: Here::Ask(request), .. }) = ROWS.iter().find(is_it) {
            exchange.request = Sent::Json(Json::parse(request).expect("JSON"));
        }
    }
}

/// The watcher that a request is about, as topics have it.
fn named(exchange: &Exchange) -> Option<String> {
    let Sent::Json(request) = &exchange.request else { return None };
    let name = request.get("properties").get("name").text()?;
    Some(name.to_lowercase().replace(' ', "_"))
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

/// A reply as if these watchers had not been there.
fn leave_out_absent(reply: &mut Json, absent: &[&str]) {
    for name in absent {
        for member in ["statuses", "infos"] {
            if let Some(object) = reply.find_mut(member) {
                object.remove(name);
            }
        }
        if let Some(Json::List(names)) = reply.find_mut("watchers") {
            names.retain(|other| other.text() != Some(name));
        }
    }
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

/// A process of the daemon's namespace, by its pid in there.
pub fn by_inner_pid(running: &Running, pid: i64) -> Option<Process> {
    running.others().into_iter().find(|process| {
        process.status("NSpid").split_whitespace().last().and_then(|pid| pid.parse().ok())
            == Some(pid)
    })
}
