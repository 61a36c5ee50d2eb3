//! What a client may ask for, already parsed and valid.

use crate::process::Pid;
use crate::signal::Signal;

/// A request that can be carried out.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks for an answer to what: JSON text as the client wrote it, `null` where it wrote none.
    pub id: Box<str>,
    /// Nothing is answered, whatever happens.
    pub cast: bool,
    /// The answer is wanted when the work is done, not when it has begun.
    pub waiting: bool,
    /// What to do.
    pub command: Command,
}

/// Properties as they came: JSON values by name, in the order of the request.
pub type Properties = Vec<(Box<str>, serde_json::Value)>;

/// A command. Watchers' names are as sent; they are looked up without regard to case.
#[derive(Debug, Clone)]
pub enum Command {
    /// A new watcher.
    Add {
        name: Box<str>,
        cmd: Box<str>,
        args: Option<serde_json::Value>,
        options: Properties,
        start: bool,
    },
    /// Fewer processes.
    Decr { name: Box<str>, nb: u32 },
    /// Figures of circusd itself.
    Dstats,
    /// Some options of a watcher.
    Get { name: Box<str>, keys: Vec<Box<str>> },
    /// Options of `[circus]`, or one of them.
    GlobalOptions { option: Option<Box<str>> },
    /// More processes.
    Incr { name: Box<str>, nb: u32 },
    /// End processes, with SIGKILL for those that outlast the grace.
    Kill { name: Box<str>, pid: Option<Pid>, signal: Option<Signal>, grace_ms: Option<u64> },
    /// Names of watchers, or pids of one.
    List { name: Option<Box<str>> },
    /// What sockets there are.
    ListSockets,
    /// How many processes, of all or of one.
    Numprocesses { name: Option<Box<str>> },
    /// How many watchers.
    Numwatchers,
    /// All options of a watcher.
    Options { name: Box<str> },
    /// Stop everything and end.
    Quit,
    /// Replace processes by new ones.
    Reload { name: Option<Box<str>>, graceful: bool, sequential: bool },
    /// Read the configuration again and change what has changed; or only say what that would be.
    ReloadConfig { dry_run: bool },
    /// Stop, then start. Of all watchers: with the configuration read again.
    Restart(Selection),
    /// Forget a watcher; `nostop` leaves its processes alone.
    Rm { name: Box<str>, nostop: bool },
    /// Change options of a watcher.
    Set { name: Box<str>, options: Properties },
    /// Send a signal.
    Signal { name: Box<str>, signal: Signal, receivers: Receivers },
    /// Start.
    Start(Selection),
    /// Figures of processes.
    Stats { name: Option<Box<str>>, process: Option<Pid>, extended: bool },
    /// States of watchers; `detail` adds what a person wants to know.
    Status { name: Option<Box<str>>, detail: bool },
    /// Stop.
    Stop(Selection),
}

impl Command {
    /// Nothing is changed by it: everybody who may connect may ask for it.
    pub fn only_reads(&self) -> bool {
        match self {
            Command::Dstats
            | Command::Get { .. }
            | Command::GlobalOptions { .. }
            | Command::List { .. }
            | Command::ListSockets
            | Command::Numprocesses { .. }
            | Command::Numwatchers
            | Command::Options { .. }
            | Command::ReloadConfig { dry_run: true }
            | Command::Stats { .. }
            | Command::Status { .. } => true,
            Command::Add { .. }
            | Command::Decr { .. }
            | Command::Incr { .. }
            | Command::Kill { .. }
            | Command::Quit
            | Command::Reload { .. }
            | Command::ReloadConfig { dry_run: false }
            | Command::Restart(_)
            | Command::Rm { .. }
            | Command::Set { .. }
            | Command::Signal { .. }
            | Command::Start(_)
            | Command::Stop(_) => false,
        }
    }
}

/// Which watchers a start, stop or restart is for.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All of them.
    All,
    /// Those whose names match.
    Matching { pattern: Box<str>, matching: Matching },
}

/// How a name is compared with a pattern; always without regard to case.
#[derive(Debug, Clone)]
pub enum Matching {
    /// Equal.
    Simple,
    /// A shell pattern, of the whole name.
    Glob,
    /// A regular expression, from the name's beginning.
    Regex(regex_lite::Regex),
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receivers {
    /// This process of the watcher; all of them otherwise.
    pub pid: Option<Pid>,
    /// This direct child of `pid`, not `pid` itself.
    pub child: Option<Pid>,
    /// All direct children, not the process itself.
    pub children: bool,
    /// The process and all its descendants.
    pub recursive: bool,
}

impl Matching {
    /// Whether a watcher's name fits.
    pub fn matches(&self, pattern: &str, name: &str) -> bool {
        match self {
            Matching::Simple | Matching::Glob => pattern.eq_ignore_ascii_case(name),
            Matching::Regex(regex) => regex.is_match(name),
        }
    }
}
