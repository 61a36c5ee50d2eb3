//! Requests carried out as circusd does it, by the core in a make-believe kernel; and what is told of
//! it, as bytes.

use crate::files::{Files, MAIN, SECRET, environment};
use crate::kernel::Kernel;
use crate::limit::in_time;
use circus::commands::{
    self, Answer, Command, Errno, Properties, Publication, Refusal, Request, Selection,
};
use circus::config;
use circus::config::settings::Config;
use circus::process::Failure;
use circus::supervisor::{
    Action, Asker, Configuration, Event, Mode, Names, Next, Report, SlotId, Supervisor, Ticket,
};
use circus::wire::{REPLY_BYTES_MAX, ToGateway};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::rc::Rc;

/// More would only take time.
const PROCESSES_MAX: u32 = 12;
/// Time passes in steps, from deadline to deadline; of those there may be many.
const STEPS_MAX: usize = 400;
/// However much is going on, a `quit` is done after so many.
const LAST_STEPS_MAX: usize = 20_000;

/// circusd, with its clients.
pub struct Clients {
    pub core: Supervisor,
    pub kernel: Kernel,
    /// What the file says, one time and another.
    configurations: &'static [Config],
    read_again: usize,
    /// By ticket: the id of the request.
    waiting: BTreeMap<Ticket, Box<str>>,
    last_ticket: u64,
    steps: usize,
    /// An input that holds the secret itself shows nothing.
    knows_secret: bool,
}

impl Clients {
    pub fn new(configurations: &'static [Config], knows_secret: bool) -> Clients {
        let Configuration { circus, watchers, sockets } = copy(&configurations[0]);
        let mut core = Supervisor::new(circus, watchers, Mode::Watchers, 7, 7);
        core.set_sockets(sockets);
        let mut clients = Clients {
            core,
            kernel: Kernel::new(),
            configurations,
            read_again: 0,
            waiting: BTreeMap::new(),
            last_ticket: 0,
            steps: 0,
            knows_secret,
        };
        clients.tell(Event::Begin);
        clients
    }

    /// Somebody comes to the sockets of all watchers that wait for that.
    pub fn demand(&mut self) {
        let all: Vec<u32> = self.core.waits_for_demand(self.kernel.now).collect();
        for watcher in all {
            self.tell(Event::Demanded { watcher });
        }
    }

    /// A request, from its bytes to what it is answered or what the core makes of it.
    pub fn request(&mut self, body: &[u8]) {
        let Request { id, cast, waiting, command } = match in_time("parse", || commands::parse(body)) {
            Ok(request) => request,
            Err(rejected) => {
                self.reply(&rejected.id, &Answer::Refused(rejected.refusal));
                return;
            }
        };
        let reads = command.only_reads();
        match self.carry_out(command, cast, waiting, &id) {
            Ok(answer) => self.reply(&id, &answer),
            Err(_) if self.kernel.exit.is_some() => {}
            Err(event) => {
                assert!(!reads, "what only reads is answered at once");
                in_time("a command", || self.tell(event));
            }
        }
    }

    fn carry_out(
        &mut self,
        command: Command,
        cast: bool,
        waiting: bool,
        id: &str,
    ) -> Result<Answer, Event> {
        let names = Lookup(&self.core);
        if let Some(answer) = self.core.read(&command, self.kernel.now, &names) {
            assert!(command.only_reads());
            return Ok(answer);
        }
        if let Some(answer) = self.own_answer(&command) {
            return Ok(answer.unwrap_or_else(Answer::Refused));
        }
        match self.prepared(command) {
            Ok(prepared) => Err(prepared(self.asker(cast, waiting, id))),
            Err(refusal) => Ok(Answer::Refused(refusal)),
        }
    }

    fn prepared(&mut self, command: Command) -> Result<Box<dyn FnOnce(Asker) -> Event>, Refusal> {
        let source = Files::new(&[]);
        Ok(match command {
            Command::Set { name, options } => return self.set(&name, &options),
            Command::Add { name, cmd, args, options, start } => {
                let mut settings = config::added(&name, &cmd, args.as_ref(), &options, &source, &self.core)
                    .map_err(refusal)?;
                settings.numprocesses = settings.numprocesses.min(PROCESSES_MAX);
                let settings = Rc::new(settings);
                Box::new(move |asker| Event::Add { asker, settings, start })
            }
            Command::ReloadConfig { .. } => self.configure(false),
            Command::Restart(Selection::All) => self.configure(true),
            // What is far beyond the limit is refused, what is below it is made small.
            Command::Incr { name, nb } if nb < 10_000 => {
                let nb = nb % 4;
                Box::new(move |asker| Event::Command { asker, command: Command::Incr { name, nb } })
            }
            command => Box::new(move |asker| Event::Command { asker, command }),
        })
    }

