//! The order in which watchers start: higher priority first, equal ones in the order given, each
//! after the warm-up delays of the one before. A one-shot is waited for by every watcher of lower
//! priority; its failure does not keep them from starting (making it essential does).

use super::depend::{Blocker, Root};
use super::operation::Kind;
use super::slot::State;
use super::ticket::{Key, Outcome};
use super::watcher::{Phase, Why};
use super::{Action, Life, Report, Supervisor};
use crate::commands::{Errno, Publication, Refusal};
use crate::config::settings::{Gate, HookName, Limit};
use crate::moment::Moment;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Watchers that are still to be started.
#[derive(Debug, Default)]
pub(super) struct StartPlan {
    /// Nobody has looked yet at what they wait for.
    fresh: BTreeSet<Turn>,
    /// In order; the numbers of watchers are in the order given.
    waiting: BTreeSet<Turn>,
    /// Those that wait for others, by the numbers of all that they depend on. They let everybody
    /// pass.
    blocked: BTreeMap<u32, BTreeSet<u32>>,
    /// Something has become of these, which others wait for.
    changed: BTreeSet<u32>,
    not_before: Moment,
    /// The first one waits for a one-shot, so time alone changes nothing.
    gated: bool,
    /// One-shots that have not come to their end, and their priorities.
    oneshots: BTreeSet<(i32, u32)>,
}

/// Priority, the higher first, and the watcher's number.
type Turn = (Reverse<i32>, u32);

/// A watcher's place in the plan.
#[derive(Debug)]
pub(super) struct Planned {
    turn: Turn,
    /// Who waits for its start.
    keys: Vec<Key>,
    /// What it depends on, if one of them keeps it from starting.
    gates: BTreeMap<u32, Gate>,
    closed: BTreeSet<u32>,
    /// Those of them for which waiting alone does not help.
    hopeless: BTreeMap<u32, Root>,
    /// People were told that waiting does not help.
    told: bool,
}

impl Planned {
    /// It waits in vain, for this one.
    pub(super) fn root(&self) -> Option<Root> {
        self.hopeless.values().next().copied()
    }
}

impl StartPlan {
    pub(super) fn deadline(&self) -> Option<Moment> {
        (!self.waiting.is_empty() && !self.gated).then_some(self.not_before)
    }

    #[cfg(debug_assertions)]
    pub(super) fn is_empty(&self) -> bool {
        self.has_come_to_rest() && self.blocked.is_empty()
    }

    /// Nobody is to be looked at.
    pub(super) fn is_looked_at(&self) -> bool {
        self.fresh.is_empty() && self.changed.is_empty()
    }

    /// Those that are waited for by priority alone.
    #[cfg(debug_assertions)]
    pub(super) fn oneshots(&self) -> impl Iterator<Item = u32> {
        self.oneshots.iter().map(|(_, w)| *w)
    }

    /// It is not blocked by these any more.
    fn forget(&mut self, w: u32, gates: &BTreeMap<u32, Gate>) {
        for on in gates.keys() {
            if let Some(blocked) = self.blocked.get_mut(on) {
                blocked.remove(&w);
                if blocked.is_empty() {
                    self.blocked.remove(on);
                    self.changed.remove(on);
                }
            }
        }
    }

    /// Nothing starts by itself any more: at most there are some that wait for others.
    pub(super) fn has_come_to_rest(&self) -> bool {
        self.waiting.is_empty() && self.is_looked_at()
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
        if self.plan.has_come_to_rest() {
            self.plan.not_before = self.plan.not_before.max(now);
        }
        for w in watchers {
            let watcher = &mut self.watchers[w];
            // Somebody waits for it, who may be one that others wait for.
            let priority = if watcher.is_awaited() { i32::MAX } else { watcher.settings.priority };
            let turn = (Reverse(priority), w);
            let planned = watcher.planned.get_or_insert_with(|| Planned {
                turn,
                keys: Vec::new(),
                gates: BTreeMap::new(),
                closed: BTreeSet::new(),
                hopeless: BTreeMap::new(),
                told: false,
            });
            self.tickets.join(&mut planned.keys, keys.to_vec());
            self.plan.waiting.remove(&planned.turn);
            self.plan.fresh.insert(planned.turn);
            self.look_at_dependants(w);
        }
    }

