//! What people are told, as facts. The sentence is made here too, so that every place that shows a
//! fact uses the same words.

use super::SlotId;
use super::depend::Blocker;
use super::slot::Next;
use super::vitals::Fault;
use crate::config::settings::{HookName, LogLevel};
use crate::moment::Moment;
use crate::process::{Ending, Failure, Pid};
use crate::signal::Signal;
use std::rc::Rc;

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// All processes of a watcher run for the first time.
    Started {
        /// Which watcher.
        watcher: u32,
        /// Their ids.
        pids: Vec<Pid>,
    },
    /// A process took the place of one that ended.
    Respawned {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
    },
    /// A process ended that nobody had asked to.
    Died {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
        /// How.
        ending: Ending,
        /// What it was being replaced for, if it was.
        fault: Option<Fault>,
        /// Whether that is one of its `success_codes`.
        success: bool,
        /// How long it lived.
        lived_ms: u64,
        /// The kernel killed it for lack of memory, by the cgroup's counters.
        memory_short: bool,
        /// The last line that it printed to a captured stderr.
        said: Option<Rc<str>>,
        /// What follows.
        next: Next,
    },
    /// All processes of a watcher are ready, where that is more than to have started.
    Ready {
        /// Which watcher.
        watcher: u32,
    },
    /// A process goes on in place of one that has ended.
    Succeeded {
        /// Where.
        slot: SlotId,
        /// The one that has ended.
        pid: Pid,
        /// The one that goes on.
        by: Pid,
    },
    /// A watcher waits for another one that is not on its way.
    Blocked {
        /// Which watcher.
        watcher: u32,
        /// What it waits for.
        blocker: Blocker,
    },
    /// A process does not do its work and is replaced.
    Faulty {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
        /// What is wrong.
        fault: Fault,
    },
    /// Nobody can find out how a process is.
    Unknown {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
        /// Why.
        reason: Rc<str>,
    },
    /// A probe was killed and does not end.
    ProbeStuck {
        /// Whose process it is about.
        slot: SlotId,
    },
    /// Somebody can, again.
    Known {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
    },
    /// A hook has failed, or has said no.
    HookFailed {
        /// Of which watcher.
        watcher: u32,
        /// Which hook.
        hook: HookName,
        /// What it said last.
        reason: Rc<str>,
        /// Something is not done for that.
        follows: bool,
    },
    /// A process could not be made.
    ForkFailed {
        /// Where.
        slot: SlotId,
        /// The kernel's error number.
        errno: i32,
        /// What follows.
        next: Next,
    },
    /// `max_retry` is 0.
    NeverStarted {
        /// Which watcher.
        watcher: u32,
    },
    /// A process is replaced because of its age.
    TooOld {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
    },
    /// A process did not end when asked to and got SIGKILL.
    Outlasted {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
        /// What it had been sent.
        signal: Signal,
        /// How long ago.
        waited_ms: u64,
    },
    /// A process left descendants behind, which are made to end.
    LeftBehind {
        /// Where.
        slot: SlotId,
        /// Their ids.
        pids: Vec<Pid>,
        /// By SIGKILL.
        killed: bool,
        /// The process was asked to end, so this is nothing unusual.
        asked: bool,
    },
    /// A process has not become its program in a long time.
    Hanging {
        /// Where.
        slot: SlotId,
        /// Its id.
        pid: Pid,
    },
    /// SIGKILL did not end a process, or those that one has left behind.
    Stuck {
        /// Where.
        slot: SlotId,
        /// Their ids.
        pids: Vec<Pid>,
    },
    /// A watcher starts when somebody comes to one of its sockets.
    Listening {
        /// Which watcher.
        watcher: u32,
    },
    /// A watcher is stopped until somebody comes.
    Idle {
        /// Which watcher.
        watcher: u32,
        /// Nobody has come for so long.
        idle_ms: u64,
    },
    /// All processes of a watcher are gone.
    Stopped {
        /// Which watcher.
        watcher: u32,
        /// It was asked to; otherwise nothing was left to start again.
        asked: bool,
    },
    /// A one-shot ran to its end and succeeded.
    Completed {
        /// Which watcher.
        watcher: u32,
    },
    /// A watcher is there from now on.
    Added {
        /// Which watcher.
        watcher: u32,
    },
    /// A watcher is stopped and forgotten.
    Removed {
        /// Which watcher.
        watcher: u32,
    },
    /// A watcher has other settings.
    Changed {
        /// Which watcher.
        watcher: u32,
        /// Which options.
        options: Vec<Box<str>>,
    },
    /// A watcher's processes were told to read their configuration again.
    HupSent {
        /// Which watcher.
        watcher: u32,
    },
    /// A watcher's processes are replaced by new ones.
    Reloading {
        /// Which watcher.
        watcher: u32,
    },
    /// They were.
    Reloaded {
        /// Which watcher.
        watcher: u32,
    },
    /// They were not: the new ones did not start, the old ones stay.
    ReloadFailed {
        /// Which watcher.
        watcher: u32,
    },
    /// The ordered stop begins.
    Stopping {
        /// Why.
        cause: StopCause,
    },
    /// The ordered stop is cut short.
    Hurried {
        /// Why.
        cause: HurryCause,
    },
    /// Processes that belong to no watcher are made to end.
    Orphans {
        /// Their ids.
        pids: Vec<Pid>,
        /// By SIGKILL.
        killed: bool,
    },
    /// Ending with processes that SIGKILL does not end.
    Abandoned,
    /// All is done.
    Exiting {
        /// The exit code.
        code: u8,
    },
}

