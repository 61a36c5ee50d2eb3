//! Hooks: what the configuration wants called at certain points of a watcher's life. Each is an
//! errand that somebody else runs. What waits for one is a state of its watcher or slot, so nothing
//! else waits with it.
//!
//! ```text
//! start → (before_start) → each process: (before_spawn) → made → executed → (after_spawn) → looked at
//!       → all executed: (after_start) → started
//! stop  → (before_stop) → each process: (before_signal) → signal, told after_signal → ended, told
//!         before_reap and after_reap → stopped → (after_stop) → the next operation
//! ```

use super::calls::{Call, Sending};
use super::slot::{State, Way};
use super::watcher::{Phase, Why};
use super::{Action, Errand, Report, SlotId, Supervisor};
use crate::commands::Publication;
use crate::config::settings::{HookCommand, HookName};
use crate::moment::Moment;
use crate::process::Pid;
use crate::signal::Signal;
use std::rc::Rc;

/// What a hook is told beside its name and its watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HookFacts {
    /// The process that it is about.
    pub pid: Option<Pid>,
    /// The signal that is sent.
    pub signal: Option<Signal>,
    /// How the process ended, as it is published.
    pub exit_code: Option<i32>,
}

/// What a hook has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAnswer {
    /// Go on.
    Yes,
    /// The same, and an object of JSON: what `extended_stats` adds to the figures.
    Adds(Rc<str>),
    /// Do not, and a few words for people.
    No(Rc<str>),
    /// It could not say.
    Failed(Rc<str>),
}

