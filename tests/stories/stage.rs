//! Tells the core what happens, and writes down what it wants done, a short word each.

use circus::commands::{Answer, ChangeKind, Command, WatcherDetail};
use circus::config::settings::{Config, LogLevel, Variable, WatcherSettings};
use circus::config::{self, Source};
use circus::moment::Moment;
use circus::notification::Notification;
use circus::process::{Ending, Failure, Pid, Step, Tag};
use circus::signal::Signal;
use circus::supervisor::{
    Action, Asker, Configuration, Errand, Event, HookAnswer, Mode, Names, Question, Report, SlotId,
    Supervisor, Ticket,
};
use std::collections::BTreeMap;
use std::rc::Rc;

pub struct Stage {
    core: Supervisor,
    names: Vec<String>,
    now: u64,
    next_pid: i32,
    asked: Vec<(SlotId, Tag)>,
    pids: BTreeMap<i32, (SlotId, Tag)>,
    tickets: u64,
    /// Answers so far, not yet looked at.
    answers: Vec<(u64, Answer)>,
    published: Vec<String>,
    told: Vec<String>,
    /// The same, with how urgent it is.
    levels: Vec<(LogLevel, String)>,
    /// Probes that have not come back.
    probes: Vec<Errand>,
    /// Hooks that have not.
    hooks: Vec<Errand>,
    /// Probes that were abandoned and have not ended; they do so at once, unless they hang.
    leaving: Vec<Errand>,
    pub probes_hang: bool,
}

struct Words<'a>(&'a [String]);

impl Names for Words<'_> {
    fn watcher(&self, watcher: u32) -> &str {
        &self.0[watcher as usize]
    }
    fn has_many(&self, _: u32) -> bool {
        false
    }
    fn error(&self, errno: i32) -> String {
        format!("error {errno}")
    }
    fn object(&self, _: SlotId, _: Failure) -> String {
        "execute x".to_string()
    }
}

struct Text<'a>(&'a str);

impl Source for Text<'_> {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.as_bytes().to_vec())
    }
    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn current_dir(&self) -> String {
        "/".to_string()
    }
}

/// A configuration.
pub fn load(ini: &str) -> Config {
    let environment: [Variable; 0] = [];
    let config = config::load("story.ini", &environment, &Text(ini));
    config.expect("a valid configuration")
}

impl Stage {
    /// With this configuration.
    pub fn new(ini: &str) -> Stage {
        Self::in_mode(ini, Mode::Watchers)
    }

    /// With a main command beside the configuration, or alone.
    pub fn in_mode(ini: &str, mode: Mode) -> Stage {
        let Config { circus, mut watchers, sockets, .. } = load(ini);
        if mode != Mode::Watchers {
            watchers.push(config::main_command(&["x"]).into());
        }
        let names = watchers.iter().map(|watcher| watcher.name.to_string()).collect();
        let mut core = Supervisor::new(circus, watchers, mode, 1, 1);
        core.set_sockets(sockets);
        Stage {
            core,
            names,
            now: 0,
            next_pid: 10,
            asked: Vec::new(),
            pids: BTreeMap::new(),
            tickets: 0,
            answers: Vec::new(),
            published: Vec::new(),
            told: Vec::new(),
            levels: Vec::new(),
            probes: Vec::new(),
            hooks: Vec::new(),
            leaving: Vec::new(),
            probes_hang: false,
        }
    }

    pub fn tell(&mut self, event: Event) -> Vec<String> {
        let mut actions = Vec::new();
        self.core.handle(event, Moment::from_ms(self.now), &mut actions);
        let mut words: Vec<String> =
            actions.into_iter().filter_map(|action| self.word(action)).collect();
        if !self.probes_hang {
            words.extend(self.probes_are_gone());
        }
        words
    }

    /// Those that were abandoned have ended.
    pub fn probes_are_gone(&mut self) -> Vec<String> {
        let gone = std::mem::take(&mut self.leaving);
        gone.into_iter().flat_map(|errand| self.tell(Event::Gone { errand })).collect()
    }

