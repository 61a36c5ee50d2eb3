//! What a client may ask for, already parsed and valid.

use crate::commands::Matching;
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

/// Properties as they came: JSON values by name, in the order of the request, each name once.
pub type Properties = Vec<(Box<str>, serde_json::Value)>;

/// A command. Watchers' names are as sent; they are looked up without regard to case.
#[derive(Debug, Clone)]
pub enum Command {
    /// A new watcher.
    Add {
        /// Its name; not empty.
        name: Box<str>,
        /// What its processes execute.
        cmd: Box<str>,
        /// More arguments: a text, or a list of texts.
        args: Option<serde_json::Value>,
        /// As for `set`.
        options: Properties,
        /// Start it at once.
        start: bool,
    },
    /// Fewer processes.
    Decr {
        /// Of this watcher.
        name: Box<str>,
        /// How many fewer.
        nb: u32,
    },
    /// Figures of circusd itself.
    Dstats,
    /// Some options of a watcher.
    Get {
        /// Of this watcher.
        name: Box<str>,
        /// Which, each once.
        keys: Vec<Box<str>>,
    },
    /// Options of `[circus]`.
    GlobalOptions {
        /// Only this one.
        option: Option<Box<str>>,
    },
    /// More processes.
    Incr {
        /// Of this watcher.
        name: Box<str>,
        /// How many more.
        nb: u32,
    },
    /// End processes, with SIGKILL for those that outlast the grace.
    Kill {
        /// Of this watcher.
        name: Box<str>,
        /// Only this one.
        pid: Option<Pid>,
        /// Instead of the watcher's stop signal.
        signal: Option<Signal>,
        /// Instead of the watcher's `graceful_timeout`.
        grace_ms: Option<u64>,
    },
    /// Names of watchers, or pids of one.
    List {
        /// Of this watcher.
        name: Option<Box<str>>,
    },
    /// What sockets there are.
    ListSockets {
        /// With what the kernel tells, and who uses them: more than Circus knows.
        detail: bool,
    },
    /// Lines that processes have printed, as far as they are captured.
    Logs {
        /// Of this watcher only.
        name: Option<Box<str>>,
        /// Only `stdout` or `stderr`.
        stream: Option<Box<str>>,
        /// The last so many.
        lines: u32,
        /// Only those after the line of this number, the oldest first.
        after: Option<u64>,
        /// Only those since this wall time, in seconds.
        since: Option<f64>,
    },
    /// Open the files of captured output anew.
    ReopenLogs,
    /// How many processes.
    Numprocesses {
        /// Of this watcher only.
        name: Option<Box<str>>,
    },
    /// How many watchers.
    Numwatchers,
    /// All options of a watcher.
    Options {
        /// Of this watcher.
        name: Box<str>,
    },
    /// Stop everything and end.
    Quit,
    /// Replace processes by new ones.
    Reload {
        /// Of this watcher only.
        name: Option<Box<str>>,
        /// Not by a stop and a start.
        graceful: bool,
        /// One process after the other.
        sequential: bool,
    },
    /// Read the configuration again and change what has changed.
    ReloadConfig {
        /// Only say what that would be.
        dry_run: bool,
    },
    /// Stop, then start. Of all watchers: with the configuration read again.
    Restart(Selection),
    /// Forget a watcher.
    Rm {
        /// This one.
        name: Box<str>,
        /// Leave its processes alone.
        nostop: bool,
    },
    /// Change options of a watcher.
    Set {
        /// Of this watcher.
        name: Box<str>,
        /// Which, and to what.
        options: Properties,
    },
    /// Send a signal.
    Signal {
        /// To processes of this watcher.
        name: Box<str>,
        /// `None` is 0, which is never sent: the client only asks whether it could be.
        signal: Option<Signal>,
        /// To whom exactly.
        receivers: Receivers,
    },
    /// Start.
    Start(Selection),
    /// Figures of processes.
    Stats {
        /// Of this watcher only.
        name: Option<Box<str>>,
        /// Of this process only; never without a name.
        process: Option<AskedProcess>,
        /// With what the hook `extended_stats` adds.
        extended: bool,
    },
    /// States of watchers.
    Status {
        /// Of this watcher only.
        name: Option<Box<str>>,
        /// With what a person wants to know.
        detail: bool,
    },
    /// Stop.
    Stop(Selection),
    /// Stop, and before that all that depend on what is stopped.
    StopWithDependants(Selection),
    /// Start, and then all that depend on what is started.
    StartWithDependants(Selection),
    /// Stop as above, and start again what was stopped.
    RestartWithDependants(Selection),
}

impl Command {
    /// Nothing is changed by it, and no file of a configuration is read: everybody who may connect may
    /// ask for it.
    pub fn only_reads(&self) -> bool {
        match self {
            Command::Dstats
            | Command::Get { .. }
            | Command::GlobalOptions { .. }
            | Command::List { .. }
            | Command::ListSockets { .. }
            | Command::Numprocesses { .. }
            | Command::Numwatchers
            | Command::Options { .. }
            | Command::Stats { .. }
            | Command::Status { .. } => true,
            Command::Add { .. }
            // What a service prints may be confidential.
            | Command::Logs { .. }
            | Command::ReopenLogs
            | Command::Decr { .. }
            | Command::Incr { .. }
            | Command::Kill { .. }
            | Command::Quit
            | Command::Reload { .. }
            | Command::ReloadConfig { .. }
            | Command::Restart(_)
            | Command::RestartWithDependants(_)
            | Command::Rm { .. }
            | Command::Set { .. }
            | Command::Signal { .. }
            | Command::Start(_)
            | Command::StartWithDependants(_)
            | Command::Stop(_)
            | Command::StopWithDependants(_) => false,
        }
    }
}

/// Which watchers a start, stop or restart is for.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All of them.
    All,
    /// Those whose names match.
    Matching {
        /// As sent.
        pattern: Box<str>,
        /// How names are compared with it.
        matching: Matching,
    },
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receivers {
    /// This process of the watcher; all of them otherwise.
    pub pid: Option<Pid>,
    /// This direct child of `pid`, not `pid` itself. Without `pid`: of whichever process of the
    /// watcher it is a child of.
    pub child: Option<Pid>,
    /// All direct children, not the process itself. Means nothing if `child` is given.
    pub children: bool,
    /// The process and all its descendants. Means nothing if one of the others is given.
    pub recursive: bool,
}

/// A process that figures are wanted of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedProcess {
    /// Which one.
    pub pid: Pid,
    /// The same as JSON text as the client wrote it: the reply repeats it.
    pub as_sent: Box<str>,
}
