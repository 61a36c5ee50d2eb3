//! Several watchers started, stopped or restarted together, in the order of what depends on what.

use super::operation::Kind;
use super::ticket::{After, Asker, Form};
use super::watcher::{Phase, Watcher, Why};
use super::{Action, Supervisor};
use crate::commands::{Refusal, Selection};
use crate::moment::Moment;
use std::collections::BTreeSet;

impl Supervisor {
    /// The same for the watchers named and what depends on them.
    pub(super) fn with_dependants_command(
        &mut self,
        asker: Asker,
        kind: Kind,
        selection: &Selection,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let named = self.select(selection)?;
        let mut all = self.with_dependants(&named);
        if kind == Kind::Start {
            // What has never run is not started by itself, and a one-shot that has completed is done.
            let is_back = |watcher: &Watcher| match watcher.phase {
                Phase::Stopped(Why::NotStarted) => watcher.settings.autostart,
                Phase::Stopped(Why::Waiting | Why::Completed) | Phase::Starting | Phase::Active => {
                    false
                }
                Phase::Stopped(Why::Asked | Why::Ended | Why::Failed) | Phase::Stopping => true,
            };
            all.retain(|w| named.contains(w) || is_back(&self.watchers[*w]));
            self.start_group(asker, all, now, actions);
            return Ok(());
        }
        // Those that wait for others go on waiting; one that waits for a connection would start.
        let would_start =
            |phase: Phase| kind == Kind::Stop && phase == Phase::Stopped(Why::Waiting);
        all.retain(|w| {
            let watcher = &self.watchers[*w];
            watcher.is_up() || named.contains(w) || would_start(watcher.phase)
        });
        if kind == Kind::Restart {
            self.tickets.forget_stops(&all);
            self.restart_group(asker, all, true, now, actions);
        } else {
            self.stop_group(asker, all, BTreeSet::new(), now, actions);
        }
        Ok(())
    }

    /// All of them are started, in order.
    pub(super) fn start_group(
        &mut self,
        asker: Asker,
        watchers: Vec<u32>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.tickets.forget_stops(&watchers);
        let key = self.tickets.issue(asker, watchers.len(), Form::Done, After::default());
        self.begun(asker, key, watchers.is_empty(), now, actions);
        self.plan_starts(watchers, key.as_slice(), now);
        self.start_more(now, actions);
    }

    /// All of them stop, those first that others of them depend on last; then some start.
    pub(super) fn stop_group(
        &mut self,
        asker: Asker,
        mut watchers: Vec<u32>,
        start: BTreeSet<u32>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        crate::sort::sort_by_key(&mut watchers, |w| self.settings(*w).priority);
        self.tickets.forget_starts(&watchers);
        for w in &watchers {
            self.leave_plan(*w, now, actions);
        }
        let mut layers = self.stop_layers(&watchers);
        layers.reverse();
        let first = layers.pop().unwrap_or_default();
        let after = After { stop: layers, start };
        let key = self.tickets.issue(asker, first.len(), Form::Done, after);
        self.begun(asker, key, first.is_empty(), now, actions);
        for w in first {
            self.operate(w, Kind::Stop, key.into_iter().collect(), now, actions);
        }
    }

    /// All of them stop, then all of them start, in order; those that do not start by themselves
    /// only if they were `named`.
    pub(super) fn restart_group(
        &mut self,
        asker: Asker,
        watchers: Vec<u32>,
        named: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let starts = |w: &u32| named || self.settings(*w).autostart;
        let start = watchers.iter().copied().filter(starts).collect();
        self.stop_group(asker, watchers, start, now, actions);
    }
}
