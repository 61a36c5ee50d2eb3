//! The control plane: what clients ask for is answered from what is known, or becomes an event for
//! the core; what has happened becomes publications.

mod output;
mod rereading;

pub use output::{Asked, lines};

use crate::endpoints::Opened;
use crate::figures::Figures;
use crate::files::Files;
use crate::gateway::{Gateway, Incoming};
use crate::held::Held;
use crate::sockets::Sockets;
use circus::commands::{
    self, Answer, AskedProcess, Command, Errno, Publication, Refusal, Request, Selection, json,
};
use circus::config;
use circus::config::Source;
use circus::config::options::Change;
use circus::config::settings::{CircusSettings, Variable};
use circus::moment::Moment;
use circus::process::Pid;
use circus::supervisor::{
    Asker, Configuration, Event, Names, Next, Report, Running, Supervisor, Ticket,
};
use circus::sys::{clock, identity};
use circus::wire::REPLY_BYTES_MAX;
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;

/// So many clients may wait for work that goes on.
const WAITING_MAX: usize = 4096;

/// So many warnings of a configuration are told at once.
const WARNINGS_MAX: usize = 100;

/// Whoever works on requests and publications.
#[derive(Debug)]
pub struct Control {
    pub gateway: Gateway,
    endpoints: Opened,
    figures: Figures,
    /// Read again by `reloadconfig`.
    config_path: String,
    /// `[circus]` as it was at the start: what only a new start changes is still so.
    started_with: CircusSettings,
    waiting: BTreeMap<Ticket, Client>,
    last_ticket: u64,
    /// For the log, since the last look.
    warnings: Vec<String>,
}

/// Whom an answer goes to.
#[derive(Debug)]
struct Client {
    identity: Box<[u8]>,
    id: Box<str>,
    /// What it is told besides.
    warnings: Vec<String>,
    /// Figures that wait for what hooks add to them.
    held: Option<Held>,
}

/// What a request can look at.
pub struct View<'a> {
    pub supervisor: &'a Supervisor,
    pub names: &'a dyn Names,
    pub sockets: &'a Sockets,
    /// circusd's own environment.
    pub environment: &'a [Variable],
    pub now: Moment,
}

impl Control {
    pub fn new(
        gateway: Gateway,
        endpoints: Opened,
        config_path: String,
        started_with: CircusSettings,
    ) -> Control {
        Control {
            gateway,
            endpoints,
            figures: Figures::default(),
            config_path,
            started_with,
            waiting: BTreeMap::new(),
            last_ticket: 0,
            warnings: Vec::new(),
        }
    }

    /// What people are to know of the last request.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Nobody who waited can be reached any more: the next gateway may give their identities to
    /// others.
    pub fn forget_clients(&mut self) {
        self.waiting.clear();
    }

    /// A client asks for something. What is not answered at once is an event for the core, which
    /// answers with the ticket in it.
    pub fn request(&mut self, incoming: Incoming, view: &View<'_>) -> Option<Wanted> {
        let Incoming { uid, identity, body } = incoming;
        let request = match commands::parse(&body) {
            Ok(request) => request,
            Err(rejected) => {
                if !rejected.cast {
                    let answer = Answer::Refused(rejected.refusal);
                    let client =
                        Client { identity, id: rejected.id, warnings: Vec::new(), held: None };
                    self.reply(&client, &answer, view.now);
                }
                return None;
            }
        };
        let Request { id, cast, waiting, command } = request;
        let mut client = Client { identity, id, warnings: Vec::new(), held: None };
        let prepared = refuse_stranger(uid, &command)
            .and_then(|()| self.prepare(command, waiting, &mut client.warnings, view));
        let answer = match prepared {
            Ok(Prepared::Answer(answer)) => answer,
            Ok(Prepared::Work(work)) => {
                self.warnings.clone_from(&client.warnings);
                return Some(Wanted::Event(work.event(self.asker(cast, waiting, client))));
            }
            Ok(Prepared::Output(_)) if cast => return None,
            Ok(Prepared::Output(asked)) => {
                let ticket = self.asker(false, true, client).ticket;
                return ticket.map(|ticket| Wanted::Output(ticket, asked));
            }
            Ok(Prepared::Held(..)) if cast => return None,
            Ok(Prepared::Held(held, watcher)) => {
                let pids = held.pids();
                client.held = Some(held);
                let ticket = self.asker(false, true, client).ticket;
                let event = |ticket| Wanted::Event(Event::Extend { ticket, watcher, pids });
                return ticket.map(event);
            }
            Err(refusal) => Answer::Refused(refusal),
        };
        if !cast {
            self.reply(&client, &answer, view.now);
        }
        None
    }

