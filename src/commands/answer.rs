//! What a command came to.

use crate::commands::{AskedProcess, quoted};
use crate::process::{Ending, Pid};

/// The numbers of Circus's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    /// The request is not JSON, or not UTF-8.
    InvalidJson = 1,
    /// There is no such command.
    UnknownCommand = 2,
    /// A property is missing or wrong, or a watcher is not there.
    Message = 3,
    /// The kernel refused.
    Os = 4,
    /// The command could not be carried out.
    Command = 5,
    /// It failed later, while the client was waiting.
    Failed = 6,
}

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind.
    pub errno: Errno,
    /// A sentence.
    pub reason: String,
}

impl Refusal {
    /// Of this kind, for this reason.
    pub fn new(errno: Errno, reason: impl Into<String>) -> Refusal {
        Refusal { errno, reason: reason.into() }
    }

    /// A watcher that is not there.
    pub fn not_found(name: &str) -> Refusal {
        Refusal::new(Errno::Message, format!("program {name} not found"))
    }

    /// A process that a watcher does not have.
    pub fn no_process(process: &AskedProcess, watcher: &str) -> Refusal {
        // A text keeps its quotes, as in Circus.
        let is_text = process.as_sent.starts_with('"');
        let number = process.pid.to_string();
        let shown = if is_text { quoted(&number) } else { number };
        let reason = format!("process {shown} not found in {}", quoted(watcher));
        Refusal::new(Errno::Message, reason)
    }

    /// The same, asked for by its number alone.
    pub fn not_its_process(pid: Pid, watcher: &str) -> Refusal {
        let reason = format!("process {pid} not found in {}", quoted(watcher));
        Refusal::new(Errno::Message, reason)
    }

    /// An option that no watcher has.
    pub fn no_option(name: &str) -> Refusal {
        Refusal::new(Errno::Message, format!("{} option not found", quoted(name)))
    }

    /// An option that `[circus]` does not have.
    pub fn no_global_option(name: &str) -> Refusal {
        Refusal::new(Errno::Message, format!("{} not an existing option", quoted(name)))
    }

    /// A watcher that is there already.
    pub fn already_there(name: &str) -> Refusal {
        Refusal::new(Errno::Command, format!("{} already exist", quoted(name)))
    }
}

/// A watcher's state, as Circus names it; `Completed` is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No process, and none will be started.
    Stopped,
    /// On the way to `Active`.
    Starting,
    /// All is there.
    Active,
    /// On the way to `Stopped`.
    Stopping,
    /// A one-shot that has run to its end with success.
    Completed,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Stopped => "stopped",
            Status::Starting => "starting",
            Status::Active => "active",
            Status::Stopping => "stopping",
            Status::Completed => "completed",
        }
    }
}

/// Which processes a start, restart or reload has stopped, started and kept; pids sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// `None` where the command stops nothing by its nature (start).
    pub stopped: Option<Vec<Pid>>,
    /// New processes.
    pub started: Vec<Pid>,
    /// Processes that went on.
    pub kept: Vec<Pid>,
}

/// What a command came to; see `write_reply` for how it is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Done, and nothing to say.
    Done,
    /// Not done.
    Refused(Refusal),
    /// `list`: names in lower case, sorted.
    Watchers(Vec<String>),
    /// `list NAME`: living processes in the order of their starts.
    Pids(Vec<Pid>),
    /// `status`: names as configured, in order.
    Statuses(Vec<(Box<str>, Status)>),
    /// `status NAME`.
    Status(Status),
    /// `status` with detail, of all or of one.
    Details(Vec<WatcherDetail>),
    /// `numprocesses`.
    Numprocesses {
        /// How many.
        numprocesses: u32,
        /// Of this watcher; the name as sent.
        watcher_name: Option<Box<str>>,
    },
    /// `incr` and `decr`, waited for; also not waited for where nothing changes.
    NewNumprocesses {
        /// How many there should be.
        numprocesses: u32,
        /// It can have one process only, so nothing changed.
        singleton: bool,
    },
    /// `numwatchers`.
    Numwatchers(u32),
    /// `options`, `get`, `globaloptions`: names and values, in order.
    Options(Vec<(Box<str>, serde_json::Value)>),
    /// `start`, `stop` (none), `restart`, `reload` of one watcher, waited for.
    Info(Option<Info>),
    /// `add` with `start`, waited for.
    Added(Info),
    /// `reloadconfig --dry-run`.
    Changes(Vec<Change>),
    /// `listsockets`: one object for each socket.
    Sockets(Vec<Vec<(&'static str, serde_json::Value)>>),
    /// Any further top-level keys, already JSON as `json` writes it: `stats`, `dstats`.
    Members(Vec<(&'static str, Box<str>)>),
}

/// What a person wants to know of a watcher.
#[derive(Debug, Clone, PartialEq)]
pub struct WatcherDetail {
    /// As configured.
    pub name: Box<str>,
    /// Its state.
    pub status: Status,
    /// It is as it should be.
    pub healthy: bool,
    /// A word more about the state, such as `failed` or `waiting for db to be ready`; empty if there is
    /// nothing to say.
    pub note: Box<str>,
    /// It is not, and that does not change by itself: it was given up, or waits for one that was.
    pub hopeless: bool,
    /// How many processes it should have.
    pub numprocesses: u32,
    /// Its places for processes that are in use.
    pub processes: Vec<ProcessDetail>,
    /// Starts that followed a death, in all its processes together.
    pub restarts: u32,
    /// How the last process that was not asked to end did end: the sentence, and milliseconds since.
    pub last_death: Option<(String, u64)>,
    /// How the last process of a one-shot ended, well or not, and milliseconds since.
    pub last_exit: Option<(Ending, u64)>,
    /// What it waits for before it starts: `NAME:started`, `NAME:ready`, `NAME:completed`.
    pub depends_on: Vec<String>,
}

/// What a person wants to know of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessDetail {
    /// Its number in the watcher, from 1.
    pub wid: u32,
    /// While there is one.
    pub pid: Option<Pid>,
    /// `running`, `reloading`, `starting`, `stopping`, `waiting` (for its next start), `clearing`.
    pub state: &'static str,
    /// Milliseconds since its start; until its next start for `waiting`.
    pub ms: u64,
    /// Starts that followed a death, here.
    pub restarts: u32,
    /// What it says of itself (`STATUS=`).
    pub says: Option<Box<str>>,
}

/// What reading the configuration again changes for one watcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: Box<str>,
    /// What happens to it.
    pub kind: ChangeKind,
    /// Which options differ.
    pub options: Vec<Box<str>>,
}

/// What happens to a watcher whose settings change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is stopped and forgotten.
    Removed,
    /// Its settings change and no process is replaced.
    Adjusted,
    /// Its processes are replaced by new ones, gracefully.
    Reloaded,
    /// It is stopped and started.
    Restarted,
}

impl ChangeKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Adjusted => "adjusted",
            ChangeKind::Reloaded => "reloaded",
            ChangeKind::Restarted => "restarted",
        }
    }
}
