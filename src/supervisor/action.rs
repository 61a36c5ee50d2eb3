//! What the core wants done. The shell does it at once and in order.

use super::SlotId;
use super::report::Report;
use crate::process::{Pid, Tag};
use crate::signal::Signal;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a process; answered by `Event::Spawned` or `Event::SpawnFailed`.
    Spawn {
        /// For which slot.
        slot: SlotId,
        /// The tag that it and its descendants carry.
        tag: Tag,
    },
    /// Send a signal to a child of ours that has not been reaped.
    Signal {
        /// To whom.
        pid: Pid,
        /// What.
        signal: Signal,
    },
    /// Send a signal to the direct children of a child of ours.
    SignalChildren {
        /// Whose children.
        pid: Pid,
        /// What.
        signal: Signal,
    },
    /// Reap whatever has ended, then tell which children of ours the core has not started;
    /// answered by `Event::Survey`. Never asked for again before it is answered.
    Survey,
    /// Tell people.
    Report(Report),
    /// All is done: end with this code. The last action.
    Exit {
        /// Exit code.
        code: u8,
    },
}
