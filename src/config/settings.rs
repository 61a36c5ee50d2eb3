//! What a configuration says, once it is known to be valid: the types that the rest of the
//! program works with. Nobody checks a value again after it has come this far.
//!
//! There is one `WatcherSettings` for each watcher and there may be thousands, so it is kept
//! small: boxed text, durations in milliseconds, and one shared environment where it is equal.

mod service;
mod socket;
mod stream;

pub use service::{
    CheckSettings, Dependency, Gate, Hook, HookCommand, HookName, Liveness, Probe, Readiness,
};

pub use socket::{SocketKind, SocketPlace, SocketSettings, SocketUse, WantedSockets};

pub use stream::{
    FileSettings, LineForm, Overflow, Period, Rotation, StreamSettings, StreamTarget,
};

use crate::config::options::Keeps;
use crate::config::value::size;
use crate::signal::Signal;
use core::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

/// One variable of an environment: name and value, byte-exact.
pub type Variable = (Box<[u8]>, Box<[u8]>);

/// A whole configuration.
#[derive(Debug, Default)]
pub struct Config {
    /// Section `[circus]`.
    pub circus: CircusSettings,
    /// Sections `[watcher:…]`, sorted by name as in Circus.
    pub watchers: Vec<Rc<WatcherSettings>>,
    /// Sections `[socket:…]`, sorted by name as in Circus.
    pub sockets: Vec<Rc<SocketSettings>>,
    /// What the file asks for that this version does not do yet, a few words each.
    pub unsupported: Vec<String>,
    /// What will surprise, one sentence each, with `file:line`.
    pub warnings: Vec<String>,
}

/// Section `[circus]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CircusSettings {
    /// Time between the starts of two watchers.
    pub warmup_delay_ms: u64,
    /// File creation mask set before anything starts.
    pub umask: Option<u32>,
    /// Where the process id is written.
    pub pidfile: Option<Box<str>>,
    /// Least level that is logged.
    pub loglevel: Option<LogLevel>,
    /// Where our own log goes, as written: `-`, `stdout`, `stderr`, a path or `syslog://…`.
    pub logoutput: Option<Box<str>>,
    /// `log_format = json`.
    pub log_json: bool,
    /// Budget for the whole ordered stop.
    pub shutdown_timeout_ms: Option<u64>,
    /// End when no process is left and none will be started again.
    pub exit_when_done: bool,
    /// Where clients connect.
    pub endpoints: Box<EndpointSettings>,
    /// Texts of options that have no field here.
    pub kept: Box<[(Box<str>, Box<str>)]>,
    /// Names of options whose values come from files and are shown as `***`.
    pub masked: Box<[Box<str>]>,
}

/// Where clients connect, and who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSettings {
    /// For commands; the default place if there is none.
    pub control: Option<Endpoint>,
    /// For publications; the default place if there is none.
    pub pubsub: Option<Endpoint>,
    /// Permissions of the sockets of ipc endpoints.
    pub mode: u32,
    /// Who owns the sockets of ipc endpoints; circusd's user if nobody is named.
    pub owner: Option<EndpointOwner>,
    /// Where circusd can be discovered.
    pub multicast: Option<Multicast>,
    /// Keys for tcp; there is always one for an endpoint that other machines can reach.
    pub curve: Option<CurveFiles>,
}

impl Default for EndpointSettings {
    fn default() -> EndpointSettings {
        EndpointSettings {
            control: None,
            pubsub: None,
            mode: 0o600,
            owner: None,
            multicast: None,
            curve: None,
        }
    }
}

/// The address of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// As it is written.
    pub text: Box<str>,
    /// What it means.
    pub place: Place,
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The path of a unix socket; absolute in the settings of `[circus]`.
    Ipc(Box<str>),
    /// A port of this machine.
    Tcp {
        /// On which of its addresses.
        host: Host,
        /// From 1.
        port: u16,
    },
}

