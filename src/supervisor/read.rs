//! Commands that only read: answered from what is known, at once, whatever else goes on.

use super::report::Names;
use super::slot::{Slot, State, StopStage, Way};
use super::watcher::{Phase, Watcher, Why};
use super::{SlotId, Supervisor};
use crate::commands::{Answer, Command, ProcessDetail, Status, WatcherDetail};
use crate::config::Watchers;
use crate::config::settings::{SocketSettings, WatcherSettings};
use crate::moment::Moment;
use crate::process::Pid;
use std::rc::Rc;

/// A process of a watcher, for whoever wants to look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub pid: Pid,
    /// Its number in the watcher.
    pub wid: u32,
    /// When it was made.
    pub started: Moment,
}

/// Without regard to case, as clients name them.
impl Watchers for Supervisor {
    fn watcher(&self, name: &str) -> Option<&WatcherSettings> {
        self.find(name).ok().map(|watcher| &**self.settings(watcher))
    }

    fn sockets(&self) -> &[Rc<SocketSettings>] {
        self.sockets()
    }
}

impl Supervisor {
    /// The answer, if the core knows all of it.
    pub fn read(&self, command: &Command, now: Moment, names: &dyn Names) -> Option<Answer> {
        let answer = match command {
            Command::List { name: None } => {
                let mut all: Vec<String> =
                    self.here().map(|(_, watcher)| watcher.settings.name.to_lowercase()).collect();
                crate::sort::sort(&mut all);
                Ok(Answer::Watchers(all))
            }
            Command::List { name: Some(name) } => self.find(name).map(|w| {
                Answer::Pids(self.running(w).into_iter().map(|process| process.pid).collect())
            }),
            Command::Status { name: None, detail: false } => Ok(Answer::Statuses(
                self.here()
                    .map(|(_, watcher)| (watcher.settings.name.clone(), watcher.status()))
                    .collect(),
            )),
            Command::Status { name: Some(name), detail: false } => {
                self.find(name).map(|w| Answer::Status(self.watchers[w].status()))
            }
            Command::Status { name: None, detail: true } => {
                Ok(Answer::Details(self.here().map(|(w, _)| self.detail(w, now, names)).collect()))
            }
            Command::Status { name: Some(name), detail: true } => {
                self.find(name).map(|w| Answer::Details(vec![self.detail(w, now, names)]))
            }
            Command::Numprocesses { name: None } => Ok(Answer::Numprocesses {
                numprocesses: self.here().map(|(_, watcher)| watcher.process_count()).sum(),
                watcher_name: None,
            }),
            Command::Numprocesses { name: Some(name) } => {
                self.find(name).map(|w| Answer::Numprocesses {
                    numprocesses: self.watchers[w].process_count(),
                    watcher_name: Some(name.clone()),
                })
            }
            Command::Numwatchers => Ok(Answer::Numwatchers(self.here().count() as u32)),
            Command::Add { .. }
            | Command::Decr { .. }
            | Command::Dstats
            | Command::Get { .. }
            | Command::GlobalOptions { .. }
            | Command::Incr { .. }
            | Command::Kill { .. }
            | Command::ListSockets { .. }
            | Command::Logs { .. }
            | Command::ReopenLogs
            | Command::Options { .. }
            | Command::Quit
            | Command::Reload { .. }
            | Command::ReloadConfig { .. }
            | Command::Restart(_)
            | Command::RestartWithDependants(_)
            | Command::Rm { .. }
            | Command::Set { .. }
            | Command::Signal { .. }
            | Command::Start(_)
            | Command::StartWithDependants(_)
            | Command::Stats { .. }
            | Command::Stop(_)
            | Command::StopWithDependants(_) => return None,
        };
        Some(answer.unwrap_or_else(Answer::Refused))
    }

    /// Everything that was to run does what it is for. Asked after every event, so it goes on where
    /// it has found one last that is not well.
    pub fn is_all_well(&mut self) -> bool {
        let ill = self.watchers.next_that(self.ill, |watcher| !watcher.is_healthy());
        self.ill = ill.unwrap_or_default();
        !self.is_stopping() && ill.is_none()
    }

    fn here(&self) -> impl Iterator<Item = (u32, &Watcher)> {
        self.watchers.entries().filter(|(_, watcher)| !watcher.leaving)
    }

    /// The numbers of all watchers, in order.
    pub fn watcher_numbers(&self) -> Vec<u32> {
        self.here().map(|(w, _)| w).collect()
    }

    /// The processes of a watcher, in the order of their starts.
    pub fn running(&self, w: u32) -> Vec<Running> {
        let mut all: Vec<Running> = self
            .slot_ids(w)
            .filter_map(|id: SlotId| {
                let leader = self.slot(id).state.leader()?;
                Some(Running { pid: leader.pid, wid: id.wid(), started: leader.started })
            })
            .collect();
        crate::sort::sort_by_key(&mut all, |process| (process.started, process.wid));
        all
    }
}

impl Watcher {
    fn process_count(&self) -> u32 {
        self.slots.iter().filter(|slot| slot.state.leader().is_some()).count() as u32
    }

    fn status(&self) -> Status {
        match self.phase {
            Phase::Stopped(Why::Completed) => Status::Completed,
            Phase::Stopped(
                Why::NotStarted | Why::Asked | Why::Waiting | Why::Ended | Why::Failed,
            ) => Status::Stopped,
            Phase::Starting => Status::Starting,
            Phase::Active => Status::Active,
            Phase::Stopping => Status::Stopping,
        }
    }