impl Supervisor {
    /// Call a hook, if there is one.
    pub(super) fn call(
        &mut self,
        w: u32,
        name: HookName,
        slot: Option<SlotId>,
        facts: HookFacts,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Option<Errand> {
        let watcher = self.watchers.get(w)?;
        let settings = &watcher.settings;
        // Nobody has any, mostly.
        if settings.hooks.is_empty() || watcher.let_go || self.is_hurried() {
            return None;
        }
        let hook = settings.hooks.iter().find(|hook| hook.name == name)?;
        let call = Call {
            watcher: w,
            name,
            slot,
            facts,
            by: None,
            timeout_ms: settings.hook_timeout_ms,
            run: watcher.run,
            is_ignored: hook.ignore_failure,
            is_function: matches!(hook.run, HookCommand::Python(_)),
            sending: None,
            reaped: None,
        };
        if !name.is_awaited() && self.hooks.is_full() {
            let answer = HookAnswer::Failed(Rc::from("too many wait to be called"));
            self.tell_answer(&call, answer, now, actions);
            return None;
        }
        self.last_errand += 1;
        let errand = Errand(self.last_errand);
        self.hooks.add(errand, call);
        self.send_hooks(now, actions);
        Some(errand)
    }

    /// As many as there is room for.
    pub(super) fn send_hooks(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while let Some((errand, call)) = self.hooks.next(now) {
            let (watcher, name, slot, facts) = (call.watcher, call.name, call.slot, call.facts);
            if self.watchers.get(watcher).is_some() {
                actions.push(Action::Hook { watcher, slot, errand, name, facts });
            } else {
                self.hooks.take(errand);
            }
        }
    }

    /// The same for one that the whole watcher waits for. Returns whether it does.
    pub(super) fn call_and_wait(
        &mut self,
        w: u32,
        name: HookName,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        let errand = self.call(w, name, None, HookFacts::default(), now, actions);
        self.watchers[w].hook = errand.map(|errand| (name, errand));
        errand.is_some()
    }

    /// Whatever the watcher waits for is not wanted any more. Returns what it was.
    pub(super) fn drop_hook(&mut self, w: u32) -> Option<HookName> {
        let (name, errand) = self.watchers[w].hook.take()?;
        self.abandon_hook(errand);
        self.touch(w);
        Some(name)
    }

    pub(super) fn abandon_hook(&mut self, errand: Errand) {
        if self.hooks.take(errand).is_some_and(|call| call.by.is_some()) {
            self.abandoned.push(errand);
        }
    }

    /// Send a signal to a process of ours, if its hook does not say no. SIGKILL asks nobody.
    pub(super) fn send(&mut self, sending: Sending, now: Moment, actions: &mut Vec<Action>) {
        let Sending { slot, pid, signal, .. } = sending;
        let facts = HookFacts { pid: Some(pid), signal: Some(signal), ..HookFacts::default() };
        let asked =
            self.call(slot.watcher, HookName::BeforeSignal, Some(slot), facts, now, actions);
        match asked.and_then(|errand| self.hooks.get_mut(errand)) {
            Some(call) if signal != Signal::KILL => call.sending = Some(sending),
            Some(_) | None => self.send_now(sending, true, now, actions),
        }
    }

    fn send_now(&mut self, it: Sending, allowed: bool, now: Moment, actions: &mut Vec<Action>) {
        let Sending { slot, pid, signal, kills, wakes } = it;
        if allowed {
            actions.push(Action::Signal { pid, signal });
        }
        let facts = HookFacts { pid: Some(pid), signal: Some(signal), ..HookFacts::default() };
        self.call(slot.watcher, HookName::AfterSignal, Some(slot), facts, now, actions);
        if kills {
            actions.push(Action::publish(slot.watcher, Publication::Kill { pid }, now));
        }
        if wakes && allowed {
            actions.push(Action::Signal { pid, signal: Signal::CONT });
        }
    }

    /// A hook has come back.
    pub(super) fn hook_returned(
        &mut self,
        errand: Errand,
        answer: HookAnswer,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        // One that was abandoned is nobody's any more.
        let Some(call) = self.hooks.take(errand) else { return };
        if call.name == HookName::ExtendedStats {
            return self.extended(errand, answer, now, actions);
        }
        if self.watchers.get(call.watcher).is_none() {
            return;
        }
        let allowed = self.tell_answer(&call, answer, now, actions);
        self.go_on(errand, &call, allowed, now, actions);
    }

    /// Returns whether what it was asked for may be done.
    fn tell_answer(
        &self,
        call: &Call,
        answer: HookAnswer,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        let name = call.name.name();
        let (error, said, allowed) = match answer {
            HookAnswer::Yes | HookAnswer::Adds(_) => (None, None, true),
            HookAnswer::No(reason) if call.is_function => (None, Some(reason), false),
            // Its failure always counts as ignored, so that one that fails stops no signal.
            HookAnswer::No(reason) if call.name == HookName::BeforeSignal => {
                (Some(reason.clone()), Some(reason), false)
            }
            HookAnswer::No(reason) | HookAnswer::Failed(reason) => {
                (Some(reason.clone()), Some(reason), call.is_ignored)
            }
        };
        if let Some(reason) = said {
            let (watcher, hook) = (call.watcher, call.name);
            let follows = !allowed && call.name.decides();
            actions.push(Action::Report(Report::HookFailed { watcher, hook, reason, follows }));
        }
        let publication = match error {
            Some(error) => Publication::HookFailure { name, error: error.to_string() },
            None => Publication::HookSuccess { name },
        };
        actions.push(Action::publish(call.watcher, publication, now));
        allowed
    }

    /// What waited for it.
    fn go_on(
        &mut self,
        errand: Errand,
        call: &Call,
        allowed: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let w = call.watcher;
        let is_awaited = self.watchers[w].hook == Some((call.name, errand));
        if is_awaited {
            self.watchers[w].hook = None;
            self.touch(w);
        }
        match (call.name, call.slot) {
            (HookName::BeforeStart, _) if is_awaited && allowed => self.release(w, now, actions),
            (HookName::BeforeStart, _) if is_awaited => self.refuse_start(w, now, actions),
            (HookName::AfterStart, _) if is_awaited && allowed => {
                self.answered_after_start(w, now, actions);
            }
            (HookName::AfterStart, _) if is_awaited => self.refuse(call, now, actions),
            (HookName::BeforeStop, _) if is_awaited => self.stop_slots(w, now, actions),
            (HookName::AfterStop, _) if is_awaited => self.look_at_dependants(w),
            (HookName::BeforeSpawn, Some(id)) => {
                self.answered_before_spawn(id, errand, call, allowed, now, actions);
            }
            (HookName::AfterSpawn, Some(id)) => {
                if !allowed {
                    self.refuse(call, now, actions);
                } else if self.has_slot(id) {
                    self.answered_after_spawn(id, errand, now, actions);
                }
            }
            (HookName::BeforeReap, slot) => {
                if let Some(facts) = call.reaped {
                    self.call(w, HookName::AfterReap, slot, facts, now, actions);
                }
            }
            (HookName::BeforeSignal, _) => {
                if let Some(sending) = call.sending {
                    self.send_now(sending, allowed, now, actions);
                }
            }
            (
                HookName::BeforeStart
                | HookName::AfterStart
                | HookName::BeforeStop
                | HookName::AfterStop
                | HookName::BeforeSpawn
                | HookName::AfterSpawn
                | HookName::AfterSignal
                | HookName::AfterReap
                | HookName::ExtendedStats,
                _,
            ) => {}
        }
    }

    fn answered_after_start(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w];
        watcher.is_greeted = true;
        if watcher.has_ended() && watcher.sized > 0 {
            // It has done its work meanwhile.
            self.tell_started(w, now, actions);
            self.check_ended(w, now, actions);
        } else {
            self.check_started(w, now, actions);
        }
    }