/// Why everything stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// circusd was told to.
    Signal(Signal),
    /// A client told it to.
    Command,
    /// An essential watcher ended.
    Essential {
        /// Which watcher.
        watcher: u32,
        /// The code that circusd will exit with.
        code: u8,
    },
    /// An essential watcher waits in vain, as what it needs has ended.
    Hopeless {
        /// Which watcher.
        watcher: u32,
        /// What it waits for.
        blocker: Blocker,
        /// The code that circusd will exit with.
        code: u8,
    },
    /// `exit_when_done`, and nothing is left to do.
    Done {
        /// The code that circusd will exit with.
        code: u8,
    },
}

/// Why a stop is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HurryCause {
    /// A second signal.
    Signal(Signal),
    /// `shutdown_timeout` is over.
    Timeout,
}

/// What a sentence needs to know beside the facts.
pub trait Names {
    /// A watcher's name.
    fn watcher(&self, watcher: u32) -> &str;
    /// Whether the watcher has more than one process, so that a slot needs its number.
    fn has_many(&self, watcher: u32) -> bool;
    /// What the system calls this error.
    fn error(&self, errno: i32) -> String;
    /// What a process was to become, for a failure at `failure.step`: a path or an option's value.
    fn object(&self, slot: SlotId, failure: Failure) -> String;
}

impl Report {
    /// How urgent it is.
    pub fn level(&self) -> LogLevel {
        match self {
            Report::Died { next: Next::GivenUp { .. }, .. } => LogLevel::Error,
            // That it is replaced was told, with the reason.
            Report::Died { fault: Some(_), next: Next::Start { .. }, .. } => LogLevel::Debug,
            Report::Died { success: true, .. } => LogLevel::Info,
            Report::Died { .. }
            | Report::ForkFailed { .. }
            | Report::Faulty { .. }
            | Report::Unknown { .. }
            | Report::ProbeStuck { .. }
            | Report::Blocked { .. }
            | Report::HookFailed { .. }
            | Report::NeverStarted { .. }
            | Report::Outlasted { .. }
            | Report::Hanging { .. }
            | Report::Hurried { .. } => LogLevel::Warning,
            Report::LeftBehind { killed: true, .. } | Report::Orphans { killed: true, .. } => {
                LogLevel::Warning
            }
            Report::LeftBehind { asked: true, .. } => LogLevel::Debug,
            Report::ReloadFailed { .. } | Report::Stuck { .. } | Report::Abandoned => {
                LogLevel::Error
            }
            Report::Started { .. }
            | Report::Ready { .. }
            | Report::Listening { .. }
            | Report::Idle { .. }
            | Report::Known { .. }
            | Report::Succeeded { .. }
            | Report::Respawned { .. }
            | Report::TooOld { .. }
            | Report::LeftBehind { .. }
            | Report::Stopped { .. }
            | Report::Completed { .. }
            | Report::Added { .. }
            | Report::Removed { .. }
            | Report::Changed { .. }
            | Report::HupSent { .. }
            | Report::Reloading { .. }
            | Report::Reloaded { .. }
            | Report::Stopping { .. }
            | Report::Exiting { .. }
            | Report::Orphans { .. } => LogLevel::Info,
        }
    }

