//! What has happened, as it is told to the core.

use super::{Asker, HookAnswer, SlotId};
use crate::commands::Command;
use crate::config::options::Change;
use crate::config::settings::{CircusSettings, WatcherSettings};
use crate::notification::Notification;
use crate::process::{Ending, Pid, Tag};
use crate::signal::Signal;
use std::rc::Rc;

/// Names something that was asked for and takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errand(pub u64);

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
        /// Section `[circus]`.
        circus: CircusSettings,
        /// All watchers in it.
        watchers: Vec<Rc<WatcherSettings>>,
        /// Everything is to be stopped and started too.
        restart: bool,
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
    /// What a hook has come to. Never told of one that was abandoned before.
    HookReturned {
        /// Which.
        errand: Errand,
        /// What it says.
        answer: HookAnswer,
    },
    /// circusd received a signal.
    Signalled {
        /// Which one.
        signal: Signal,
    },
}
