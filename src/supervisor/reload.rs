//! Graceful reload: new processes first, then the old ones out. If a new one cannot be executed, or
//! ends for good at once, the new ones go and the old ones stay.

use super::calls::Sending;
use super::operation::{Current, Kind, Stage};
use super::slot::{Slot, State};
use super::watcher::{Phase, Reload, Why};
use super::{Action, Life, Report, SlotId, Supervisor};
use crate::moment::Moment;
use crate::signal::Signal;

impl Supervisor {
    /// SIGHUP: reload every watcher that runs, and try again those that failed. What an operator
    /// stopped stays stopped.
    pub(super) fn reload_all(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        for w in self.reloadable() {
            if !self.forwards_hup(w) {
                self.operate(w, Kind::Reload, Vec::new(), now, actions);
            }
        }
    }

    /// Those that a reload of all is for, in order.
    pub(super) fn reloadable(&self) -> Vec<u32> {
        let mut all: Vec<(i64, u32)> = self
            .watchers
            .entries()
            .filter(|(_, watcher)| match watcher.phase {
                Phase::Stopped(Why::Failed) => true,
                Phase::Stopped(_) | Phase::Stopping => false,
                Phase::Starting | Phase::Active => !watcher.settings.oneshot,
            })
            // It is never started again, so nothing can take its place.
            .filter(|(w, _)| !self.is_main(*w))
            .map(|(w, watcher)| (-i64::from(watcher.settings.priority), w))
            .collect();
        crate::sort::sort(&mut all);
        all.into_iter().map(|(_, w)| w).collect()
    }

    /// Let a new generation of processes take over, or tell the old one to read its configuration.
    pub(super) fn begin_reload(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) -> Stage {
        let settings = self.settings(w).clone();
        if settings.send_hup {
            for id in self.slot_ids(w) {
                if let Some(leader) = self.slot(id).state.leader() {
                    let (pid, signal) = (leader.pid, Signal::HUP);
                    let hup = Sending { slot: id, pid, signal, kills: false, wakes: false };
                    self.send(hup, now, actions);
                }
            }
            actions.push(Action::Report(Report::HupSent { watcher: w }));
            return Stage::Leaving { slots: Vec::new() };
        }
        let watcher = &self.watchers[w];
        let is_old = |slot: &Slot| slot.wanted || !matches!(slot.state, State::Vacant);
        let indexes = 0..watcher.slots.len() as u32;
        let old: Vec<u32> =
            indexes.filter(|index| is_old(&watcher.slots[*index as usize])).collect();
        self.watchers[w].sized = settings.numprocesses;
        if old.is_empty() {
            // Nobody could go on in their place: they are tried like any others.
            return self.grow(w, settings.numprocesses, now, actions);
        }
        let new = self.take_slots(w, settings.numprocesses as usize);
        let watcher = &mut self.watchers[w];
        watcher.reload = Some(Reload { old, new: new.clone() });
        actions.push(Action::Report(Report::Reloading { watcher: w }));
        for index in new {
            let id = SlotId { watcher: w, index };
            let slot = self.slot_mut(id);
            slot.reset();
            slot.starts = 0;
            slot.wanted = true;
            self.schedule(id, now);
        }
        self.check_reload(w, now, actions);
        Stage::TakingOver
    }

    /// When all new processes have become their program, the old ones go.
    pub(super) fn check_reload(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w];
        let Some(reload) = &watcher.reload else { return };
        let ready = reload.new.iter().all(|index| watcher.slots[*index as usize].is_ready());
        if !ready {
            return;
        }
        let old = watcher.reload.take().map(|reload| reload.old).unwrap_or_default();
        actions.push(Action::Report(Report::Reloaded { watcher: w }));
        self.touch(w);
        self.retire(w, &old, now, actions);
        self.become_active(w, now, actions);
    }

    pub(super) fn retire(
        &mut self,
        w: u32,
        indexes: &[u32],
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        for &index in indexes {
            let id = SlotId { watcher: w, index };
            self.slot_mut(id).wanted = false;
            self.stop_slot(id, now, actions);
        }
    }

    /// The slot's process is one of those that a reload waits for.
    pub(super) fn is_taking_over(&self, id: SlotId) -> bool {
        let reload = &self.watchers[id.watcher].reload;
        reload.as_ref().is_some_and(|reload| reload.new.contains(&id.index))
    }

    /// A process of this slot could not be executed, or ended for good: if it was to take over, it
    /// does not.
    pub(super) fn reload_failed(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        if !self.is_taking_over(id) {
            return;
        }
        let watcher = &mut self.watchers[id.watcher];
        let new = watcher.reload.take().map(|reload| reload.new).unwrap_or_default();
        actions.push(Action::Report(Report::ReloadFailed { watcher: id.watcher }));
        self.fail_operation(id.watcher);
        self.touch(id.watcher);
        self.retire(id.watcher, &new, now, actions);
    }

    /// The new process of this slot does not become ready: it is taken away again, and those that are
    /// left go on as they are.
    fn give_up_in_turn(&mut self, w: u32, index: u32, now: Moment, actions: &mut Vec<Action>) {
        self.fail_operation(w);
        self.finish_operation(w, now, actions);
        let watcher = &self.watchers[w];
        let serves = watcher.slots.iter().any(Slot::is_ready);
        if watcher.is_up() && watcher.slots[index as usize].wanted && serves {
            self.retire(w, &[index], now, actions);
            self.watchers[w].sized = self.watchers[w].wanted_count();
        }
    }

    /// One process after the other; false if there is something to wait for.
    pub(super) fn advance_in_turn(
        &mut self,
        w: u32,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        let warmup_ms = self.settings(w).warmup_delay_ms;
        let watcher = &mut self.watchers[w];
        let is_up = watcher.is_up();
        let Some(Current { stage: Stage::InTurn { left, awaited, not_before }, .. }) =
            &mut watcher.current
        else {
            return false;
        };
        if let Some(index) = *awaited {
            let slot = &watcher.slots[index as usize];
            let fails = !slot.wanted || !is_up || slot.cannot_start();
            if !fails && slot.renewed {
                return false;
            }
            *awaited = None;
            if fails {
                self.give_up_in_turn(w, index, now, actions);
                return true;
            }
            *not_before = now.after_ms(warmup_ms);
        }
        if left.is_empty() || !is_up {
            // Those that an earlier reload has taken away are there again.
            let lacks = watcher.sized < watcher.settings.numprocesses;
            self.finish_operation(w, now, actions);
            if lacks && is_up {
                self.operate(w, Kind::Resize, Vec::new(), now, actions);
            }
            return true;
        }
        if now < *not_before {
            let at = *not_before;
            self.pauses.insert((at, w));
            return false;
        }
        let Some(index) = left.pop_front() else { return false };
        if !watcher.slots[index as usize].wanted {
            // It has come to its end by itself.
            return true;
        }
        *awaited = Some(index);
        let id = SlotId { watcher: w, index };
        let slot = self.slot_mut(id);
        slot.reset();
        slot.renewed = true;
        self.stop_slot(id, now, actions);
        true
    }
}