    /// Something has become of a watcher: those that wait for it are looked at again.
    pub(super) fn look_at_dependants(&mut self, on: u32) {
        if self.plan.blocked.contains_key(&on) {
            self.plan.changed.insert(on);
        }
    }

    /// Find out what keeps those from starting at which nobody has looked since something has
    /// changed. What becomes of one may matter to the next.
    fn look_at_plan(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while matches!(self.life, Life::Running) {
            if let Some((_, w)) = self.plan.fresh.pop_first() {
                self.look_at_all_gates(w, now, actions);
            } else if let Some(on) = self.plan.changed.pop_first() {
                let blocked = self.plan.blocked.get(&on).cloned().unwrap_or_default();
                for w in blocked {
                    self.look_at_gate(w, on, now, actions);
                }
            } else {
                return;
            }
        }
    }

    /// Returns whether nothing keeps it from starting.
    fn look_at_all_gates(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) -> bool {
        let gates: BTreeMap<u32, Gate> = self.gates(w).collect();
        let blockers = gates.iter().filter_map(|(on, gate)| self.closed(*on, *gate));
        let blockers: Vec<Blocker> = blockers.collect();
        let Some(planned) = &mut self.watchers[w].planned else { return false };
        let was = planned.root();
        planned.closed = blockers.iter().map(|blocker| blocker.on).collect();
        let hopeless = blockers.iter().filter_map(|blocker| Some((blocker.on, blocker.root?)));
        planned.hopeless = hopeless.collect();
        let old = std::mem::take(&mut planned.gates);
        self.plan.forget(w, &old);
        if blockers.is_empty() {
            self.plan.waiting.insert(planned.turn);
        } else {
            self.plan.waiting.remove(&planned.turn);
            for on in gates.keys() {
                self.plan.blocked.entry(*on).or_default().insert(w);
            }
            planned.gates = gates;
        }
        self.tell_hope(w, was, false, now, actions);
        blockers.is_empty()
    }

    fn look_at_gate(&mut self, w: u32, on: u32, now: Moment, actions: &mut Vec<Action>) {
        let Some(planned) = &self.watchers[w].planned else { return };
        let Some(gate) = planned.gates.get(&on) else { return };
        let blocker = self.closed(on, *gate);
        let Some(planned) = &mut self.watchers[w].planned else { return };
        let was = planned.root();
        match blocker {
            Some(_) => planned.closed.insert(on),
            None => planned.closed.remove(&on),
        };
        match blocker.and_then(|blocker| blocker.root) {
            Some(root) => planned.hopeless.insert(on, root),
            None => planned.hopeless.remove(&on),
        };
        if planned.closed.is_empty() {
            let gates = std::mem::take(&mut planned.gates);
            self.plan.waiting.insert(planned.turn);
            self.plan.forget(w, &gates);
        }
        self.tell_hope(w, was, true, now, actions);
    }

    /// Whoever waits for a watcher learns whether there is hope for it. `was`: what it waited for
    /// in vain before. `is_news`: that has become so while it waited.
    fn tell_hope(
        &mut self,
        w: u32,
        was: Option<Root>,
        is_news: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Some(planned) = &mut self.watchers[w].planned else { return };
        let root = planned.root();
        if root != was {
            self.look_at_dependants(w);
        }
        let Some(root) = root else {
            if let Some(planned) = &mut self.watchers[w].planned {
                planned.told = false;
            }
            return;
        };
        let ends_all = is_news && was.is_none() && root.is_an_end();
        let ends_all = ends_all && self.settings(w).essential;
        self.tell_hopeless(w, ends_all, now, actions);
        if ends_all {
            self.stop_for_a_dependency(w, root, now, actions);
        }
    }