    /// A short name for the kind of fact.
    pub fn kind(&self) -> &'static str {
        match self {
            Report::Started { .. } => "started",
            Report::Ready { .. } => "ready",
            Report::Listening { .. } => "listening",
            Report::Idle { .. } => "idle",
            Report::Faulty { .. } => "faulty",
            Report::Unknown { .. } => "unknown",
            Report::Known { .. } => "known",
            Report::ProbeStuck { .. } => "probe_stuck",
            Report::Succeeded { .. } => "succeeded",
            Report::Blocked { .. } => "blocked",
            Report::HookFailed { .. } => "hook_failed",
            Report::Respawned { .. } => "respawned",
            Report::Died { .. } => "died",
            Report::ForkFailed { .. } => "fork_failed",
            Report::NeverStarted { .. } => "never_started",
            Report::TooOld { .. } => "too_old",
            Report::Outlasted { .. } => "outlasted",
            Report::LeftBehind { .. } => "left_behind",
            Report::Hanging { .. } => "hanging",
            Report::Stuck { .. } => "stuck",
            Report::Stopped { .. } => "stopped",
            Report::Completed { .. } => "completed",
            Report::Added { .. } => "added",
            Report::Removed { .. } => "removed",
            Report::Changed { .. } => "changed",
            Report::HupSent { .. } => "hup_sent",
            Report::Reloading { .. } => "reloading",
            Report::Reloaded { .. } => "reloaded",
            Report::ReloadFailed { .. } => "reload_failed",
            Report::Stopping { .. } => "stopping",
            Report::Hurried { .. } => "hurried",
            Report::Orphans { .. } => "orphans",
            Report::Abandoned => "abandoned",
            Report::Exiting { .. } => "exiting",
        }
    }

    /// The watcher that it is about.
    pub fn watcher(&self) -> Option<u32> {
        match self {
            Report::Started { watcher, .. }
            | Report::Ready { watcher }
            | Report::Listening { watcher }
            | Report::Idle { watcher, .. }
            | Report::Blocked { watcher, .. }
            | Report::HookFailed { watcher, .. }
            | Report::NeverStarted { watcher }
            | Report::Stopped { watcher, .. }
            | Report::Completed { watcher }
            | Report::Added { watcher }
            | Report::Removed { watcher }
            | Report::Changed { watcher, .. }
            | Report::HupSent { watcher }
            | Report::Reloading { watcher }
            | Report::Reloaded { watcher }
            | Report::ReloadFailed { watcher } => Some(*watcher),
            Report::Respawned { slot, .. }
            | Report::Died { slot, .. }
            | Report::Faulty { slot, .. }
            | Report::Unknown { slot, .. }
            | Report::Known { slot, .. }
            | Report::Succeeded { slot, .. }
            | Report::ForkFailed { slot, .. }
            | Report::TooOld { slot, .. }
            | Report::Outlasted { slot, .. }
            | Report::LeftBehind { slot, .. }
            | Report::Hanging { slot, .. }
            | Report::ProbeStuck { slot }
            | Report::Stuck { slot, .. } => Some(slot.watcher),
            Report::Stopping { .. }
            | Report::Hurried { .. }
            | Report::Orphans { .. }
            | Report::Exiting { .. }
            | Report::Abandoned => None,
        }
    }

    /// The slot's number and the process that it is about.
    pub fn process(&self) -> Option<(u32, Option<Pid>)> {
        match self {
            Report::Respawned { slot, pid }
            | Report::Died { slot, pid, .. }
            | Report::Faulty { slot, pid, .. }
            | Report::Unknown { slot, pid, .. }
            | Report::Known { slot, pid }
            | Report::Succeeded { slot, by: pid, .. }
            | Report::TooOld { slot, pid }
            | Report::Hanging { slot, pid }
            | Report::Outlasted { slot, pid, .. } => Some((slot.wid(), Some(*pid))),
            Report::ForkFailed { slot, .. }
            | Report::LeftBehind { slot, .. }
            | Report::ProbeStuck { slot }
            | Report::Stuck { slot, .. } => Some((slot.wid(), None)),
            Report::Started { .. }
            | Report::Ready { .. }
            | Report::Listening { .. }
            | Report::Idle { .. }
            | Report::Blocked { .. }
            | Report::HookFailed { .. }
            | Report::NeverStarted { .. }
            | Report::Stopped { .. }
            | Report::Completed { .. }
            | Report::Added { .. }
            | Report::Removed { .. }
            | Report::Changed { .. }
            | Report::HupSent { .. }
            | Report::Reloading { .. }
            | Report::Reloaded { .. }
            | Report::ReloadFailed { .. }
            | Report::Stopping { .. }
            | Report::Hurried { .. }
            | Report::Orphans { .. }
            | Report::Exiting { .. }
            | Report::Abandoned => None,
        }
    }
}

/// How a process has come to its end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) ending: Ending,
    pub(super) memory_short: bool,
    /// Its last line.
    pub(super) said: Option<Rc<str>>,
}

/// How a process ended that nobody had asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) slot: SlotId,
    pub(super) pid: Pid,
    pub(super) ending: Ending,
    pub(super) fault: Option<Fault>,
    pub(super) lived_ms: u64,
    pub(super) memory_short: bool,
    pub(super) said: Option<Rc<str>>,
    pub(super) next: Next,
    pub(super) at: Moment,
}
