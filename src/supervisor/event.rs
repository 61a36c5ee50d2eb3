//! What has happened, as it is told to the core.

use super::SlotId;
use crate::process::{Ending, Pid, Tag};
use crate::signal::Signal;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// circusd received a signal.
    Signalled {
        /// Which one.
        signal: Signal,
    },
}
