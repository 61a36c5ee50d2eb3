//! A group of equal processes.
//!
//! ```text
//! Stopped ──→ Starting ──(all became their program)──→ Active
//!    ↑           │                                       │
//!    └───────────┴──(stop; or nothing left to start)──→ Stopping
//! ```

use super::demand::Demand;
use super::event::Errand;
use super::operation::{Current, Operation};
use super::order::Planned;
use super::report::Death;
use super::slot::{Slot, State, StopStage};
use crate::config::settings::{HookName, WatcherSettings};
use crate::moment::Moment;
use crate::process::Ending;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) settings: Rc<WatcherSettings>,
    /// What the configuration says; `None` if it came otherwise.
    pub(super) configured: Option<Rc<WatcherSettings>>,
    /// By index. A reload has two generations.
    pub(super) slots: Vec<Slot>,
    pub(super) phase: Phase,
    pub(super) reload: Option<Reload>,
    /// All its processes have become their program since it was told to start.
    pub(super) is_started: bool,
    /// The hook that all of it waits for.
    pub(super) hook: Option<(HookName, Errand)>,
    /// Its `after_start` has said yes.
    pub(super) is_greeted: bool,
    /// The hook that has said no to its last start.
    pub(super) refused: Option<HookName>,
    /// So many times it was started.
    pub(super) run: u32,
    /// It is to be started when its turn comes.
    pub(super) planned: Option<Planned>,
    /// Watchers of a priority below this one wait for it, as it is a one-shot that has not ended.
    pub(super) awaited_by: Option<i32>,
    /// What it does for a command, and what it is to do after that.
    pub(super) current: Option<Current>,
    pub(super) queued: VecDeque<Operation>,
    /// Who comes to its sockets, if it starts on demand.
    pub(super) demand: Demand,
    /// It is being removed.
    pub(super) leaving: bool,
    /// Its processes go on without it.
    pub(super) let_go: bool,
    /// The number of processes for which slots were last arranged.
    pub(super) sized: u32,
    /// Exit code of the process that ended last without being asked to.
    pub(super) last_code: u8,
    /// How it ended.
    pub(super) last_death: Option<Death>,
    /// How the last process of a one-shot ended, well or not.
    pub(super) last_exit: Option<(Ending, Moment)>,
    /// When everything stops, lower ones go first.
    pub(super) stop_rank: i32,
    /// One of its lives since it was started was a failure that was not tried again.
    pub(super) failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Stopped(Why),
    Starting,
    Active,
    Stopping,
}

/// Why a watcher is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    NotStarted,
    Asked,
    /// It starts when somebody comes.
    Waiting,
    /// All its processes ended and none is to be started again.
    Ended,
    /// The same, and one of them in failure.
    Failed,
    /// A one-shot's success.
    Completed,
}

/// A graceful reload: new processes first, then the old ones out.
#[derive(Debug)]
pub(super) struct Reload {
    /// Indexes of the slots whose processes are to go.
    pub(super) old: Vec<u32>,
    /// Indexes of the slots that take over.
    pub(super) new: Vec<u32>,
}

impl Watcher {
    pub(super) fn new(settings: Rc<WatcherSettings>, is_configured: bool) -> Watcher {
        Watcher {
            sized: settings.numprocesses,
            configured: is_configured.then(|| settings.clone()),
            settings,
            slots: Vec::new(),
            phase: Phase::Stopped(Why::NotStarted),
            reload: None,
            is_started: false,
            hook: None,
            is_greeted: false,
            refused: None,
            run: 0,
            planned: None,
            awaited_by: None,
            current: None,
            queued: VecDeque::new(),
            demand: Demand::default(),
            leaving: false,
            let_go: false,
            last_code: 0,
            last_death: None,
            last_exit: None,
            stop_rank: 0,
            failed: false,
        }
    }

    /// It is meant to run.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Active)
    }

    /// No process is here or will be.
    pub(super) fn has_ended(&self) -> bool {
        self.slots.iter().all(|slot| !slot.wanted && !slot.state.is_live())
    }

    /// It runs, or something of it is left that can end.
    pub(super) fn is_here(&self) -> bool {
        self.is_up()
            || self.hook.is_some()
            || self.slots.iter().any(|slot| match &slot.state {
                State::Vacant | State::Stopping { stage: StopStage::Stuck, .. } => false,
                State::Due { .. }
                | State::Held { .. }
                | State::Queued
                | State::Spawning { .. }
                | State::Running { .. }
                | State::Stopping { .. }
                | State::Clearing { .. } => true,
            })
    }

    /// Not even a descendant is left to wait for.
    pub(super) fn is_vacant(&self) -> bool {
        self.slots.iter().all(|slot| matches!(slot.state, State::Vacant))
    }

    /// A one-shot that has done what it is for.
    pub(super) fn has_completed(&self) -> bool {
        self.phase == Phase::Stopped(Why::Completed)
    }

    /// A one-shot that has not come to its end.
    pub(super) fn is_unfinished_oneshot(&self) -> bool {
        self.settings.oneshot && self.is_up()
    }
}