    /// The answer, or the work that leads to it. What the client is told besides goes to `warnings`.
    fn prepare(
        &mut self,
        command: Command,
        waiting: bool,
        warnings: &mut Vec<String>,
        view: &View<'_>,
    ) -> Result<Prepared, Refusal> {
        if let Some(answer) = view.supervisor.read(&command, view.now, view.names) {
            return Ok(Prepared::Answer(answer));
        }
        if let Command::Stats { name: Some(name), process, extended: true } = &command
            && view.supervisor.has_extras(view.supervisor.find(name)?)
            && self.waiting.len() < WAITING_MAX
        {
            let w = view.supervisor.find(name)?;
            let held = Held::new(name, process.as_ref(), w, &mut self.figures, view)?;
            return Ok(Prepared::Held(held, w));
        }
        if let Some(asked) = output::asked(&command, view)? {
            return Ok(Prepared::Output(asked));
        }
        if let Some(answer) = self.own_answer(&command, warnings, view) {
            return answer.map(Prepared::Answer);
        }
        if waiting && self.waiting.len() >= WAITING_MAX {
            let reason = format!("{WAITING_MAX} clients wait already; ask again later");
            return Err(Refusal::new(Errno::Command, reason));
        }
        let work = match command {
            Command::Set { name, options } => prepare_set(&name, &options, view),
            Command::Add { name, cmd, args, options, start } => {
                config::added(&name, &cmd, args.as_ref(), &options, &Files, view.supervisor)
                    .map(|settings| Work::Add { settings: Rc::new(settings), start })
                    .map_err(refusal)
            }
            Command::ReloadConfig { .. } => self.prepare_configure(false, warnings, view),
            Command::Restart(Selection::All) => self.prepare_configure(true, warnings, view),
            command => Ok(Work::Command(command)),
        };
        work.map(Prepared::Work)
    }

