//! Calls of hooks: those under way, and those that wait in line.

use super::SlotId;
use super::event::Errand;
use super::hooks::HookFacts;
use crate::config::settings::HookName;
use crate::moment::Moment;
use crate::process::Pid;
use crate::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};

/// So many hooks are under way at once. One that took too long makes room at once, whether or not
/// its process has ended: others must not wait for ever.
const HOOKS_MAX: usize = 16;

/// So many may wait in line before those that nobody waits for are not called.
const LINE_MAX: usize = 1000;

/// All that were called and have not come back.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    out: BTreeMap<Errand, Call>,
    /// Of those that were sent.
    deadlines: BTreeSet<(Moment, Errand)>,
    /// Those that were not. Errands are numbered in their order.
    line: BTreeSet<Errand>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) watcher: u32,
    pub(super) name: HookName,
    pub(super) slot: Option<SlotId>,
    pub(super) facts: HookFacts,
    /// When it has to be back; `None` as long as it has not been sent.
    pub(super) by: Option<Moment>,
    pub(super) timeout_ms: u64,
    /// Which start of the watcher it belongs to.
    pub(super) run: u32,
    /// That it could not say does not matter.
    pub(super) is_ignored: bool,
    /// A function of Python: that it says no is no failure of it.
    pub(super) is_function: bool,
    /// For `before_signal`: what follows.
    pub(super) sending: Option<Sending>,
    /// For `before_reap`: what `after_reap` is told.
    pub(super) reaped: Option<HookFacts>,
}

/// A signal to a process, and what belongs to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending {
    pub(super) slot: SlotId,
    pub(super) pid: Pid,
    pub(super) signal: Signal,
    /// It is to end the process, so subscribers are told.
    pub(super) kills: bool,
    /// It may be suspended, and could not act on the signal.
    pub(super) wakes: bool,
}

impl Hooks {
    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn take(&mut self, errand: Errand) -> Option<Call> {
        let call = self.out.remove(&errand)?;
        self.line.remove(&errand);
        if let Some(by) = call.by {
            self.deadlines.remove(&(by, errand));
        }
        Some(call)
    }

    pub(super) fn take_first(&mut self) -> Option<(Errand, Call)> {
        let (&errand, _) = self.out.first_key_value()?;
        Some((errand, self.take(errand)?))
    }

    pub(super) fn get_mut(&mut self, errand: Errand) -> Option<&mut Call> {
        self.out.get_mut(&errand)
    }

    /// One that takes too long.
    pub(super) fn overdue(&self, now: Moment) -> Option<Errand> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, errand)| *errand)
    }

    pub(super) fn is_full(&self) -> bool {
        self.line.len() >= LINE_MAX
    }

    pub(super) fn add(&mut self, errand: Errand, call: Call) {
        self.out.insert(errand, call);
        self.line.insert(errand);
    }

    /// The next one, if there is room; its time begins now.
    pub(super) fn next(&mut self, now: Moment) -> Option<(Errand, &Call)> {
        if self.deadlines.len() >= HOOKS_MAX {
            return None;
        }
        let errand = self.line.pop_first()?;
        let call = self.out.get_mut(&errand)?;
        let by = now.after_ms(call.timeout_ms);
        call.by = Some(by);
        self.deadlines.insert((by, errand));
        Some((errand, call))
    }

    /// The second of the two is called when the first has come back.
    pub(super) fn call_after_reap(&mut self, first: Errand, facts: HookFacts) {
        if let Some(call) = self.out.get_mut(&first) {
            call.reaped = Some(facts);
        }
    }

    /// The number may be another process's from now on.
    pub(super) fn forget_process(&mut self, pid: Pid) {
        for call in self.out.values_mut() {
            call.sending = call.sending.filter(|sending| sending.pid != pid);
        }
    }

    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        let sent = self.out.values().filter(|call| call.by.is_some()).count();
        assert_eq!(sent, self.deadlines.len(), "every hook that was sent has its time");
        assert_eq!(self.out.len() - sent, self.line.len(), "the others wait in line");
    }
}
