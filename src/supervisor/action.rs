//! What the core wants done. The shell does it at once and in order.

use super::report::Report;
use super::{Errand, HookFacts, Question, SlotId, Ticket};
use crate::commands::{Answer, Publication};
use crate::config::settings::HookName;
use crate::moment::Moment;
use crate::process::{Pid, Tag};
use crate::signal::Signal;
use std::rc::Rc;

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
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
    /// Send a signal to this direct child of a child of ours.
    SignalChild {
        /// Whose child it has to be.
        pid: Pid,
        /// To whom.
        child: Pid,
        /// What.
        signal: Signal,
    },
    /// Send a signal to all descendants of a child of ours.
    SignalDescendants {
        /// Whose descendants.
        pid: Pid,
        /// What.
        signal: Signal,
    },
    /// Reap whatever has ended, then tell which children of ours the core has not started;
    /// answered by `Event::Survey`. Never asked for again before it is answered.
    Survey,
    /// Find out whether a process does its work, by `question.probe(settings)`; answered by
    /// `Event::Returned`, or `Event::Unsent`.
    Probe {
        /// Whose process.
        slot: SlotId,
        /// The process.
        pid: Pid,
        /// Names it.
        errand: Errand,
        /// What is asked.
        question: Question,
    },
    /// Call a hook of a watcher; answered by `Event::HookReturned`.
    Hook {
        /// Whose.
        watcher: u32,
        /// Of the process in this slot; `None` if it is about all of them.
        slot: Option<SlotId>,
        /// Names the call.
        errand: Errand,
        /// Which hook.
        name: HookName,
        /// What it is told.
        facts: HookFacts,
    },
    /// Tell when somebody comes to a socket of this watcher, once: `Event::Connected`.
    Attend {
        /// Which watcher.
        watcher: u32,
    },
    /// Find out whether somebody is connected to a socket of this watcher; answered by
    /// `Event::LookedForConnections`.
    LookForConnections {
        /// Which watcher.
        watcher: u32,
    },
    /// Nobody wants to know any more: end whatever was started for it. Answered, if it is a probe, by
    /// `Event::Gone` when that has ended.
    Abandon {
        /// Which.
        errand: Errand,
    },
    /// Tell people.
    Report(Report),
    /// Tell subscribers.
    Publish {
        /// About which watcher.
        watcher: u32,
        /// What.
        publication: Publication,
        /// When it happened.
        at: Moment,
    },
    /// Tell whoever asked. Each ticket is answered once.
    Answer {
        /// Who.
        ticket: Ticket,
        /// What.
        answer: Answer,
    },
    /// What hooks add to the figures of processes. Each ticket is answered once.
    Extras {
        /// Who has asked.
        ticket: Ticket,
        /// Of which process what, as JSON; not of those whose hook has nothing to say.
        said: Vec<(Pid, Rc<str>)>,
    },
    /// Open the files of captured output anew: somebody has moved them.
    ReopenLogs,
    /// All is done: end with this code. The last action.
    Exit {
        /// Exit code.
        code: u8,
    },
}

impl Action {
    pub(super) fn publish(watcher: u32, publication: Publication, at: Moment) -> Action {
        Action::Publish { watcher, publication, at }
    }
}