    fn asker(&mut self, cast: bool, waiting: bool, client: Client) -> Asker {
        if cast {
            return Asker { ticket: None, waiting };
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.waiting.insert(ticket, client);
        Asker { ticket: Some(ticket), waiting }
    }

    /// Commands that the core knows nothing of.
    fn own_answer(
        &mut self,
        command: &Command,
        warnings: &mut Vec<String>,
        view: &View<'_>,
    ) -> Option<Result<Answer, Refusal>> {
        Some(match command {
            Command::Options { name } => view.supervisor.find(name).map(|w| {
                let settings = view.supervisor.settings(w);
                Answer::Options(config::shown_options(settings, &Files.current_dir()))
            }),
            Command::Get { name, keys } => get(name, keys, view),
            Command::GlobalOptions { option } => self.global_options(option.as_deref(), view),
            Command::ListSockets { detail } => {
                Ok(Answer::Sockets(view.sockets.list(view.supervisor, *detail)))
            }
            Command::Dstats => Ok(self.own_figures()),
            Command::Stats { name: None, .. } => Ok(self.all_figures(view)),
            Command::Stats { name: Some(name), process, .. } => {
                self.figures_of(name, process.as_ref(), view)
            }
            Command::ReloadConfig { dry_run: true } => self.dry_run(warnings, view),
            Command::Add { .. }
            | Command::Decr { .. }
            | Command::Incr { .. }
            | Command::Kill { .. }
            | Command::List { .. }
            | Command::Logs { .. }
            | Command::ReopenLogs
            | Command::Numprocesses { .. }
            | Command::Numwatchers
            | Command::Quit
            | Command::Reload { .. }
            | Command::ReloadConfig { dry_run: false }
            | Command::Restart(_)
            | Command::RestartWithDependants(_)
            | Command::Rm { .. }
            | Command::Set { .. }
            | Command::Signal { .. }
            | Command::Start(_)
            | Command::StartWithDependants(_)
            | Command::Status { .. }
            | Command::Stop(_)
            | Command::StopWithDependants(_) => return None,
        })
    }

    fn global_options(&self, option: Option<&str>, view: &View<'_>) -> Result<Answer, Refusal> {
        let Opened { control, pubsub, .. } = &self.endpoints;
        let circus = view.supervisor.circus();
        let mut all = config::shown_circus(circus, &control.text, &pubsub.text);
        if let Some(option) = option {
            all.retain(|(name, _)| &**name == option);
            if all.is_empty() {
                return Err(Refusal::no_global_option(option));
            }
        }
        Ok(Answer::Options(all))
    }

    fn own_figures(&mut self) -> Answer {
        let mut info = Vec::new();
        self.figures.of_circusd(&mut info);
        Answer::Members(vec![("info", text(info))])
    }

    fn all_figures(&mut self, view: &View<'_>) -> Answer {
        let supervisor = view.supervisor;
        let watchers = supervisor.watcher_numbers().into_iter();
        let watchers: Vec<(&str, Vec<Running>)> =
            watchers.map(|w| (&*supervisor.settings(w).name, supervisor.running(w))).collect();
        let mut infos = Vec::new();
        self.figures.of_watchers(&mut infos, &watchers);
        Answer::Members(vec![("infos", text(infos))])
    }

    fn figures_of(
        &mut self,
        name: &str,
        process: Option<&AskedProcess>,
        view: &View<'_>,
    ) -> Result<Answer, Refusal> {
        let running = view.supervisor.running(view.supervisor.find(name)?);
        let mut info = Vec::new();
        let Some(process) = process else {
            self.figures.of_processes(&mut info, &running);
            let mut shown = Vec::new();
            json::push_string(&mut shown, name);
            return Ok(Answer::Members(vec![("name", text(shown)), ("info", text(info))]));
        };
        let found = running.iter().find(|running| running.pid == process.pid);
        let found = found.ok_or_else(|| Refusal::no_process(process, name))?;
        self.figures.of_process(&mut info, found);
        Ok(Answer::Members(vec![("process", process.as_sent.clone()), ("info", text(info))]))
    }

    /// The core has an answer.
    pub fn answer(&mut self, ticket: Ticket, answer: &Answer, now: Moment) {
        if let Some(client) = self.waiting.remove(&ticket) {
            self.reply(&client, answer, now);
        }
    }

    /// Hooks have said what they add to figures.
    pub fn extend(&mut self, ticket: Ticket, said: &[(Pid, Rc<str>)], now: Moment) {
        let Some(mut client) = self.waiting.remove(&ticket) else { return };
        if let Some(held) = client.held.take() {
            self.reply(&client, &held.answer(said), now);
        }
    }

    /// The figures of a process that hooks are asked to add to.
    pub fn held_figures(&self, pid: Pid) -> Option<Value> {
        self.waiting.values().find_map(|client| client.held.as_ref()?.figures(pid)).cloned()
    }

    fn reply(&mut self, client: &Client, answer: &Answer, now: Moment) {
        let Client { identity, id, warnings, .. } = client;
        let mut body = Vec::new();
        commands::write_reply_with(&mut body, id, unix_time(now, now), answer, warnings);
        if body.len() > REPLY_BYTES_MAX {
            body.clear();
            let reason = "the answer is too long; ask for one watcher";
            let answer = Answer::Refused(Refusal::new(Errno::Command, reason));
            commands::write_reply(&mut body, id, unix_time(now, now), &answer);
        }
        self.gateway.reply(identity, &body, now);
    }

    /// Tell subscribers, if there are any.
    pub fn publish(&mut self, watcher: &str, what: &Publication, at: Moment, now: Moment) {
        if !self.gateway.has_subscribers() {
            return;
        }
        let (mut topic, mut body) = (Vec::new(), Vec::new());
        commands::publication(&mut topic, &mut body, watcher, what, unix_time(at, now));
        self.gateway.publish(&topic, &body, now);
    }

    /// Some facts for people are publications too.
    pub fn report(&mut self, report: &Report, names: &dyn Names, now: Moment) {
        let Report::Died { slot, pid, next, .. } = report else { return };
        if !self.gateway.has_subscribers() {
            return;
        }
        let reason = report.cause(names);
        let what = match *next {
            Next::Start { delay_ms: 0 } | Next::Over => return,
            Next::Start { delay_ms } => Publication::Backoff { pid: Some(*pid), reason, delay_ms },
            Next::GivenUp { .. } => Publication::GiveUp { reason },
        };
        self.publish(names.watcher(slot.watcher), &what, now, now);
    }
}

/// Something that others do.
pub enum Wanted {
    /// The core.
    Event(Event),
    /// Whoever writes the output of processes.
    Output(Ticket, Asked),
}

/// What becomes of a request.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Prepared {
    Answer(Answer),
    Work(Work),
    Output(Asked),
    /// Figures that wait for what hooks of this watcher add.
    Held(Held, u32),
}

