//! The order in which watchers start: higher priority first, equal ones in the order given, each
//! after the warm-up delays of the one before. A one-shot is waited for by every watcher of lower
//! priority; its failure does not keep them from starting (making it essential does).

use super::slot::State;
use super::watcher::{Phase, Why};
use super::{Action, Life, Report, Supervisor};
use crate::moment::Moment;
use std::collections::VecDeque;

/// Watchers that are still to be started.
#[derive(Debug, Default)]
pub(super) struct StartPlan {
    /// In order.
    waiting: VecDeque<u32>,
    not_before: Moment,
    /// The first one waits for a one-shot, so time alone changes nothing.
    gated: bool,
}

impl StartPlan {
    pub(super) fn deadline(&self) -> Option<Moment> {
        (!self.waiting.is_empty() && !self.gated).then_some(self.not_before)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

impl Supervisor {
    pub(super) fn begin(&mut self, now: Moment) {
        let mut order: Vec<u32> =
            self.watcher_ids().filter(|w| self.watchers[*w as usize].settings.autostart).collect();
        // Stable: equal priorities keep their order.
        order.sort_by_key(|w| -i64::from(self.watchers[*w as usize].settings.priority));
        self.plan.waiting = order.into();
        self.plan.not_before = now;
    }

    pub(super) fn start_more(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        while let Some(&watcher) = self.plan.waiting.front() {
            self.plan.gated = self.waits_for_oneshot(watcher);
            if self.plan.gated || now < self.plan.not_before {
                return;
            }
            self.plan.waiting.pop_front();
            let settings = &self.watchers[watcher as usize].settings;
            let warmup_ms = u64::from(settings.numprocesses) * settings.warmup_delay_ms;
            self.plan.not_before = now.after_ms(warmup_ms + self.circus.warmup_delay_ms);
            self.start_watcher(watcher, now, actions);
        }
    }

    fn waits_for_oneshot(&self, watcher: u32) -> bool {
        let priority = self.watchers[watcher as usize].settings.priority;
        self.watchers
            .iter()
            .any(|other| other.settings.priority > priority && other.is_unfinished_oneshot())
    }

    /// Start a stopped watcher from the beginning.
    pub(super) fn start_watcher(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        use super::slot::Slot;
        use crate::config::settings::Limit;
        let watcher = &mut self.watchers[w as usize];
        let settings = watcher.settings.clone();
        if settings.max_retry == Limit::AtMost(0) {
            watcher.phase = Phase::Stopped(Why::Failed);
            actions.push(Action::Report(Report::NeverStarted { watcher: w }));
            return;
        }
        watcher.phase = Phase::Starting;
        watcher.failed = false;
        let count = settings.numprocesses as usize;
        if watcher.slots.len() < count {
            watcher.slots.reserve_exact(count - watcher.slots.len());
            watcher.slots.resize_with(count, Slot::new);
        }
        for (number, id) in self.slot_ids(w).take(count).enumerate() {
            let slot = self.slot_mut(id);
            slot.reset();
            slot.wanted = true;
            slot.not_before = now.after_ms(number as u64 * settings.warmup_delay_ms);
            if matches!(slot.state, State::Vacant) {
                self.schedule(id, now);
            }
        }
        self.check_started(w, actions);
        // Without any process there is nothing to wait for.
        self.check_ended(w, now, actions);
    }
}