    /// Nobody is kept waiting for what does not come by itself. The watcher goes on waiting.
    fn tell_hopeless(&mut self, w: u32, quiet: bool, now: Moment, actions: &mut Vec<Action>) {
        let Some(planned) = &mut self.watchers[w].planned else { return };
        let keys = std::mem::take(&mut planned.keys);
        let tells = !std::mem::replace(&mut planned.told, true) && !quiet;
        if !tells && keys.is_empty() {
            return;
        }
        let Some(blocker) = self.blocker(w) else { return };
        if tells {
            actions.push(Action::Report(Report::Blocked { watcher: w, blocker }));
        }
        let name = |w: u32| &*self.settings(w).name;
        let first = name(blocker.culprit());
        let what = blocker.text(name);
        let reason = format!("{} is not started yet: it is {what}; start {first} first", name(w));
        let refusal = Some(Refusal::new(Errno::Command, reason));
        self.part_done(&keys, &Outcome { refusal, ..Outcome::default() }, now, actions);
    }

    /// What is noted of its gates is so.
    #[cfg(debug_assertions)]
    pub(super) fn is_known_to_wait(&self, w: u32) -> bool {
        let Some(planned) = &self.watchers[w].planned else { return true };
        planned.gates.iter().all(|(on, gate)| {
            let root = planned.hopeless.get(on).copied();
            match self.closed(*on, *gate) {
                Some(blocker) => planned.closed.contains(on) && blocker.root == root,
                None => !planned.closed.contains(on) && root.is_none(),
            }
        })
    }

    pub(super) fn set_phase(&mut self, w: u32, phase: Phase) {
        self.watchers[w].phase = phase;
        self.follow_demand(w);
        self.note_oneshot(w);
        self.look_at_dependants(w);
    }

    /// Others may wait for it by its priority, or do so no longer.
    pub(super) fn note_oneshot(&mut self, w: u32) {
        let watcher = &mut self.watchers[w];
        let new = watcher.is_unfinished_oneshot().then_some(watcher.settings.priority);
        let old = std::mem::replace(&mut watcher.awaited_by, new);
        if let Some(priority) = old.filter(|_| old != new) {
            self.plan.oneshots.remove(&(priority, w));
        }
        self.plan.oneshots.extend(new.map(|priority| (priority, w)));
    }

    /// A watcher is not to be started any more.
    pub(super) fn leave_plan(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let keys = self.take_planned(w);
        self.part_done(&keys, &Outcome::default(), now, actions);
    }

    fn take_planned(&mut self, w: u32) -> Vec<Key> {
        let Some(Planned { turn, keys, gates, .. }) = self.watchers[w].planned.take() else {
            return Vec::new();
        };
        self.plan.fresh.remove(&turn);
        self.plan.waiting.remove(&turn);
        self.plan.forget(w, &gates);
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
        self.look_at_plan(now, actions);
        if !matches!(self.life, Life::Running) {
            return;
        }
        while let Some(&(_, w)) = self.plan.waiting.first() {
            self.plan.gated = self.awaited_oneshot(w).is_some();
            if self.plan.gated || now < self.plan.not_before {
                return;
            }
            // What was ready when somebody looked may be down by now.
            if self.look_at_all_gates(w, now, actions) {
                let keys = self.take_planned(w);
                let settings = &self.watchers[w].settings;
                let warmup_ms = u64::from(settings.numprocesses) * settings.warmup_delay_ms;
                self.plan.not_before = now.after_ms(warmup_ms + self.circus.warmup_delay_ms);
                self.operate(w, Kind::Start, keys, now, actions);
            }
            self.look_at_plan(now, actions);
        }
    }

    /// A one-shot that a watcher waits for by its priority alone.
    pub(super) fn awaited_oneshot(&self, w: u32) -> Option<u32> {
        if self.watchers[w].is_awaited() {
            return None;
        }
        let (priority, oneshot) = *self.plan.oneshots.last()?;
        (priority > self.watchers[w].settings.priority).then_some(oneshot)
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
