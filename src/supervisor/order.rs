//! The order in which watchers start: higher priority first, equal ones in the order given, each
//! after the warm-up delays of the one before. A one-shot is waited for by every watcher of lower
//! priority; its failure does not keep them from starting (making it essential does).

use super::operation::Kind;
use super::slot::State;
use super::ticket::{Key, Outcome};
use super::watcher::{Phase, Why};
use super::{Action, Life, Report, Supervisor};
use crate::commands::Publication;
use crate::config::settings::Limit;
use crate::moment::Moment;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Watchers that are still to be started.
#[derive(Debug, Default)]
pub(super) struct StartPlan {
    /// In order; the numbers of watchers are in the order given.
    waiting: BTreeSet<Turn>,
    not_before: Moment,
    /// The first one waits for a one-shot, so time alone changes nothing.
    gated: bool,
}

/// Priority, the higher first, and the watcher's number.
type Turn = (Reverse<i32>, u32);

/// A watcher's place in the plan.
#[derive(Debug)]
pub(super) struct Planned {
    turn: Turn,
    /// Who waits for its start.
    keys: Vec<Key>,
}

impl StartPlan {
    pub(super) fn deadline(&self) -> Option<Moment> {
        (!self.waiting.is_empty() && !self.gated).then_some(self.not_before)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Supervisor {
    pub(super) fn begin(&mut self, now: Moment) {
        let all = self.watchers.entries();
        let autostart = all.filter(|(_, watcher)| watcher.settings.autostart);
        let watchers = autostart.map(|(w, _)| w).collect();
        self.plan_starts(watchers, None, now);
    }

    /// These are to be started, each when its turn comes.
    pub(super) fn plan_starts(&mut self, watchers: Vec<u32>, key: Option<Key>, now: Moment) {
        let was_empty = self.plan.is_empty();
        if was_empty {
            self.plan.not_before = self.plan.not_before.max(now);
        }
        for w in watchers {
            let watcher = &mut self.watchers[w];
            let turn = (Reverse(watcher.settings.priority), w);
            let planned = watcher.planned.get_or_insert(Planned { turn, keys: Vec::new() });
            planned.keys.extend(key);
            self.plan.waiting.insert(planned.turn);
        }
    }

    /// A watcher is not to be started any more.
    pub(super) fn leave_plan(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let keys = self.take_planned(w);
        self.part_done(&keys, &Outcome::default(), now, actions);
    }

    fn take_planned(&mut self, w: u32) -> Vec<Key> {
        let Some(Planned { turn, keys }) = self.watchers[w].planned.take() else {
            return Vec::new();
        };
        self.plan.waiting.remove(&turn);
        keys
    }

    /// No watcher is to be started any more.
    pub(super) fn drop_plan(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while let Some(&(_, w)) = self.plan.waiting.first() {
            self.leave_plan(w, now, actions);
        }
    }

    pub(super) fn start_more(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        while let Some(&(_, watcher)) = self.plan.waiting.first() {
            self.plan.gated = self.waits_for_oneshot(watcher);
            if self.plan.gated || now < self.plan.not_before {
                return;
            }
            let keys = self.take_planned(watcher);
            let settings = &self.watchers[watcher].settings;
            let warmup_ms = u64::from(settings.numprocesses) * settings.warmup_delay_ms;
            self.plan.not_before = now.after_ms(warmup_ms + self.circus.warmup_delay_ms);
            self.operate(watcher, Kind::Start, keys, now, actions);
        }
    }

    fn waits_for_oneshot(&self, watcher: u32) -> bool {
        let priority = self.watchers[watcher].settings.priority;
        self.watchers
            .iter()
            .any(|other| other.settings.priority > priority && other.is_unfinished_oneshot())
    }

    /// Start a stopped watcher from the beginning.
    pub(super) fn start_watcher(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w];
        let settings = watcher.settings.clone();
        if settings.max_retry == Limit::AtMost(0) {
            watcher.phase = Phase::Stopped(Why::Failed);
            actions.push(Action::Report(Report::NeverStarted { watcher: w }));
            // As after every start that came to nothing.
            actions.push(Action::publish(w, Publication::Stop, now));
            return;
        }
        watcher.phase = Phase::Starting;
        watcher.failed = false;
        watcher.sized = settings.numprocesses;
        let count = settings.numprocesses as usize;
        for (number, index) in self.take_slots(w, count).into_iter().enumerate() {
            let id = super::SlotId { watcher: w, index };
            let slot = self.slot_mut(id);
            slot.reset();
            slot.starts = 0;
            slot.wanted = true;
            slot.not_before = now.after_ms(number as u64 * settings.warmup_delay_ms);
            if matches!(slot.state, State::Vacant) {
                self.schedule(id, now);
            }
        }
        self.check_started(w, now, actions);
        // Without any process there is nothing to wait for.
        self.check_ended(w, now, actions);
    }
}
