//! What processes say about themselves and what probes find out: a process becomes ready, or is
//! replaced because it is not.

use super::event::Errand;
use super::slot::{State, StopStage, Way};
use super::vitals::{Fault, Turn, Vitals};
use super::{Action, Report, SlotId, Supervisor};
use crate::commands::Publication;
use crate::config::settings::Readiness;
use crate::moment::Moment;
use crate::notification::{Notification, Watchdog};
use crate::process::Pid;
use crate::signal::Signal;
use std::rc::Rc;

/// Who needs more time than this says so again: that it lives is worth a message an hour.
const EXTENSION_MS_MAX: u64 = 60 * 60 * 1000;

impl Supervisor {
    /// A process has become its program: from now on it is looked at.
    pub(super) fn begin_vitals(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        let settings = self.settings(id.watcher).clone();
        self.alter(id, |state| {
            if let State::Running { way: Way::Executed, vitals, .. } = state {
                *vitals = Vitals::begin(&settings, now);
            }
        });
        let said_ready = self.slot(id).said_ready && settings.ready == Readiness::Notify;
        if self.slot(id).is_ready() {
            self.has_become_ready(id, now, actions);
        } else if said_ready {
            self.turn(id, Some(Turn::Ready), now, actions);
        } else {
            self.vitals_due(id, now, actions);
        }
    }

    /// Something about a running process is due.
    pub(super) fn vitals_due(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        let settings = self.settings(id.watcher).clone();
        let turn = self.vitals(id, |vitals| vitals.due(&settings, now));
        self.turn(id, turn, now, actions);
    }

    fn turn(&mut self, id: SlotId, turn: Option<Turn>, now: Moment, actions: &mut Vec<Action>) {
        let settings = self.settings(id.watcher).clone();
        match turn {
            None | Some(Turn::Nothing) => {}
            Some(Turn::Ready) => {
                self.vitals(id, |vitals| vitals.become_ready(&settings, now));
                self.has_become_ready(id, now, actions);
            }
            Some(Turn::Fault(fault)) => self.fault(id, fault, now, actions),
            Some(Turn::Probe) => self.ask(id, now, actions),
            Some(Turn::Abandon(errand)) => {
                if self.probes.leave(errand) {
                    actions.push(Action::Abandon { errand });
                }
                self.answered(id, Err(Rc::from("no answer in time")), now, actions);
            }
        }
    }

    /// A probe has come back.
    pub(super) fn returned(
        &mut self,
        errand: Errand,
        outcome: Result<(), Rc<str>>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        // One that was abandoned is nobody's any more.
        let Some(id) = self.probes.take(errand) else { return };
        self.answered(id, outcome, now, actions);
    }

    fn answered(
        &mut self,
        id: SlotId,
        outcome: Result<(), Rc<str>>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let settings = self.settings(id.watcher).clone();
        if self.vitals(id, Vitals::sent) == Some(true)
            && let Some(pid) = self.slot(id).running()
        {
            actions.push(Action::Report(Report::Known { slot: id, pid }));
        }
        let company = self.has_company(id);
        let turn = self.vitals(id, |vitals| vitals.answered(outcome, company, &settings, now));
        self.turn(id, turn, now, actions);
    }

    /// Another process of its watcher does the same work, or has just done it.
    fn has_company(&self, id: SlotId) -> bool {
        let serves = |other| {
            let slot = self.slot(other);
            slot.is_ready() || matches!(slot.state, State::Stopping { .. })
        };
        self.is_taking_over(id) || self.slot_ids(id.watcher).any(|it| it != id && serves(it))
    }

    /// A probe could not be sent: that is our trouble and not the process's.
    pub(super) fn unsent(
        &mut self,
        errand: Errand,
        reason: Rc<str>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Some(id) = self.probes.take(errand) else { return };
        let settings = self.settings(id.watcher).clone();
        if self.vitals(id, |vitals| vitals.unsent(&settings, now)) == Some(true)
            && let Some(pid) = self.slot(id).running()
        {
            actions.push(Action::Report(Report::Unknown { slot: id, pid, reason }));
        }
    }

    pub(super) fn vitals<R>(
        &mut self,
        id: SlotId,
        change: impl FnOnce(&mut Vitals) -> R,
    ) -> Option<R> {
        self.alter(id, |state| match state {
            State::Running { vitals: Some(vitals), .. } => Some(change(vitals)),
            _ => None,
        })
    }

    /// It does its work: whoever waited for that goes on.
    fn has_become_ready(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        self.slot_mut(id).note_ready();
        self.touch(id.watcher);
        self.check_started(id.watcher, now, actions);
        self.check_reload(id.watcher, now, actions);
    }

