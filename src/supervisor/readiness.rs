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

impl Supervisor {
    /// A process has become its program: from now on it is looked at.
    pub(super) fn begin_vitals(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        let settings = self.settings(id.watcher).clone();
        self.alter(id, |state| {
            if let State::Running { way: Way::Executed, vitals, .. } = state {
                *vitals = Vitals::begin(&settings, now);
            }
        });
        if self.slot(id).is_ready() {
            self.has_become_ready(id, now, actions);
        } else if settings.ready == Readiness::Notify && self.slot(id).said_ready {
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
            Some(Turn::Probe) => {
                self.last_errand += 1;
                let errand = Errand(self.last_errand);
                let question = self.vitals(id, |vitals| {
                    vitals.asked(errand, &settings, now);
                    vitals.question()
                });
                let Some(question) = question else { return };
                self.errands.insert(errand, id);
                actions.push(Action::Probe { slot: id, errand, question });
            }
            Some(Turn::Abandon(errand)) => {
                self.errands.remove(&errand);
                actions.push(Action::Abandon { errand });
                let outcome = Err(Rc::from("no answer in time"));
                let turn = self.vitals(id, |vitals| vitals.answered(outcome, &settings, now));
                self.turn(id, turn, now, actions);
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
        let Some(id) = self.errands.remove(&errand) else { return };
        let settings = self.settings(id.watcher).clone();
        let turn = self.vitals(id, |vitals| vitals.answered(outcome, &settings, now));
        self.turn(id, turn, now, actions);
    }

    pub(super) fn forget_errand(&mut self, vitals: Option<&Vitals>) {
        if let Some(errand) = vitals.and_then(Vitals::errand) {
            self.errands.remove(&errand);
            self.abandoned.push(errand);
        }
    }

    fn vitals<R>(&mut self, id: SlotId, change: impl FnOnce(&mut Vitals) -> R) -> Option<R> {
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
        if let Some(main) = said.main_pid {
            slot.successor = Some(main).filter(|main| *main != pid);
        }
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
        // A hook is still to come back, for example.
        self.slot_mut(id).said_ready |= said.ready;
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
        self.slot_mut(id).successor = None;
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
            self.alter(id, |state| match state {
                State::Running { vitals: Some(vitals), .. } => vitals.renew(&settings, now),
                State::Running { way: Way::Executed, vitals: vitals @ None, .. } => {
                    *vitals = Vitals::begin(&settings, now);
                    if let Some(vitals) = vitals {
                        // It has served until now.
                        vitals.become_ready(&settings, now);
                    }
                }
                _ => {}
            });
        }
    }
}