/// What a client asked for, ready for the core.
enum Work {
    Command(Command),
    Add {
        settings: Rc<config::settings::WatcherSettings>,
        start: bool,
    },
    Change {
        watcher: u32,
        settings: Rc<config::settings::WatcherSettings>,
        options: Vec<Box<str>>,
        change: Change,
    },
    Configure {
        configuration: Box<Configuration>,
        restart: bool,
    },
}

impl Work {
    fn event(self, asker: Asker) -> Event {
        match self {
            Work::Command(command) => Event::Command { asker, command },
            Work::Add { settings, start } => Event::Add { asker, settings, start },
            Work::Change { watcher, settings, options, change } => {
                Event::Change { asker, watcher, settings, options, change }
            }
            Work::Configure { configuration, restart } => {
                Event::Configure { asker, configuration, restart }
            }
        }
    }
}

fn prepare_set(
    name: &str,
    options: &commands::Properties,
    view: &View<'_>,
) -> Result<Work, Refusal> {
    let watcher = view.supervisor.find(name)?;
    let old = view.supervisor.settings(watcher);
    let (settings, options) =
        config::changed(old, options, &Files, view.supervisor).map_err(refusal)?;
    let differing = config::differences(old, &settings);
    let change = config::strongest(&differing);
    Ok(Work::Change { watcher, settings: Rc::new(settings), options, change })
}

fn get(name: &str, keys: &[Box<str>], view: &View<'_>) -> Result<Answer, Refusal> {
    let w = view.supervisor.find(name)?;
    let all = config::shown_options(view.supervisor.settings(w), &Files.current_dir());
    let value = |key: &str| {
        let found = all.iter().find(|(name, _)| &**name == key);
        found.cloned().ok_or_else(|| Refusal::no_option(key))
    };
    keys.iter().map(|key| value(key)).collect::<Result<_, _>>().map(Answer::Options)
}

/// Who is neither us nor root may look, and no more.
fn refuse_stranger(uid: Option<u32>, command: &Command) -> Result<(), Refusal> {
    match uid {
        Some(uid) if uid != 0 && uid != identity::uid() && !command.only_reads() => {
            let us = identity::uid();
            let who = if us == 0 { String::new() } else { format!("user {us} and ") };
            let reason = format!("user {uid} may only look; {who}root may change things");
            Err(Refusal::new(Errno::Command, reason))
        }
        // Who comes over tcp comes by an address that the configuration names.
        Some(_) | None => Ok(()),
    }
}

fn refusal(refused: config::Refused) -> Refusal {
    let errno = if refused.is_message { Errno::Message } else { Errno::Command };
    Refusal::new(errno, refused.reason)
}

fn text(json: Vec<u8>) -> Box<str> {
    String::from_utf8(json).map_or_else(|_| "null".into(), String::into_boxed_str)
}

/// The wall clock's time of a moment.
fn unix_time(at: Moment, now: Moment) -> f64 {
    let (seconds, micros) = clock::wall();
    let ago_ms = now.since_ms(at) as f64;
    seconds as f64 + f64::from(micros) / 1e6 - ago_ms / 1e3
}