    fn answered_before_spawn(
        &mut self,
        id: SlotId,
        errand: Errand,
        call: &Call,
        allowed: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let is_held = self.has_slot(id)
            && matches!(self.slot(id).state, State::Held { errand: Some(e) } if e == errand);
        if !is_held {
            return;
        }
        if allowed {
            self.slot_mut(id).is_allowed = true;
            self.put(id, State::Queued);
            self.queue.push_back(id);
        } else {
            self.refuse(call, now, actions);
        }
    }

    fn answered_after_spawn(
        &mut self,
        id: SlotId,
        errand: Errand,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let is_greeted = self.alter(id, |state| match state {
            State::Running { way, .. } if *way == (Way::Greeted { errand }) => {
                *way = Way::Executed;
                true
            }
            _ => false,
        });
        if is_greeted {
            self.touch(id.watcher);
            self.begin_vitals(id, now, actions);
            self.check_started(id.watcher, now, actions);
        }
    }

    /// All processes may start.
    pub(super) fn release(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let warmup_ms = self.settings(w).warmup_delay_ms;
        let is_held = |state: &State| matches!(state, State::Vacant | State::Held { errand: None });
        let held = self.slot_ids(w).filter(|id| self.slot(*id).wanted);
        let held: Vec<SlotId> = held.filter(|id| is_held(&self.slot(*id).state)).collect();
        for (number, id) in held.into_iter().enumerate() {
            self.slot_mut(id).not_before = now.after_ms(number as u64 * warmup_ms);
            self.schedule(id, now);
        }
        self.check_started(w, now, actions);
        // Without any process there is nothing to wait for.
        self.check_ended(w, now, actions);
    }

    /// `before_start` has said no: the watcher is where it was, and nobody is told that it stopped.
    fn refuse_start(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        self.note_refusal(w, HookName::BeforeStart);
        for id in self.slot_ids(w) {
            if matches!(self.slot(id).state, State::Held { .. }) {
                self.slot_mut(id).wanted = false;
                self.put(id, State::Vacant);
            }
        }
        self.set_phase(w, Phase::Stopped(Why::Failed));
        self.touch(w);
        self.stop_if_essential(w, now, actions);
    }

    /// A hook has said no to what its watcher has begun: it stops. Of a reload, only what is new goes.
    fn refuse(&mut self, call: &Call, now: Moment, actions: &mut Vec<Action>) {
        let w = call.watcher;
        if self.watchers[w].run != call.run || !self.watchers[w].is_up() {
            return;
        }
        if let Some(id) = call.slot
            && self.is_taking_over(id)
        {
            self.reload_failed(id, now, actions);
            return;
        }
        self.note_refusal(w, call.name);
        self.stop_watcher(w, now, actions);
    }

    fn note_refusal(&mut self, w: u32, name: HookName) {
        let watcher = &mut self.watchers[w];
        watcher.refused = Some(name);
        watcher.failed = true;
        watcher.last_code = watcher.last_code.max(1);
        self.first_failure.get_or_insert(1);
        self.fail_operation(w);
    }

    /// Hooks that take too long.
    pub(super) fn fire_hooks(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while let Some(errand) = self.hooks.overdue(now) {
            actions.push(Action::Abandon { errand });
            let reason = Rc::from("it did not end within its hook_timeout");
            self.hook_returned(errand, HookAnswer::Failed(reason), now, actions);
            // If its watcher is gone, nobody has taken it.
            self.hooks.take(errand);
        }
    }

    /// There is no time for hooks any more: what waits for one goes on.
    pub(super) fn drop_hooks(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while let Some((errand, call)) = self.hooks.take_first() {
            if call.by.is_some() {
                actions.push(Action::Abandon { errand });
            }
            if self.watchers.get(call.watcher).is_some() {
                self.go_on(errand, &call, true, now, actions);
            }
        }
        self.end_extras(actions);
    }
}

impl HookName {
    /// Something waits for it.
    fn is_awaited(self) -> bool {
        match self {
            HookName::BeforeStart
            | HookName::AfterStart
            | HookName::BeforeSpawn
            | HookName::AfterSpawn
            | HookName::BeforeStop
            | HookName::AfterStop
            | HookName::BeforeSignal => true,
            HookName::AfterSignal
            | HookName::BeforeReap
            | HookName::AfterReap
            | HookName::ExtendedStats => false,
        }
    }

    /// That it says no has a consequence.
    fn decides(self) -> bool {
        match self {
            HookName::BeforeStart
            | HookName::AfterStart
            | HookName::BeforeSpawn
            | HookName::AfterSpawn
            | HookName::BeforeSignal => true,
            HookName::BeforeStop
            | HookName::AfterStop
            | HookName::AfterSignal
            | HookName::BeforeReap
            | HookName::AfterReap
            | HookName::ExtendedStats => false,
        }
    }
}
