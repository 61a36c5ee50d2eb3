//! What a watcher waits for, how its processes show that they do their work, and what is called when.

/// What of a dependency is waited for; a later one is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Its processes run.
    Started,
    /// Its processes do their work.
    Ready,
    /// It has run to completion, successfully.
    Completed,
}

impl Gate {
    /// As it is written after the name.
    pub fn name(self) -> &'static str {
        match self {
            Gate::Started => "started",
            Gate::Ready => "ready",
            Gate::Completed => "completed",
        }
    }
}

/// An item of `depends_on`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Name of the watcher, as it is named there.
    pub name: Box<str>,
    /// What of it is waited for.
    pub gate: Gate,
}

/// A way to find out that a process does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Something accepts connections.
    Tcp {
        /// A number without brackets, or a name that is looked up with each probe.
        host: Box<str>,
        /// From 1.
        port: u16,
    },
    /// Something accepts connections at this absolute path.
    Unix(Box<str>),
    /// A GET is answered with success.
    Http {
        /// Likewise.
        host: Box<str>,
        /// From 1.
        port: u16,
        /// Begins with a slash.
        path: Box<str>,
    },
    /// A command succeeds. Variables of the process are not replaced yet, as in `cmd`.
    Exec(Box<str>),
}

/// Option `ready`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// As soon as it runs.
    Started,
    /// It says so itself: `READY=1`.
    Notify,
    /// After this time.
    After {
        /// From 0.
        ms: u64,
    },
    /// When a probe succeeds.
    Probe(Probe),
}

/// Option `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// The process says so itself again and again: `WATCHDOG=1`.
    Watchdog,
    /// A probe succeeds.
    Probe(Probe),
}

/// Options `check` and `check_…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSettings {
    /// How.
    pub by: Liveness,
    /// Time between two probes.
    pub interval_ms: u64,
    /// Time that a probe has.
    pub timeout_ms: u64,
    /// Failures in a row, from 1, after which a process is replaced.
    pub retries: u32,
    /// Time after the start in which failures do not count.
    pub start_period_ms: u64,
}

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookName {
    /// Before a stopped watcher starts.
    BeforeStart,
    /// After all its processes were started.
    AfterStart,
    /// Before each process.
    BeforeSpawn,
    /// After each process.
    AfterSpawn,
    /// Before a watcher stops.
    BeforeStop,
    /// After it has stopped.
    AfterStop,
    /// Before a signal to a process.
    BeforeSignal,
    /// After it.
    AfterSignal,
    /// Before the end of a process is noted.
    BeforeReap,
    /// After it.
    AfterReap,
    /// When a client asks for extended statistics.
    ExtendedStats,
}

/// What a hook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookCommand {
    /// Words to execute. Variables of the process are not replaced yet, as in `cmd`.
    Command(Box<str>),
    /// A function, by the name of its module and its own.
    Python(Box<str>),
}

/// Option `hooks.NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// When.
    pub name: HookName,
    /// What.
    pub run: HookCommand,
    /// One that fails counts as one that succeeds.
    pub ignore_failure: bool,
}