    /// A process is replaced because it does not do its work.
    fn fault(&mut self, id: SlotId, fault: Fault, now: Moment, actions: &mut Vec<Action>) {
        let Some(pid) = self.slot(id).running() else { return };
        if self.is_stopping() {
            // Its turn comes, and until then nobody looks at it any more.
            let vitals = self.alter(id, |state| match state {
                State::Running { vitals, .. } => vitals.take(),
                _ => None,
            });
            self.forget_errand(vitals.as_deref());
            return;
        }
        let report = Report::Faulty { slot: id, pid, fault: fault.clone() };
        actions.push(Action::Report(report));
        let slot = self.slot_mut(id);
        slot.unready |= matches!(fault, Fault::NotReady { .. });
        slot.fault = Some(fault);
        self.touch(id.watcher);
        if self.is_taking_over(id) {
            self.reload_failed(id, now, actions);
        } else {
            self.stop_slot(id, now, actions);
        }
    }

    /// A process, or a descendant of it, tells something.
    pub(super) fn notified(
        &mut self,
        pid: Pid,
        said: Notification,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Some(&id) = self.pids.get(&pid) else { return };
        let settings = self.settings(id.watcher).clone();
        let slot = self.slot_mut(id);
        if let Some(text) = said.status {
            slot.says = Some(text).filter(|text| !text.is_empty());
        }
        // It may be heard before it is known to have become its program, or while a hook is told.
        slot.said_ready |= said.ready;
        slot.reloading = said.reloading || slot.reloading && !said.ready;
        if let Some(ms) = said.extend_ms {
            self.extend(id, ms, now);
        }
        let awaits = settings.ready == Readiness::Notify
            && matches!(self.slot(id).state, State::Running { way: Way::Executed, .. })
            && !self.slot(id).is_ready();
        if said.ready && awaits {
            self.turn(id, Some(Turn::Ready), now, actions);
        }
        if let Some(ms) = said.watchdog_ms {
            self.vitals(id, |vitals| vitals.set_silence(ms, &settings, now));
        }
        match said.watchdog {
            Some(Watchdog::Alive) => {
                self.vitals(id, |vitals| vitals.alive(&settings, now));
            }
            Some(Watchdog::Trigger) => self.fault(id, Fault::Asked, now, actions),
            None => {}
        }
    }

    /// The process that counts is another one from now on: a program that has made itself a daemon.
    pub(super) fn succeeded(&mut self, pid: Pid, by: Pid, now: Moment, actions: &mut Vec<Action>) {
        let Some(id) = self.pids.remove(&pid) else { return };
        self.pids.insert(by, id);
        self.hooks.forget_process(pid);
        self.kills.replace(pid, by);
        let told = self.alter(id, |state| match state {
            State::Running { leader, .. } => {
                leader.pid = by;
                None
            }
            State::Stopping { leader, signal, stage, .. } => {
                leader.pid = by;
                let is_killed = !matches!(stage, StopStage::Asked { .. });
                Some(if is_killed { Signal::KILL } else { *signal })
            }
            _ => None,
        });
        actions.push(Action::Report(Report::Succeeded { slot: id, pid, by }));
        actions.push(Action::publish(id.watcher, Publication::Spawn { pid: by }, now));
        if let Some(signal) = told {
            actions.push(Action::Signal { pid: by, signal });
        }
        self.touch(id.watcher);
    }

    /// It needs more time, to become ready or to end. The stop of everything keeps its own limit.
    fn extend(&mut self, id: SlotId, ms: u64, now: Moment) {
        let ms = ms.min(EXTENSION_MS_MAX);
        self.vitals(id, |vitals| vitals.extend(ms, now));
        let until = self.kill_time(now, ms);
        self.alter(id, |state| {
            if let State::Stopping { stage: StopStage::Asked { kill_at }, .. } = state {
                *kill_at = until.max(*kill_at);
            }
        });
    }

    /// Settings have changed while processes run.
    pub(super) fn renew_vitals(&mut self, w: u32, now: Moment) {
        let settings = self.settings(w).clone();
        for id in self.slot_ids(w) {
            let former = self.alter(id, |state| match state {
                State::Running { vitals: Some(vitals), .. } => vitals.renew(&settings, now),
                State::Running { way: Way::Executed, vitals: vitals @ None, .. } => {
                    *vitals = Vitals::begin(&settings, now);
                    if let Some(vitals) = vitals {
                        // It has served until now.
                        vitals.become_ready(&settings, now);
                    }
                    None
                }
                _ => None,
            });
            if let Some(errand) = former {
                self.abandon_probe(errand);
            }
        }
    }
}
