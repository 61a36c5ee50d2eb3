//! What people are told, as facts. The sentence is made here too, so that every place that shows a
//! fact uses the same words.

use super::SlotId;
use super::slot::Next;
use crate::config::settings::LogLevel;
use crate::moment::Moment;
use crate::process::{Ending, Failure, Pid};
use crate::signal::Signal;

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
        /// Whether that is one of its `success_codes`.
        success: bool,
        /// How long it lived.
        lived_ms: u64,
        /// The kernel killed it for lack of memory, by the cgroup's counters.
        memory_short: bool,
        /// What follows.
        next: Next,
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
    /// SIGKILL did not end a process.
    Stuck {
        /// Where.
        slot: SlotId,
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
            Report::Died { success: true, .. } => LogLevel::Info,
            Report::Died { .. }
            | Report::ForkFailed { .. }
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
            | Report::ForkFailed { slot, .. }
            | Report::TooOld { slot, .. }
            | Report::Outlasted { slot, .. }
            | Report::LeftBehind { slot, .. }
            | Report::Hanging { slot, .. }
            | Report::Stuck { slot } => Some(slot.watcher),
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
            | Report::TooOld { slot, pid }
            | Report::Hanging { slot, pid }
            | Report::Outlasted { slot, pid, .. } => Some((slot.wid(), Some(*pid))),
            Report::ForkFailed { slot, .. }
            | Report::LeftBehind { slot, .. }
            | Report::Stuck { slot } => Some((slot.wid(), None)),
            Report::Started { .. }
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

    /// The sentence.
    pub fn text(&self, names: &dyn Names) -> String {
        match self {
            Report::Started { watcher, pids } if pids.is_empty() => {
                format!("{} started with no process", names.watcher(*watcher))
            }
            Report::Started { watcher, pids } => {
                format!("{} started ({})", names.watcher(*watcher), list(pids))
            }
            Report::Respawned { slot, pid } => format!("{} started (pid {pid})", at(names, *slot)),
            Report::Died { .. } => self.death(names),
            Report::ForkFailed { slot, errno, next } => format!(
                "{}: no process can be made: {}; {}",
                at(names, *slot),
                match *errno {
                    EAGAIN =>
                        "the limit of processes is reached (RLIMIT_NPROC, pids cgroup)".into(),
                    errno => names.error(errno),
                },
                then(*next)
            ),
            Report::NeverStarted { watcher } => {
                format!("{} is never started: max_retry is 0", names.watcher(*watcher))
            }
            Report::TooOld { slot, pid } => {
                format!("{} (pid {pid}) has reached its max_age and is replaced", at(names, *slot))
            }
            Report::Outlasted { slot, pid, signal, waited_ms } => format!(
                "{} (pid {pid}) did not end within {} of {signal}: killed",
                at(names, *slot),
                seconds(*waited_ms)
            ),
            Report::LeftBehind { slot, pids, killed, .. } => format!(
                "{} left {} behind, {}",
                at(names, *slot),
                list(pids),
                if *killed { "now killed" } else { "now asked to end" }
            ),
            Report::Hanging { slot, pid } => format!(
                "{} (pid {pid}) has not become its program yet: does a file system hang that its \
                 working_dir or program is on?",
                at(names, *slot)
            ),
            Report::Stuck { slot } => {
                format!("{}: SIGKILL does not end it: it hangs in the kernel", at(names, *slot))
            }
            Report::Stopped { watcher, asked: true } => {
                format!("{} stopped", names.watcher(*watcher))
            }
            Report::Stopped { watcher, asked: false } => {
                format!("{} has no process left and starts none", names.watcher(*watcher))
            }
            Report::Completed { watcher } => format!("{} completed", names.watcher(*watcher)),
            Report::Added { watcher } => format!("{} added", names.watcher(*watcher)),
            Report::Removed { watcher } => format!("{} removed", names.watcher(*watcher)),
            Report::Changed { watcher, options } => {
                format!("{} changed: {}", names.watcher(*watcher), options.join(", "))
            }
            Report::HupSent { watcher } => {
                format!("{} reloading: SIGHUP sent", names.watcher(*watcher))
            }
            Report::Reloading { watcher } => format!("{} reloading", names.watcher(*watcher)),
            Report::Reloaded { watcher } => format!("{} reloaded", names.watcher(*watcher)),
            Report::ReloadFailed { watcher } => format!(
                "{} not reloaded: its new processes did not start, the old ones stay",
                names.watcher(*watcher)
            ),
            Report::Stopping { cause } => stopping(*cause, names),
            Report::Hurried { cause } => hurried(*cause),
            Report::Orphans { pids, killed } => format!(
                "{} of no watcher {}",
                list(pids),
                if *killed { "killed" } else { "asked to end" }
            ),
            Report::Exiting { code } => format!("all stopped, exit code {code}"),
            Report::Abandoned => "ending although SIGKILL has not ended every process".to_string(),
        }
    }

    fn death(&self, names: &dyn Names) -> String {
        let Report::Died { slot, pid, ending, lived_ms, memory_short, next, .. } = *self else {
            return String::new();
        };
        let at_moment = Moment::default();
        let death = Death { slot, pid, ending, lived_ms, memory_short, next, at: at_moment };
        let who = at(names, slot);
        let (text, then) = (death.text(names), then(next));
        match ending {
            Ending::NotExecuted(_) => format!("{who}: {text}; {then}"),
            Ending::Exited(_) | Ending::Killed(_) => format!("{who} (pid {pid}) {text}; {then}"),
        }
    }
}

