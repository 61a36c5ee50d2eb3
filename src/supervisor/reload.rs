//! Graceful reload: new processes first, then the old ones out. If a new one cannot be executed, or
//! ends for good at once, the new ones go and the old ones stay.

use super::slot::{Slot, State, Way};
use super::watcher::{Phase, Reload, Why};
use super::{Action, Life, Report, SlotId, Supervisor};
use crate::moment::Moment;
use crate::signal::Signal;

impl Supervisor {
    /// Reload every watcher that runs, and try again those that failed. What an operator stopped
    /// stays stopped.
    pub(super) fn reload_all(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        let mut order: Vec<u32> = self.watcher_ids().collect();
        order.sort_by_key(|w| -i64::from(self.watchers[*w as usize].settings.priority));
        for watcher in order {
            if !self.is_main(watcher) && !self.forwards_hup(watcher) {
                self.reload(watcher, now, actions);
            }
        }
    }

    fn reload(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w as usize];
        let settings = watcher.settings.clone();
        match watcher.phase {
            Phase::Stopped(Why::Failed) => return self.start_watcher(w, now, actions),
            Phase::Stopped(_) | Phase::Stopping => return,
            Phase::Starting | Phase::Active if settings.oneshot => return,
            Phase::Starting | Phase::Active => {}
        }
        if settings.send_hup {
            for id in self.slot_ids(w) {
                if let Some(leader) = self.slot(id).state.leader() {
                    actions.push(Action::Signal { pid: leader.pid, signal: Signal::HUP });
                }
            }
            return;
        }
        if watcher.reload.is_some() {
            watcher.reload_again = true;
            return;
        }
        self.begin_reload(w, now, actions);
    }

    fn begin_reload(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w as usize];
        let count = watcher.settings.numprocesses as usize;
        while watcher.slots.len() < 2 * count {
            watcher.slots.push(Slot::new());
        }
        let is_old = |slot: &Slot| slot.wanted || !matches!(slot.state, State::Vacant);
        let (old, free): (Vec<u32>, Vec<u32>) = (0..watcher.slots.len() as u32)
            .partition(|index| is_old(&watcher.slots[*index as usize]));
        let new: Vec<u32> = free.into_iter().take(count).collect();
        if new.len() < count {
            // A former generation is not gone yet; this one follows it.
            watcher.reload_again = true;
            return;
        }
        watcher.reload_again = false;
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
    }

    /// When all new processes have become their program, the old ones go.
    pub(super) fn check_reload(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w as usize];
        let Some(reload) = &watcher.reload else { return };
        let ready = reload.new.iter().all(|index| {
            matches!(
                watcher.slots[*index as usize].state,
                State::Running { way: Way::Executed, .. }
            )
        });
        if !ready {
            return;
        }
        let old = watcher.reload.take().map(|reload| reload.old).unwrap_or_default();
        watcher.phase = Phase::Active;
        actions.push(Action::Report(Report::Reloaded { watcher: w }));
        self.retire(w, &old, now, actions);
    }

    fn retire(&mut self, w: u32, indexes: &[u32], now: Moment, actions: &mut Vec<Action>) {
        for &index in indexes {
            let id = SlotId { watcher: w, index };
            self.slot_mut(id).wanted = false;
            self.stop_slot(id, now, actions);
        }
    }

    /// The slot's process is one of those that a reload waits for.
    pub(super) fn is_taking_over(&self, id: SlotId) -> bool {
        let reload = &self.watchers[id.watcher as usize].reload;
        reload.as_ref().is_some_and(|reload| reload.new.contains(&id.index))
    }

    /// A process of this slot could not be executed, or ended for good: if it was to take over, it
    /// does not.
    pub(super) fn reload_failed(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        if !self.is_taking_over(id) {
            return;
        }
        let watcher = &mut self.watchers[id.watcher as usize];
        let new = watcher.reload.take().map(|reload| reload.new).unwrap_or_default();
        watcher.reload_again = false;
        actions.push(Action::Report(Report::ReloadFailed { watcher: id.watcher }));
        self.retire(id.watcher, &new, now, actions);
    }

    /// A slot of a watcher has become free: a reload may have waited for that.
    pub(super) fn reload_when_possible(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &self.watchers[w as usize];
        if watcher.reload_again && watcher.reload.is_none() && watcher.is_up() {
            self.begin_reload(w, now, actions);
        }
    }
}
