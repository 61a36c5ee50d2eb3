//! More or fewer processes of a watcher that runs.

use super::operation::Stage;
use super::slot::{Slot, State};
use super::watcher::Watcher;
use super::{Action, SlotId, Supervisor};
use crate::moment::Moment;

impl Supervisor {
    /// As many processes as the settings say now. Those that ended for good and are not to be
    /// started again stay away: only the difference to the number before counts.
    pub(super) fn resize(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) -> Stage {
        let watcher = &mut self.watchers[w];
        let wanted = watcher.wanted_count();
        let new = watcher.settings.numprocesses;
        let old = std::mem::replace(&mut watcher.sized, new);
        if !watcher.is_up() {
            return Stage::Leaving { slots: Vec::new() };
        }
        if new > old {
            return self.grow(w, (new - old).min(new.saturating_sub(wanted)), now, actions);
        }
        let surplus = wanted.saturating_sub(new) as usize;
        let mut slots = watcher.oldest_first();
        // One that is not there at the moment is missed least.
        crate::sort::sort_by_key(&mut slots, |index| {
            watcher.slots[*index as usize].state.leader().is_some()
        });
        slots.truncate(surplus);
        self.retire(w, &slots, now, actions);
        Stage::Leaving { slots }
    }

    /// So many more processes, in the free slots of the lowest numbers.
    pub(super) fn grow(
        &mut self,
        w: u32,
        count: u32,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Stage {
        let slots = self.take_slots(w, count as usize);
        let warmup_ms = self.settings(w).warmup_delay_ms;
        for (number, &index) in slots.iter().enumerate() {
            let id = SlotId { watcher: w, index };
            let slot = self.slot_mut(id);
            slot.reset();
            slot.wanted = true;
            slot.not_before = now.after_ms(number as u64 * warmup_ms);
            self.schedule(id, now);
        }
        self.check_started(w, now, actions);
        Stage::Starting { awaited: slots }
    }

    /// Free slots of the lowest numbers; new ones where there are too few.
    pub(super) fn take_slots(&mut self, w: u32, count: usize) -> Vec<u32> {
        let watcher = &mut self.watchers[w];
        let is_free = |slot: &Slot| !slot.wanted && matches!(slot.state, State::Vacant);
        let slots = watcher.slots.iter().enumerate();
        let mut taken: Vec<u32> = slots
            .filter(|(_, slot)| is_free(slot))
            .map(|(index, _)| index as u32)
            .take(count)
            .collect();
        let missing = count - taken.len();
        watcher.slots.reserve_exact(missing);
        for _ in 0..missing {
            taken.push(watcher.slots.len() as u32);
            watcher.slots.push(Slot::new());
        }
        taken
    }
}

impl Watcher {
    /// So many slots should have a process.
    pub(super) fn wanted_count(&self) -> u32 {
        self.slots.iter().filter(|slot| slot.wanted).count() as u32
    }

    /// So many processes are missing.
    pub(super) fn missing_count(&self) -> u32 {
        self.settings.numprocesses.saturating_sub(self.wanted_count())
    }
}