/// How a process ended that nobody had asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) slot: SlotId,
    pub(super) pid: Pid,
    pub(super) ending: Ending,
    pub(super) lived_ms: u64,
    pub(super) memory_short: bool,
    pub(super) next: Next,
    pub(super) at: Moment,
}

impl Death {
    /// The sentence without its subject.
    pub(super) fn text(&self, names: &dyn Names) -> String {
        let lived = seconds(self.lived_ms);
        match self.ending {
            Ending::Exited(code) if self.memory_short => format!(
                "exited with code {code} after {lived}: the kernel has killed what it ran for \
                 lack of memory"
            ),
            Ending::Exited(code) => format!("exited with code {code} after {lived}"),
            Ending::Killed(_) if self.memory_short => {
                format!("was killed by the kernel for lack of memory after {lived}")
            }
            Ending::Killed(signal) => format!("was killed by {signal} after {lived}"),
            Ending::NotExecuted(failure) => format!(
                "cannot {}: {}",
                names.object(self.slot, failure),
                names.error(failure.errno)
            ),
        }
    }
}

const EAGAIN: i32 = 11;

fn at(names: &dyn Names, slot: SlotId) -> String {
    let name = names.watcher(slot.watcher);
    if names.has_many(slot.watcher) { format!("{name}.{}", slot.wid()) } else { name.to_string() }
}

fn list(pids: &[Pid]) -> String {
    const SHOWN: usize = 10;
    let mut text = String::from(if pids.len() == 1 { "pid" } else { "pids" });
    for pid in pids.iter().take(SHOWN) {
        text.push_str(&format!(" {pid}"));
    }
    if pids.len() > SHOWN {
        text.push_str(&format!(" and {} more", pids.len() - SHOWN));
    }
    text
}

pub(super) fn then(next: Next) -> String {
    match next {
        Next::Start { delay_ms: 0 } => "starting again now".to_string(),
        Next::Start { delay_ms } => format!("starting again in {}", seconds(delay_ms)),
        Next::Over => "not started again".to_string(),
        Next::GivenUp { failures: 1 } => "given up".to_string(),
        Next::GivenUp { failures } => format!("given up after {failures} failures in a row"),
    }
}

fn stopping(cause: StopCause, names: &dyn Names) -> String {
    match cause {
        StopCause::Signal(signal) => format!("{signal} received: stopping"),
        StopCause::Command => "quit received: stopping".to_string(),
        StopCause::Essential { watcher, code } => {
            format!("{} is essential and ended: stopping, exit code {code}", names.watcher(watcher))
        }
        StopCause::Done { code } => format!("nothing left to run: stopping, exit code {code}"),
    }
}

fn hurried(cause: HurryCause) -> String {
    match cause {
        HurryCause::Signal(signal) => format!("{signal} received again: stopping at once"),
        HurryCause::Timeout => "shutdown_timeout is over: killing what is left".to_string(),
    }
}

fn seconds(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..100_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => {
            let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
            if h == 0 { format!("{m} min {s} s") } else { format!("{h} h {m} min") }
        }
    }
}
