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
                    !slot.wanted || !self.watchers[id.watcher].is_up(),
                    "a vacant slot of a running watcher is not wanted"
                ),
                State::Due { .. } | State::Held { .. } => {}
            }
        }
        assert_eq!(unexecuted, self.unexecuted, "unexecuted processes are counted");
        let led = slots().filter(|(_, slot)| slot.state.leader().is_some()).count();
        assert_eq!(led, self.pids.len(), "every pid has a slot");
        for (w, watcher) in self.watchers.entries() {
            let most = watcher.settings.numprocesses.max(watcher.sized);
            let is_reloading = watcher.reload.is_some();
            assert!(is_reloading || watcher.wanted_count() <= most, "not more than asked for");
            let is_busy = watcher.current.is_some() || !watcher.queued.is_empty();
            assert!(!is_busy || self.busy.contains(&w), "what is to be done is not forgotten");
        }
        let oneshots = self.watchers.entries().filter(|(_, it)| it.is_unfinished_oneshot());
        let mut known: Vec<u32> = self.plan.oneshots().collect();
        known.sort_unstable();
        assert!(oneshots.map(|(w, _)| w).eq(known), "one-shots that others wait for are known");
        for (w, _) in self.watchers.entries().filter(|_| !self.is_stopping()) {
            assert!(self.is_known_to_wait(w), "what keeps a watcher from starting is known");
        }
        self.hooks.check();
        self.probes.check();
        let is_done = self.busy.is_empty() && self.plan.is_empty() && self.kills.is_empty();
        assert!(!is_done || self.is_stopping() || self.tickets.is_empty(), "all are answered");
    }
}
