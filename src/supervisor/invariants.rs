//! What must hold after every event, checked in debug builds.

use super::Supervisor;
#[cfg(debug_assertions)]
use super::slot::{State, Way};

impl Supervisor {
    #[cfg(not(debug_assertions))]
    pub(super) fn check_invariants(&self) {}

    #[cfg(debug_assertions)]
    pub(super) fn check_invariants(&self) {
        let slots =
            || self.watcher_ids().flat_map(|w| self.slot_ids(w)).map(|id| (id, self.slot(id)));
        let mut deadlines: Vec<_> =
            slots().filter_map(|(id, slot)| Some((slot.state.deadline()?, id))).collect();
        deadlines.sort_unstable();
        assert!(self.agenda.entries().eq(deadlines), "the agenda holds exactly the deadlines");

        let mut unexecuted = 0;
        for (id, slot) in slots() {
            match &slot.state {
                State::Spawning { .. } => unexecuted += 1,
                State::Running { leader, way, .. } | State::Stopping { leader, way, .. } => {
                    unexecuted += usize::from(matches!(way, Way::Going { .. }));
                    assert_eq!(self.pids.get(&leader.pid), Some(&id), "a pid leads to its slot");
                }
                State::Clearing { .. } => {
                    assert!(self.clearing.contains(&id), "clearing slots wait for a survey");
                }
                State::Queued => assert!(self.queue.contains(&id), "queued slots are in the queue"),
                State::Vacant => assert!(
                    !slot.wanted || !self.watchers[id.watcher as usize].is_up(),
                    "a vacant slot of a running watcher is not wanted"
                ),
                State::Due { .. } => {}
            }
        }
        assert_eq!(unexecuted, self.unexecuted, "unexecuted processes are counted");
        let led = slots().filter(|(_, slot)| slot.state.leader().is_some()).count();
        assert_eq!(led, self.pids.len(), "every pid has a slot");
        for watcher in &self.watchers {
            let most = 2 * watcher.settings.numprocesses as usize;
            assert!(watcher.slots.len() <= most, "two generations at most");
        }
    }
}