    /// Nothing is to be seen to. One that somebody stopped is as it should be; so is a process that
    /// is just being replaced by order, while others do its work.
    fn is_healthy(&self) -> bool {
        match self.phase {
            _ if self.planned.is_some() => false,
            Phase::Stopped(Why::Failed) | Phase::Starting | Phase::Stopping => false,
            Phase::Stopped(
                Why::NotStarted | Why::Asked | Why::Waiting | Why::Ended | Why::Completed,
            ) => true,
            Phase::Active => {
                let runs = Slot::is_ready;
                let is_well = |slot: &Slot| {
                    !slot.wanted || runs(slot) || slot.renewed && !slot.is_in_trouble()
                };
                let serves = self.wanted_count() == 0 || self.slots.iter().any(runs);
                !self.failed
                    && !self.lacks_some()
                    && !self.is_unfinished_oneshot()
                    && serves
                    && self.slots.iter().all(is_well)
            }
        }
    }

    /// A reload has taken some away and not replaced them.
    fn lacks_some(&self) -> bool {
        self.sized < self.settings.numprocesses && self.current.is_none()
    }

    /// It is not as it should be, and nothing that goes on changes that.
    fn is_hopeless(&self) -> bool {
        match (&self.planned, self.phase) {
            (Some(planned), _) => planned.root().is_some(),
            (None, Phase::Stopped(Why::Failed)) => self.current.is_none() && self.queued.is_empty(),
            (None, Phase::Starting | Phase::Active) => self.failed,
            (None, Phase::Stopped(_) | Phase::Stopping) => false,
        }
    }

    /// A process that hangs in the kernel.
    fn stuck(&self) -> Option<Pid> {
        self.slots.iter().find_map(|slot| match &slot.state {
            State::Stopping { leader, stage: StopStage::Stuck, .. } => Some(leader.pid),
            _ => None,
        })
    }

    fn note(&self) -> &'static str {
        match self.phase {
            _ if self.planned.is_some() => "waiting to start",
            Phase::Starting | Phase::Active if self.settings.oneshot => "not completed",
            Phase::Active if self.lacks_some() => "not all reloaded",
            Phase::Starting if self.is_started => "not ready",
            Phase::Active if !self.is_healthy() && !self.is_ready() => "not ready",
            Phase::Stopped(Why::NotStarted) => "not started",
            Phase::Stopped(Why::Waiting) => "waiting for a connection",
            Phase::Stopped(Why::Failed) => "failed",
            Phase::Stopped(Why::Ended) => "ended",
            Phase::Stopped(Why::Asked | Why::Completed)
            | Phase::Starting
            | Phase::Active
            | Phase::Stopping => "",
        }
    }
}

impl Supervisor {
    /// A word more on its state, which may name others.
    fn note_of(&self, w: u32, names: &dyn Names) -> Box<str> {
        let watcher = &self.watchers[w];
        if watcher.planned.is_none() {
            return match watcher.stuck() {
                Some(pid) => format!("SIGKILL does not end pid {pid}").into(),
                None => watcher.note().into(),
            };
        }
        match (self.blocker(w), self.awaited_oneshot(w)) {
            (Some(blocker), _) => blocker.text(|w| names.watcher(w)).into(),
            (None, Some(oneshot)) => {
                let name = names.watcher(oneshot);
                format!("waiting for {name} to end, a one-shot of higher priority").into()
            }
            (None, None) => watcher.note().into(),
        }
    }

    fn detail(&self, w: u32, now: Moment, names: &dyn Names) -> WatcherDetail {
        let watcher = &self.watchers[w];
        let last_death =
            watcher.last_death.as_ref().map(|death| (death.brief(names), now.since_ms(death.at)));
        let slots = watcher.slots.iter().enumerate();
        let dependencies = watcher.settings.depends_on.iter();
        WatcherDetail {
            name: names.watcher(w).into(),
            status: watcher.status(),
            healthy: watcher.is_healthy(),
            note: self.note_of(w, names),
            hopeless: watcher.is_hopeless(),
            numprocesses: watcher.settings.numprocesses,
            processes: slots
                .filter_map(|(index, slot)| slot.detail(index as u32 + 1, now))
                .collect(),
            restarts: watcher.slots.iter().map(|slot| slot.restarts).sum(),
            last_death,
            last_exit: watcher.last_exit.map(|(ending, at)| (ending, now.since_ms(at))),
            depends_on: dependencies.map(|it| format!("{}:{}", it.name, it.gate.name())).collect(),
        }
    }
}

impl Slot {
    fn detail(&self, wid: u32, now: Moment) -> Option<ProcessDetail> {
        let (state, ms) = match &self.state {
            State::Vacant => return None,
            State::Due { at } => ("waiting", at.since_ms(now)),
            State::Held { .. } | State::Queued | State::Spawning { .. } => ("starting", 0),
            State::Running { way: Way::Executed, leader, .. } => {
                let state = match (self.is_ready(), self.reloading) {
                    (false, _) => "starting",
                    (true, true) => "reloading",
                    (true, false) => "running",
                };
                (state, now.since_ms(leader.started))
            }
            State::Running { leader, .. } => ("starting", now.since_ms(leader.started)),
            State::Stopping { leader, .. } => ("stopping", now.since_ms(leader.started)),
            State::Clearing { .. } => ("clearing", 0),
        };
        let pid = self.state.leader().map(|leader| leader.pid);
        let says = self.says.clone();
        Some(ProcessDetail { wid, pid, state, ms, restarts: self.restarts, says })
    }
}