/// An address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A number; unspecified for every one of them.
    Address(IpAddr),
    /// Whatever number this network interface has.
    Interface(Box<str>),
}

/// `udp://GROUP:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multicast {
    /// As it is written.
    pub text: Box<str>,
    /// A multicast group.
    pub group: Ipv4Addr,
    /// From 1.
    pub port: u16,
}

/// Option `endpoint_owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointOwner {
    /// As it is written: name or number.
    pub name: Box<str>,
    /// The user.
    pub uid: u32,
    /// Its primary group, if it has an entry.
    pub gid: Option<u32>,
}

/// Files of the keys of tcp endpoints, their paths relative to nothing but the current directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurveFiles {
    /// Our own secret key.
    pub secret_key: Box<str>,
    /// The public keys of those who may connect.
    pub authorized_keys: Box<str>,
}

impl CircusSettings {
    /// Memory for each captured stream, in bytes (`log_ring`).
    pub fn log_ring_bytes(&self) -> u64 {
        let text = self.kept.iter().find(|(name, _)| **name == *"log_ring");
        text.and_then(|(_, text)| size(text).ok()).unwrap_or(LOG_RING_BYTES)
    }
}

/// Of `log_ring`, where nothing is written.
const LOG_RING_BYTES: u64 = 64 * 1024;

impl Keeps for CircusSettings {
    fn kept(&self) -> &[(Box<str>, Box<str>)] {
        &self.kept
    }
}

/// Levels of the log, least urgent first, as Circus names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Starts, stops, deaths.
    Info,
    /// What needs a look.
    Warning,
    /// What is broken.
    Error,
    /// What ends the program.
    Critical,
}

impl LogLevel {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
            LogLevel::Critical => "critical",
        }
    }
}

/// Option `respawn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Respawn {
    /// Whatever ended is started again.
    Always,
    /// Only what ended in failure is started again.
    OnFailure,
    /// Nothing is started again.
    Never,
}

/// A counter's limit; `-1` in a file means there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most so many.
    AtMost(u32),
    /// No limit.
    Never,
}

/// A process ending that counts as success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuccessCode {
    /// This exit code.
    Code(u8),
    /// Death by this signal.
    Killed(Signal),
}

/// A signal to circusd that a watcher wants, and what it gets for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardedSignal {
    /// What circusd received.
    pub received: Signal,
    /// What the watcher's processes get.
    pub sent: Signal,
}

/// A resource limit, soft and hard the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceLimit {
    /// The kernel's `RLIMIT_…` number.
    pub resource: u32,
    /// `None` is infinity.
    pub value: Option<u64>,
}

/// Whom a process runs as; whatever is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// User id.
    pub uid: Option<u32>,
    /// Group id: the one asked for, else the user's primary group.
    pub gid: Option<u32>,
    /// Supplementary groups, when a user was asked for.
    pub groups: Option<Box<[u32]>>,
}

/// The part of a process's environment that the configuration gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EnvironmentSettings {
    /// Start from circusd's own environment (`copy_env`).
    pub inherit: bool,
    /// `NAME_FILE` gives `NAME` (`env_from_files`): already resolved into `set`; kept for display.
    pub from_files: bool,
    /// Variables that are set, later ones win over earlier and over inherited ones. Unique names.
    pub set: Box<[Variable]>,
    /// Names of those whose values come from files and are shown as `***`. Sorted.
    pub masked: Box<[Box<[u8]>]>,
}

