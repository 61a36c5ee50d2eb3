//! What has happened, as it is told to the core.

use super::{Asker, HookAnswer, SlotId, Ticket};
use crate::commands::Command;
use crate::config::options::Change;
use crate::config::settings::{CircusSettings, SocketSettings, WatcherSettings};
use crate::notification::Notification;
use crate::process::{Ending, Pid, Tag};
use crate::signal::Signal;
use std::rc::Rc;

/// Names something that was asked for and takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errand(pub u64);

/// A configuration that was read again.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// Section `[circus]`.
    pub circus: CircusSettings,
    /// All watchers in it.
    pub watchers: Vec<Rc<WatcherSettings>>,
    /// All sockets in it, which are bound by now.
    pub sockets: Vec<Rc<SocketSettings>>,
}

/// Something that has happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The program is ready to run watchers. Told once, first.
    Begin,
    /// Time has passed: a deadline may be due.
    Tick,
    /// The process asked for by `Action::Spawn` exists.
    Spawned {
        /// For which slot.
        slot: SlotId,
        /// Its id.
        pid: Pid,
        /// Its tag, as asked for.
        tag: Tag,
    },
    /// The process asked for by `Action::Spawn` could not be made.
    SpawnFailed {
        /// For which slot.
        slot: SlotId,
        /// The kernel's error number.
        errno: i32,
    },
    /// The process has become its program.
    Executed {
        /// Which.
        pid: Pid,
    },
    /// A child of ours was stopped (suspended) by a signal.
    Suspended {
        /// Which.
        pid: Pid,
    },
    /// A child of ours ended and was reaped: one that we started, or an orphan that was adopted.
    Ended {
        /// Which. The number may be another process's from now on.
        pid: Pid,
        /// How.
        ending: Ending,
        /// The kernel killed something in this container for lack of memory since the last death.
        memory_short: bool,
        /// The last line that it printed to a captured stderr.
        said: Option<Rc<str>>,
    },
    /// The children of ours that the core has not started itself, in answer to `Action::Survey`.
    /// At this moment every child that had ended was reaped.
    Survey {
        /// Adopted processes, each with the tag that it carries.
        adopted: Vec<(Pid, Option<Tag>)>,
    },
    /// A client wants something done that is not among the three that follow.
    Command {
        /// Who, and when an answer is wanted.
        asker: Asker,
        /// What.
        command: Command,
    },
    /// A client wants a new watcher.
    Add {
        /// Who.
        asker: Asker,
        /// Its settings.
        settings: Rc<WatcherSettings>,
        /// It is to be started too.
        start: bool,
    },
    /// A client wants other settings for a watcher.
    Change {
        /// Who.
        asker: Asker,
        /// Which watcher.
        watcher: u32,
        /// All its settings from now on.
        settings: Rc<WatcherSettings>,
        /// Those that were set.
        options: Vec<Box<str>>,
        /// The most that changing them does.
        change: Change,
    },
    /// The configuration was read again.
    Configure {
        /// Who asked for it.
        asker: Asker,
        /// What it says.
        configuration: Box<Configuration>,
        /// Everything is to be stopped and started too.
        restart: bool,
    },
    /// Somebody waits at a socket of a watcher that `Supervisor::waits_for_demand` names.
    Demanded {
        /// Which watcher.
        watcher: u32,
    },
    /// Somebody has come to a socket of a watcher since `Action::Attend`. Told once for each.
    Connected {
        /// Which watcher.
        watcher: u32,
    },
    /// The answer to `Action::LookForConnections`.
    LookedForConnections {
        /// Of which watcher.
        watcher: u32,
        /// Somebody is connected to one of its sockets, or waits to be.
        found: bool,
    },
    /// A process of ours, or a descendant of one, has told something.
    Notified {
        /// The process of ours.
        pid: Pid,
        /// What.
        said: Notification,
    },
    /// A process of ours has ended, and its successor goes on as a child of ours.
    Succeeded {
        /// Which one. The number may be another process's from now on.
        pid: Pid,
        /// The one that was named (`MAINPID=`), and is of its own.
        by: Pid,
    },
    /// What an errand has come to. Never told of one that was abandoned before.
    Returned {
        /// Which.
        errand: Errand,
        /// Success, or a few words for people.
        outcome: Result<(), Rc<str>>,
    },
    /// A probe that was abandoned has ended. Told instead of what it has come to.
    Gone {
        /// Which.
        errand: Errand,
    },
    /// A probe could not be sent, for want of something that comes and goes.
    Unsent {
        /// Which.
        errand: Errand,
        /// A few words for people.
        reason: Rc<str>,
    },
    /// What a hook has come to. Never told of one that was abandoned before.
    HookReturned {
        /// Which.
        errand: Errand,
        /// What it says.
        answer: HookAnswer,
    },
    /// A client wants figures of these processes with what their hook adds. Answered by
    /// `Action::Extras`.
    Extend {
        /// Who.
        ticket: Ticket,
        /// Which watcher.
        watcher: u32,
        /// Its processes.
        pids: Vec<Pid>,
    },
    /// circusd received a signal.
    Signalled {
        /// Which one.
        signal: Signal,
    },
}