    fn word(&mut self, action: Action) -> Option<String> {
        Some(match action {
            Action::Spawn { slot, tag } => {
                self.asked.push((slot, tag));
                format!("spawn {}.{}", self.names[slot.watcher as usize], slot.wid())
            }
            Action::Signal { pid, signal } => format!("{signal} {pid}"),
            Action::SignalChildren { pid, signal } => format!("{signal} children of {pid}"),
            Action::Survey => "survey".to_string(),
            Action::ReopenLogs => "reopen logs".to_string(),
            Action::Attend { watcher } => format!("attend {}", self.names[watcher as usize]),
            Action::LookForConnections { watcher } => {
                format!("look for connections of {}", self.names[watcher as usize])
            }
            Action::Exit { code } => format!("exit {code}"),
            Action::SignalChild { child, signal, .. } => format!("{signal} child {child}"),
            Action::SignalDescendants { pid, signal } => format!("{signal} descendants of {pid}"),
            Action::Publish { watcher, publication, .. } => {
                let name = &self.names[watcher as usize];
                self.published.push(format!("{name} {}", publication.action()));
                return None;
            }
            Action::Probe { slot, errand, question, .. } => {
                self.probes.push(errand);
                let question = if question == Question::Ready { "ready" } else { "alive" };
                format!("is {}.{} {question}?", self.names[slot.watcher as usize], slot.wid())
            }
            Action::Hook { watcher, slot, errand, name, facts } => {
                self.hooks.push(errand);
                let wid = slot.map(|slot| format!(".{}", slot.wid())).unwrap_or_default();
                let pid = facts.pid.map(|pid| format!(" {pid}")).unwrap_or_default();
                format!("{} of {}{wid}{pid}?", name.name(), self.names[watcher as usize])
            }
            Action::Abandon { errand } => {
                if self.probes.contains(&errand) {
                    self.leaving.push(errand);
                }
                self.probes.retain(|other| *other != errand);
                self.hooks.retain(|other| *other != errand);
                "abandon".to_string()
            }
            Action::Answer { ticket, answer } => {
                self.answers.push((ticket.0, answer));
                return None;
            }
            Action::Extras { ticket, said } => {
                let said: Vec<String> =
                    said.iter().map(|(pid, it)| format!("{pid}={it}")).collect();
                format!("{} is told {}", ticket.0, said.join(" "))
            }
            Action::Report(report) => {
                let sentence = self.sentence(&report);
                self.levels.push((report.level(), sentence.clone()));
                self.told.push(sentence);
                return None;
            }
        })
    }

    pub fn begin(&mut self) -> Vec<String> {
        self.tell(Event::Begin)
    }

    /// The oldest probe that is out comes back.
    pub fn probe_returns(&mut self, outcome: Result<(), &str>) -> Vec<String> {
        let errand = self.probes.remove(0);
        self.tell(Event::Returned { errand, outcome: outcome.map_err(Rc::from) })
    }

    /// The oldest probe that was asked for cannot be sent.
    pub fn probe_is_not_sent(&mut self) -> Vec<String> {
        let errand = self.probes.remove(0);
        self.tell(Event::Unsent { errand, reason: "no room".into() })
    }

    /// The oldest hook that runs comes back.
    pub fn hook_says(&mut self, answer: HookAnswer) -> Vec<String> {
        let errand = self.hooks.remove(0);
        self.tell(Event::HookReturned { errand, answer })
    }

    /// It says yes.
    pub fn hook_agrees(&mut self) -> Vec<String> {
        self.hook_says(HookAnswer::Yes)
    }

    /// It says no.
    pub fn hook_refuses(&mut self) -> Vec<String> {
        self.hook_says(HookAnswer::No("no".into()))
    }

    /// A process has ended, and its successor goes on.
    pub fn succeeds(&mut self, pid: i32, by: i32) -> Vec<String> {
        let pid = Pid::new(pid).expect("positive");
        assert!(self.core.may_be_succeeded(pid));
        if let Some(place) = self.pids.remove(&pid.number()) {
            self.pids.insert(by, place);
        }
        self.tell(Event::Succeeded { pid, by: Pid::new(by).expect("positive") })
    }

    /// A process tells something about itself.
    pub fn says(&mut self, pid: i32, message: &str) -> Vec<String> {
        let pid = Pid::new(pid).expect("positive");
        self.tell(Event::Notified { pid, said: Notification::parse(message.as_bytes()) })
    }

    /// All processes asked for come to be and execute their programs: numbers from 10 on.
    pub fn all_start(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while !self.asked.is_empty() {
            let pid = self.one_is_made(&mut words);
            words.extend(self.tell(Event::Executed { pid }));
        }
        words
    }

    /// The first process asked for comes to be, but is not its program yet.
    pub fn one_is_made(&mut self, words: &mut Vec<String>) -> Pid {
        let (slot, tag) = self.asked.remove(0);
        let pid = Pid::new(self.next_pid).expect("positive");
        self.pids.insert(self.next_pid, (slot, tag));
        self.next_pid += 1;
        words.extend(self.tell(Event::Spawned { slot, pid, tag }));
        pid
    }

    /// The first process asked for cannot be made.
    pub fn fork_fails(&mut self) -> Vec<String> {
        let (slot, _) = self.asked.remove(0);
        self.tell(Event::SpawnFailed { slot, errno: 11 })
    }

    /// The first process asked for cannot execute its program.
    pub fn exec_fails(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        let pid = self.one_is_made(&mut words);
        let failure = Failure { step: Step::Execute, errno: 2 };
        words.extend(self.ends(pid.number(), Ending::NotExecuted(failure)));
        words
    }