/// Section `[watcher:NAME]`. Defaults are those of the option table.
#[derive(Debug, Clone, PartialEq)]
pub struct WatcherSettings {
    /// The name, as written.
    pub name: Box<str>,
    /// Command; variables of the configuration are expanded, those of the process are not.
    pub cmd: Box<str>,
    /// More words for the command line, likewise.
    pub args: Box<str>,
    /// Run `/bin/sh -c CMD`.
    pub shell: bool,
    /// Words after the shell's command text.
    pub shell_args: Option<Box<str>>,
    /// File to execute in place of the command's first word, which stays `argv[0]`.
    pub executable: Option<Box<str>>,
    /// Directory of the process.
    pub working_dir: Option<Box<str>>,
    /// Whom it runs as.
    pub identity: Option<Box<Identity>>,
    /// Where circusd may not change user, run as it is (`user_switch = ignore`).
    pub ignore_user_switch: bool,
    /// Environment; shared between watchers where it is equal.
    pub environment: Rc<EnvironmentSettings>,
    /// How many processes.
    pub numprocesses: u32,
    /// Time between two of its starts.
    pub warmup_delay_ms: u64,
    /// What must be first, each watcher once.
    pub depends_on: Box<[Dependency]>,
    /// When a process counts as started; always `Started` for a oneshot, whose completion counts.
    pub ready: Readiness,
    /// Time that a process has to become ready.
    pub ready_timeout_ms: u64,
    /// How to find out that a process still works.
    pub check: Option<Box<CheckSettings>>,
    /// Hooks, each name once, in the order of `HookName`.
    pub hooks: Box<[Hook]>,
    /// Time that a hook has.
    pub hook_timeout_ms: u64,
    /// Started with circusd.
    pub autostart: bool,
    /// Never more than one process.
    pub singleton: bool,
    /// Higher starts first.
    pub priority: i32,
    /// What is started again.
    pub respawn: Respawn,
    /// Endings that are no failure.
    pub success_codes: Box<[SuccessCode]>,
    /// Failed attempts to execute before giving up.
    pub max_retry: Limit,
    /// Consecutive failed lives before giving up.
    pub max_restarts: Limit,
    /// First delay.
    pub backoff_ms: u64,
    /// Longest delay.
    pub backoff_max_ms: u64,
    /// A life this long ends the counting.
    pub healthy_after_ms: u64,
    /// Age at which a process is replaced; 0 is never.
    pub max_age_ms: u64,
    /// Up to this much is added at random to `max_age`.
    pub max_age_variance_ms: u64,
    /// First signal of a stop.
    pub stop_signal: Signal,
    /// The stop signal goes to the direct children too.
    pub stop_children: bool,
    /// Time between the stop signal and SIGKILL.
    pub graceful_timeout_ms: u64,
    /// Nothing that a process left behind survives it.
    pub kill_tree: bool,
    /// A reload sends SIGHUP.
    pub send_hup: bool,
    /// Its end ends the container.
    pub essential: bool,
    /// Runs to completion once.
    pub oneshot: bool,
    /// Signals to circusd that are passed on.
    pub forward_signals: Box<[ForwardedSignal]>,
    /// Resource limits.
    pub rlimits: Box<[ResourceLimit]>,
    /// File creation mask.
    pub umask: Option<u32>,
    /// Scheduling nice value.
    pub nice: Option<i32>,
    /// Value for `/proc/self/oom_score_adj`.
    pub oom_score_adj: Option<i32>,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// Bit set of the capabilities (bit = the kernel's number) that the process may have.
    pub capabilities: Option<u64>,
    /// What it does with the sockets, if anything.
    pub sockets: Option<Box<SocketUse>>,
    /// stdin is `/dev/null`.
    pub close_child_stdin: bool,
    /// stdout is `/dev/null`.
    pub close_child_stdout: bool,
    /// stderr is `/dev/null`.
    pub close_child_stderr: bool,
    /// Words to execute, used as they are in place of `cmd` and `args` (a main command).
    pub argv: Option<Box<[Box<[u8]>]>>,
    /// Names of options whose values come from files and are shown as `***`.
    pub masked: Box<[Box<str>]>,
    /// Options that Circus leaves free, such as `flapping.attempts`.
    pub free: Box<[(Box<str>, Box<str>)]>,
    /// Texts of options that have no field here.
    pub kept: Box<[(Box<str>, Box<str>)]>,
}

impl Keeps for WatcherSettings {
    fn kept(&self) -> &[(Box<str>, Box<str>)] {
        &self.kept
    }
}
