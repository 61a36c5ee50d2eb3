//! The order in which watchers start: higher priority first, equal ones in the order given, each
//! after the warm-up delays of the one before. A one-shot is waited for by every watcher of lower
//! priority; its failure does not keep them from starting (making it essential does).

use super::depend::Blocker;
use super::operation::Kind;
use super::slot::State;
use super::ticket::{Key, Outcome};
use super::watcher::{Phase, Why};
use super::{Action, Life, Report, Supervisor};
use crate::commands::{Errno, Publication, Refusal};
use crate::config::settings::{HookName, Limit};
use crate::moment::Moment;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Watchers that are still to be started.
#[derive(Debug, Default)]
pub(super) struct StartPlan {
    /// In order; the numbers of watchers are in the order given.
    waiting: BTreeSet<Turn>,
    /// Those that wait for others, by the numbers of all that they depend on. They let everybody
    /// pass.
    blocked: BTreeMap<u32, BTreeSet<u32>>,
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
    /// It waits for one of these.
    blocked_on: Vec<u32>,
    /// People were told that waiting does not help.
    told: bool,
}

impl StartPlan {
    pub(super) fn deadline(&self) -> Option<Moment> {
        (!self.waiting.is_empty() && !self.gated).then_some(self.not_before)
    }

    #[cfg(debug_assertions)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.blocked.is_empty()
    }

    /// It is not blocked by these any more.
    fn forget(&mut self, w: u32, blocked_on: &[u32]) {
        for on in blocked_on {
            if let Some(blocked) = self.blocked.get_mut(on) {
                blocked.remove(&w);
                if blocked.is_empty() {
                    self.blocked.remove(on);
                }
            }
        }
    }

    /// Nothing starts by itself any more: at most there are some that wait for others.
    pub(super) fn has_come_to_rest(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Supervisor {
    pub(super) fn begin(&mut self, now: Moment) {
        let all = self.watchers.entries();
        let autostart = all.filter(|(_, watcher)| watcher.settings.autostart);
        let watchers = autostart.map(|(w, _)| w).collect();
        self.plan_starts(watchers, &[], now);
    }

    /// These are to be started, each when its turn comes.
    pub(super) fn plan_starts(&mut self, watchers: Vec<u32>, keys: &[Key], now: Moment) {
        if self.plan.waiting.is_empty() {
            self.plan.not_before = self.plan.not_before.max(now);
        }
        for w in watchers {
            let watcher = &mut self.watchers[w];
            // Somebody waits for it, who may be one that others wait for.
            let priority = if watcher.is_awaited() { i32::MAX } else { watcher.settings.priority };
            let turn = (Reverse(priority), w);
            let new = Planned { turn, keys: Vec::new(), blocked_on: Vec::new(), told: false };
            let planned = watcher.planned.get_or_insert(new);
            self.tickets.join(&mut planned.keys, keys.to_vec());
            let turn = planned.turn;
            self.unblock(w);
            self.plan.waiting.insert(turn);
        }
    }

    /// It waits for others: whatever becomes of one of them, it is looked at again.
    fn block(&mut self, w: u32) {
        let dependencies = self.dependencies(w);
        let Some(planned) = &mut self.watchers[w].planned else { return };
        self.plan.waiting.remove(&planned.turn);
        for on in &dependencies {
            self.plan.blocked.entry(*on).or_default().insert(w);
        }
        planned.blocked_on = dependencies;
    }

    fn unblock(&mut self, w: u32) {
        let Some(planned) = &mut self.watchers[w].planned else { return };
        let blocked_on = std::mem::take(&mut planned.blocked_on);
        self.plan.forget(w, &blocked_on);
    }

    /// Something has become of a watcher: those that wait for it are looked at again.
    pub(super) fn look_at_dependants(&mut self, on: u32) {
        for w in self.plan.blocked.remove(&on).unwrap_or_default() {
            self.unblock(w);
            if let Some(planned) = &self.watchers[w].planned {
                self.plan.waiting.insert(planned.turn);
            }
        }
    }

    pub(super) fn set_phase(&mut self, w: u32, phase: Phase) {
        self.watchers[w].phase = phase;
        self.follow_demand(w);
        self.look_at_dependants(w);
    }

    /// A watcher is not to be started any more.
    pub(super) fn leave_plan(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let keys = self.take_planned(w);
        self.part_done(&keys, &Outcome::default(), now, actions);
    }

    fn take_planned(&mut self, w: u32) -> Vec<Key> {
        let Some(Planned { turn, keys, blocked_on, .. }) = self.watchers[w].planned.take() else {
            return Vec::new();
        };
        self.plan.waiting.remove(&turn);
        self.plan.forget(w, &blocked_on);
        self.look_at_dependants(w);
        keys
    }

    /// No watcher is to be started any more.
    pub(super) fn drop_plan(&mut self, now: Moment, actions: &mut Vec<Action>) {
        for w in self.watcher_ids() {
            self.leave_plan(w, now, actions);
        }
    }

    pub(super) fn start_more(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        while let Some(&(_, watcher)) = self.plan.waiting.first() {
            if let Some(blocker) = self.blocker(watcher) {
                self.block(watcher);
                if blocker.is_hopeless() {
                    self.tell_hopeless(watcher, blocker, now, actions);
                }
                continue;
            }
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

    /// Nobody is kept waiting for what does not come by itself. The watcher goes on waiting.
    fn tell_hopeless(&mut self, w: u32, blocker: Blocker, now: Moment, actions: &mut Vec<Action>) {
        let Some(planned) = &mut self.watchers[w].planned else { return };
        let keys = std::mem::take(&mut planned.keys);
        if !std::mem::replace(&mut planned.told, true) {
            actions.push(Action::Report(Report::Blocked { watcher: w, blocker }));
        }
        let (name, on) = (&self.settings(w).name, &self.settings(blocker.on).name);
        let reason =
            format!("{name} is not started yet: it is {}; start that first", blocker.text(on));
        let refusal = Some(Refusal::new(Errno::Command, reason));
        self.part_done(&keys, &Outcome { refusal, ..Outcome::default() }, now, actions);
    }

    fn waits_for_oneshot(&self, watcher: u32) -> bool {
        let priority = self.watchers[watcher].settings.priority;
        if self.watchers[watcher].is_awaited() {
            return false;
        }
        self.watchers
            .iter()
            .any(|other| other.settings.priority > priority && other.is_unfinished_oneshot())
    }

    /// Start a stopped watcher from the beginning.
    pub(super) fn start_watcher(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let settings = self.settings(w).clone();
        if settings.max_retry == Limit::AtMost(0) {
            self.set_phase(w, Phase::Stopped(Why::Failed));
            actions.push(Action::Report(Report::NeverStarted { watcher: w }));
            // As after every start that came to nothing.
            actions.push(Action::publish(w, Publication::Stop, now));
            return;
        }
        if self.waits_for_somebody(w, now, actions) {
            return;
        }
        self.set_phase(w, Phase::Starting);
        let watcher = &mut self.watchers[w];
        watcher.failed = false;
        watcher.is_started = false;
        watcher.sized = settings.numprocesses;
        let count = settings.numprocesses as usize;
        watcher.refused = None;
        watcher.is_greeted = false;
        watcher.run = watcher.run.wrapping_add(1);
        let waits = self.call_and_wait(w, HookName::BeforeStart, now, actions);
        for (number, index) in self.take_slots(w, count).into_iter().enumerate() {
            let id = super::SlotId { watcher: w, index };
            let slot = self.slot_mut(id);
            slot.reset();
            slot.starts = 0;
            slot.wanted = true;
            slot.not_before = now.after_ms(number as u64 * settings.warmup_delay_ms);
            if waits {
                self.put(id, State::Held { errand: None });
            } else if matches!(slot.state, State::Vacant) {
                self.schedule(id, now);
            }
        }
        self.check_started(w, now, actions);
        // Without any process there is nothing to wait for.
        self.check_ended(w, now, actions);
    }
}
