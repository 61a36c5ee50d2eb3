//! What a process has left behind is made to end before its slot is free again.

use super::lives::KILL_MS;
use super::slot::{State, StopStage};
use super::{Action, Report, SlotId, Supervisor};
use crate::moment::Moment;
use crate::process::{Pid, Tag};
use crate::signal::Signal;

impl Supervisor {
    /// Which children of ours the core has not started: whose descendants are they?
    pub(super) fn survey(
        &mut self,
        adopted: &[(Pid, Option<Tag>)],
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.survey_asked = false;
        for id in std::mem::take(&mut self.clearing) {
            if !self.has_slot(id) {
                continue;
            }
            let State::Clearing { tag, .. } = self.slot(id).state else { continue };
            let left: Vec<Pid> = adopted
                .iter()
                .filter(|(_, theirs)| theirs.is_some_and(|theirs| theirs.descends_from(tag)))
                .map(|(pid, _)| *pid)
                .collect();
            if left.is_empty() {
                self.vacate(id, now, actions);
            } else {
                self.clearing.push(id);
                self.clear(id, left, actions);
            }
        }
        self.survey_orphans(adopted, now, actions);
    }

    /// Make what is left behind end.
    fn clear(&mut self, id: SlotId, left: Vec<Pid>, actions: &mut Vec<Action>) {
        let asked = !self.watchers[id.watcher].is_up();
        let stop_signal = self.settings(id.watcher).stop_signal;
        let State::Clearing { told, stage, .. } = &mut self.slot_mut(id).state else { return };
        let killed = !matches!(stage, StopStage::Asked { .. });
        let fresh: Vec<Pid> = left.iter().copied().filter(|pid| !told.contains(pid)).collect();
        *told = left;
        for pid in &fresh {
            if killed {
                actions.push(Action::Signal { pid: *pid, signal: Signal::KILL });
            } else {
                actions.push(Action::Signal { pid: *pid, signal: stop_signal });
                actions.push(Action::Signal { pid: *pid, signal: Signal::CONT });
            }
        }
        if !fresh.is_empty() {
            actions.push(Action::Report(Report::LeftBehind {
                slot: id,
                pids: fresh,
                killed,
                asked,
            }));
        }
    }

    pub(super) fn clearing_overdue(
        &mut self,
        id: SlotId,
        stage: StopStage,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let State::Clearing { tag, ref told, .. } = self.slot(id).state else { return };
        let pids = told.clone();
        match stage {
            StopStage::Asked { .. } => {
                // Forgetting who was told makes the next survey kill all that are left.
                let stage = StopStage::Killed { give_up_at: now.after_ms(KILL_MS) };
                self.put(id, State::Clearing { tag, told: Vec::new(), stage });
                self.ask_survey(actions);
            }
            StopStage::Killed { .. } | StopStage::Stuck => {
                actions.push(Action::Report(Report::Stuck { slot: id, pids }));
                self.vacate(id, now, actions);
            }
        }
    }
}