    fn set(
        &self,
        name: &str,
        options: &Properties,
    ) -> Result<Box<dyn FnOnce(Asker) -> Event>, Refusal> {
        let watcher = self.core.find(name)?;
        let old = self.core.settings(watcher);
        let (mut settings, options) =
            config::changed(old, options, &Files::new(&[]), &self.core).map_err(refusal)?;
        settings.numprocesses = settings.numprocesses.min(PROCESSES_MAX);
        let change = config::strongest(&config::differences(old, &settings));
        let settings = Rc::new(settings);
        Ok(Box::new(move |asker| Event::Change { asker, watcher, settings, options, change }))
    }

    fn configure(&mut self, restart: bool) -> Box<dyn FnOnce(Asker) -> Event> {
        self.read_again += 1;
        let configuration = Box::new(copy(self.next_configuration()));
        Box::new(move |asker| Event::Configure { asker, configuration, restart })
    }

    fn next_configuration(&self) -> &'static Config {
        &self.configurations[self.read_again % self.configurations.len()]
    }

    fn asker(&mut self, cast: bool, waiting: bool, id: &str) -> Asker {
        if cast {
            return Asker { ticket: None, waiting };
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.waiting.insert(ticket, id.into());
        if self.kernel.exit.is_none() {
            self.kernel.owed.insert(ticket);
        }
        Asker { ticket: Some(ticket), waiting }
    }

    /// Commands that the core knows nothing of, as far as they do not ask the real kernel.
    fn own_answer(&self, command: &Command) -> Option<Result<Answer, Refusal>> {
        let shown = |name: &str| {
            let w = self.core.find(name)?;
            Ok(config::shown_options(self.core.settings(w), "/srv"))
        };
        Some(match command {
            Command::Options { name } => shown(name).map(Answer::Options),
            Command::Get { name, keys } => shown(name).and_then(|all| {
                let value = |key: &Box<str>| {
                    let found = all.iter().find(|(name, _)| name == key);
                    found.cloned().ok_or_else(|| Refusal::no_option(key))
                };
                keys.iter().map(value).collect::<Result<_, _>>().map(Answer::Options)
            }),
            Command::GlobalOptions { option } => {
                let mut all = config::shown_circus(self.core.circus(), "control", "pubsub");
                all.retain(|(name, _)| option.as_ref().is_none_or(|option| option == name));
                match (all.is_empty(), option) {
                    (true, Some(option)) => Err(Refusal::no_global_option(option)),
                    (_, _) => Ok(Answer::Options(all)),
                }
            }
            Command::ListSockets { .. } => Ok(Answer::Sockets(Vec::new())),
            Command::Dstats | Command::Stats { name: None, .. } => {
                Ok(Answer::Members(vec![("infos", "{}".into())]))
            }
            Command::Stats { name: Some(name), process, .. } => {
                self.core.find(name).and_then(|w| match process {
                    None => Ok(Answer::Members(vec![("info", "{}".into())])),
                    Some(process) => {
                        let all = self.core.running(w);
                        let found = all.iter().any(|running| running.pid == process.pid);
                        let members = vec![("process", process.as_sent.clone())];
                        let refusal = || Refusal::no_process(process, name);
                        found.then_some(Answer::Members(members)).ok_or_else(refusal)
                    }
                })
            }
            Command::ReloadConfig { dry_run: true } => {
                let changes = self.core.changes(&copy(self.next_configuration()));
                Ok(Answer::Changes(changes))
            }
            _ => return None,
        })
    }

    /// Whatever an answer is, it is one JSON object with the id as it was sent.
    pub fn reply(&self, id: &str, answer: &Answer) {
        assert!(id.len() <= 1024 && serde_json::from_str::<&RawValue>(id).is_ok(), "{id}");
        if let Answer::Refused(refusal) = answer {
            assert!(refusal.reason.len() <= 4096, "a long reason: {}", refusal.reason);
        }
        let mut body = Vec::new();
        commands::write_reply(&mut body, id, 1_795_331_504.25, answer);
        let text = str::from_utf8(&body).expect("JSON is text");
        let end = format!("\"id\": {id}}}");
        assert!(text.ends_with(&end), "{text}");
        assert!(text[..text.len() - end.len()].is_ascii(), "{text}");
        assert!(serde_json::from_str::<&RawValue>(text).is_ok(), "{text}");
        assert!(self.knows_secret || !text.contains(SECRET), "a secret is told: {text}");
        if body.len() <= REPLY_BYTES_MAX {
            ToGateway::Reply { identity: b"", body: &body }.append_to(&mut Vec::new());
        }
    }

    /// One event, then all its actions.
    pub fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.core.handle(event, self.kernel.now, &mut actions);
        let deadline = self.core.next_deadline();
        let is_late = deadline.is_some_and(|at| at <= self.kernel.now);
        assert!(!is_late, "a deadline in the past would never let us sleep");
        for action in &actions {
            self.kernel.perform(action);
            match action {
                Action::Report(report) => self.report(report),
                Action::Publish { watcher, publication, .. } => {
                    self.publish(*watcher, publication);
                }
                Action::Answer { ticket, answer } => {
                    let id = self.waiting.remove(ticket).expect("it is owed");
                    self.reply(&id, answer);
                }
                _ => {}
            }
        }
    }

    fn report(&self, report: &Report) {
        let names = Lookup(&self.core);
        let text = report.text(&names);
        assert!(self.knows_secret || !text.contains(SECRET), "a secret is told: {text}");
        let Report::Died { slot, pid, next, .. } = report else { return };
        let what = match *next {
            Next::Start { delay_ms } => {
                Publication::Backoff { pid: Some(*pid), reason: text, delay_ms }
            }
            Next::GivenUp { .. } => Publication::GiveUp { reason: text },
            Next::Over => return,
        };
        self.publish(slot.watcher, &what);
    }

    fn publish(&self, watcher: u32, what: &Publication) {
        let (mut topic, mut body) = (Vec::new(), Vec::new());
        let name = Lookup(&self.core).watcher(watcher).to_owned();
        commands::publication(&mut topic, &mut body, &name, what, 1_795_331_504.25);
        assert!(serde_json::from_slice::<&RawValue>(&body).is_ok());
        ToGateway::Publication { topic: &topic, body: &body }.append_to(&mut Vec::new());
    }

    /// One thing that has happened is told. False if nothing has.
    pub fn happen(&mut self) -> bool {
        let core = &self.core;
        match self.kernel.next_event(|pid| core.is_leader(pid)) {
            Some(event) if self.kernel.exit.is_none() => self.tell(event),
            Some(_) | None => return false,
        }
        true
    }

    /// All that has happened is told.
    pub fn catch_up(&mut self) {
        while self.happen() {}
    }

    /// Time passes.
    pub fn pass(&mut self, ms: u64) {
        let until = self.kernel.now.after_ms(ms);
        while self.steps < STEPS_MAX && self.kernel.exit.is_none() {
            self.steps += 1;
            self.catch_up();
            match self.core.next_deadline().filter(|at| *at <= until) {
                Some(at) => self.kernel.now = at,
                None => break,
            }
            self.tell(Event::Tick);
        }
        self.kernel.now = self.kernel.now.max(until);
        if self.kernel.exit.is_none() {
            self.tell(Event::Tick);
        }
    }

    /// What clients may look at is looked at.
    pub fn look(&mut self) {
        for command in [
            Command::Status { name: None, detail: true },
            Command::Status { name: None, detail: false },
            Command::List { name: None },
            Command::Numprocesses { name: None },
            Command::Numwatchers,
        ] {
            let answer = self.core.read(&command, self.kernel.now, &Lookup(&self.core));
            self.reply("null", &answer.expect("the core knows all of it"));
        }
    }

    /// Whatever is going on, a `quit` ends it, and all who wait hear of it.
    pub fn quit(&mut self) {
        self.kernel.heal();
        self.request(br#"{"command": "quit", "properties": {"waiting": true}}"#);
        for _ in 0..LAST_STEPS_MAX {
            if self.happen() {
                continue;
            }
            if self.kernel.exit.is_some() {
                assert!(self.kernel.owed.is_empty(), "not answered: {:?}", self.kernel.owed);
                return;
            }
            let deadline = self.core.next_deadline();
            self.kernel.now = deadline.expect("there is something to wait for");
            self.tell(Event::Tick);
        }
        panic!("`quit` comes to no end");
    }
}

/// For the whole run.
pub fn load(texts: &[&str]) -> &'static [Config] {
    let load = |text: &&str| {
        let loaded = config::load(MAIN, &environment(), &Files::new(text.as_bytes()));
        loaded.unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
    };
    Vec::leak(texts.iter().map(load).collect())
}

fn copy(config: &Config) -> Configuration {
    Configuration {
        circus: config.circus.clone(),
        watchers: config.watchers.clone(),
        sockets: config.sockets.clone(),
    }
}

fn refusal(refused: config::Refused) -> Refusal {
    let errno = if refused.is_message { Errno::Message } else { Errno::Command };
    Refusal::new(errno, refused.reason)
}

/// What things are called.
struct Lookup<'a>(&'a Supervisor);

impl Names for Lookup<'_> {
    fn watcher(&self, watcher: u32) -> &str {
        &self.0.settings(watcher).name
    }

    fn has_many(&self, watcher: u32) -> bool {
        self.0.settings(watcher).numprocesses > 1
    }

    fn error(&self, errno: i32) -> String {
        format!("error {errno}")
    }

    fn object(&self, _: SlotId, failure: Failure) -> String {
        format!("do step {:?}", failure.step)
    }
}