    /// It ends; if the core asks what is left behind: nothing is.
    pub fn ends(&mut self, pid: i32, ending: Ending) -> Vec<String> {
        let mut words = self.is_reaped(pid, ending);
        while let Some(at) = words.iter().position(|word| word == "survey") {
            words.remove(at);
            words.extend(self.is_left_behind(&[]));
        }
        words
    }

    pub fn exits(&mut self, pid: i32, code: u8) -> Vec<String> {
        self.ends(pid, Ending::Exited(code))
    }

    pub fn is_killed(&mut self, pid: i32, signal: Signal) -> Vec<String> {
        self.ends(pid, Ending::Killed(signal))
    }

    pub fn is_reaped(&mut self, pid: i32, ending: Ending) -> Vec<String> {
        let pid = Pid::new(pid).expect("positive");
        self.tell(Event::Ended { pid, ending, memory_short: false, said: None })
    }

    /// The answer to a survey: processes, each with the number of the process it descends from.
    pub fn is_left_behind(&mut self, left: &[(i32, i32)]) -> Vec<String> {
        let adopted = left
            .iter()
            .map(|(pid, of)| (Pid::new(*pid).expect("positive"), Some(self.pids[of].1)))
            .collect();
        self.tell(Event::Survey { adopted })
    }

    /// A client asks for something and waits until it is done. Its number is the next one, from 1.
    pub fn client(&mut self, command: Command) -> Vec<String> {
        let asker = self.asker(true);
        self.tell(Event::Command { asker, command })
    }

    /// The next client.
    pub fn asker(&mut self, waiting: bool) -> Asker {
        self.tickets += 1;
        Asker { ticket: Some(Ticket(self.tickets)), waiting }
    }

    fn sentence(&self, report: &Report) -> String {
        report.text(&Words(&self.names))
    }

    /// What people were told since the last look.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// What the log shows where nothing is set, since the beginning.
    pub fn log(&self) -> Vec<&str> {
        let shown = self.levels.iter().filter(|(level, _)| *level != LogLevel::Debug);
        shown.map(|(_, sentence)| sentence.as_str()).collect()
    }

    /// How a watcher looks to `circusctl status`: its status, a word more, and whether it is healthy.
    pub fn looks(&self, name: &str) -> (&'static str, String, bool) {
        let detail = self.detail(name);
        (detail.status.name(), detail.note.to_string(), detail.healthy)
    }

    /// It does not become healthy by itself.
    pub fn is_hopeless(&self, name: &str) -> bool {
        self.detail(name).hopeless
    }

    /// Everything does what it is for.
    pub fn is_all_well(&mut self) -> bool {
        self.core.is_all_well()
    }

    fn detail(&self, name: &str) -> WatcherDetail {
        let command = Command::Status { name: Some(name.into()), detail: true };
        let now = Moment::from_ms(self.now);
        let Some(Answer::Details(mut details)) = self.core.read(&command, now, &Words(&self.names))
        else {
            panic!("there is no watcher {name}");
        };
        details.remove(0)
    }

    /// Everything that the core remembers, as text: to see that it does not grow.
    pub fn memory(&self) -> usize {
        format!("{:?}", self.core).len()
    }

    /// The watchers that start when somebody comes.
    pub fn waiting(&self) -> Vec<&str> {
        let waiting = self.core.waits_for_demand(Moment::from_ms(self.now));
        waiting.map(|w| &*self.names[w as usize]).collect()
    }

    /// What reading a configuration again would change.
    pub fn changes(&self, config: &Config) -> Vec<(String, ChangeKind)> {
        let changes = self.core.changes(&configuration(config)).into_iter();
        changes.map(|change| (change.name.to_string(), change.kind)).collect()
    }

    /// A watcher was added: its name, for the words.
    pub fn name_next(&mut self, name: &str) {
        self.names.push(name.to_string());
    }

    /// The settings of a watcher.
    pub fn settings(&self, watcher: u32) -> WatcherSettings {
        (**self.core.settings(watcher)).clone()
    }

    /// What was answered since the last look: the client's number and the answer.
    pub fn answers(&mut self) -> Vec<(u64, Answer)> {
        std::mem::take(&mut self.answers)
    }

    /// What was published since the last look.
    pub fn published(&mut self) -> Vec<String> {
        std::mem::take(&mut self.published)
    }

    pub fn signal(&mut self, signal: Signal) -> Vec<String> {
        self.tell(Event::Signalled { signal })
    }

    /// Time passes.
    pub fn after_ms(&mut self, ms: u64) -> Vec<String> {
        self.now += ms;
        self.tell(Event::Tick)
    }

    /// How long until the core wants to be woken.
    pub fn wakes_after_ms(&self) -> Option<u64> {
        self.core.next_deadline().map(|at| at.as_ms() - self.now)
    }
}

/// What the core is told of a configuration that was read again.
pub fn configuration(config: &Config) -> Configuration {
    let Config { circus, watchers, sockets, .. } = config;
    let (circus, watchers, sockets) = (circus.clone(), watchers.clone(), sockets.clone());
    Configuration { circus, watchers, sockets }
}
