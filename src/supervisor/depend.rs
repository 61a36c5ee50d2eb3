//! `depends_on`: who waits for whom. A watcher starts when the gates of all its dependencies are
//! open, and everything stops the other way round. A dependency that is not there (removed, or
//! switched off in the file) is not waited for.

use super::watcher::{Phase, Watcher, Why};
use super::{Supervisor, Watchers};
use crate::config::settings::Gate;
use std::collections::{BTreeMap, BTreeSet};

/// Why a watcher cannot start yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocker {
    /// The dependency.
    pub(super) on: u32,
    gate: Gate,
    /// The dependency is not on its way; somebody has to start it.
    stopped: Option<Why>,
}

impl Blocker {
    /// Waiting alone does not help.
    pub(super) fn is_hopeless(&self) -> bool {
        self.stopped.is_some()
    }

    /// What is waited for; `name` is that of the dependency.
    pub(super) fn text(&self, name: &str) -> String {
        match (self.stopped, self.gate) {
            (Some(Why::Failed), _) => format!("waiting for {name}, which failed"),
            (Some(Why::Ended), _) => format!("waiting for {name}, which ended"),
            (Some(Why::NotStarted | Why::Asked | Why::Waiting | Why::Completed), _) => {
                format!("waiting for {name}, which is stopped")
            }
            (None, Gate::Started) => format!("waiting for {name} to start"),
            (None, Gate::Ready) => format!("waiting for {name} to be ready"),
            (None, Gate::Completed) => format!("waiting for {name} to complete"),
        }
    }
}

impl Supervisor {
    /// What keeps a watcher from starting: what is hopeless first.
    pub(super) fn blocker(&self, w: u32) -> Option<Blocker> {
        let dependencies = self.watchers[w].settings.depends_on.iter();
        let blockers = dependencies.filter_map(|dependency| {
            let on = self.watchers.find(&dependency.name)?;
            self.watchers[on].blocks(on, dependency.gate)
        });
        blockers.min_by_key(|blocker| !blocker.is_hopeless())
    }

    /// The watchers that this one waits for.
    pub(super) fn dependencies(&self, w: u32) -> Vec<u32> {
        let names = self.watchers[w].settings.depends_on.iter();
        names.filter_map(|dependency| self.watchers.find(&dependency.name)).collect()
    }

    /// These and all that depend on one of them, directly or not.
    pub(super) fn with_dependants(&self, watchers: &[u32]) -> Vec<u32> {
        let dependants = Dependants::of(&self.watchers);
        let mut all = watchers.to_vec();
        let mut known: BTreeSet<u32> = watchers.iter().copied().collect();
        let mut at = 0;
        while let Some(w) = all.get(at) {
            all.extend(dependants.of_one(*w).iter().filter(|w| known.insert(**w)));
            at += 1;
        }
        all
    }

    /// The order in which these are stopped: each layer when the one before is gone.
    pub(super) fn stop_layers(&self, watchers: &[u32]) -> Vec<Vec<u32>> {
        Dependants::of(&self.watchers).layers(watchers)
    }
}

impl Watcher {
    fn blocks(&self, number: u32, gate: Gate) -> Option<Blocker> {
        let is_on_its_way =
            self.planned.is_some() || self.current.is_some() || !self.queued.is_empty();
        let (is_open, stopped) = match (self.phase, gate) {
            // It may be about to run again.
            (Phase::Stopped(Why::Completed), _) => (!is_on_its_way, None),
            // Its sockets are there, and whoever comes to them is served.
            (Phase::Stopped(Why::Waiting), _) => (true, None),
            (Phase::Stopped(why), _) => (false, Some(why).filter(|_| !is_on_its_way)),
            (Phase::Starting | Phase::Active, Gate::Started) => (self.is_started, None),
            (Phase::Active, Gate::Ready) => (!self.settings.oneshot, None),
            (Phase::Active, Gate::Completed)
            | (Phase::Starting, Gate::Ready | Gate::Completed)
            | (Phase::Stopping, _) => (false, None),
        };
        (!is_open).then_some(Blocker { on: number, gate, stopped })
    }
}

/// Who depends on whom, by the dependency's number.
#[derive(Debug, Default)]
pub(super) struct Dependants {
    by_dependency: BTreeMap<u32, Vec<u32>>,
}

impl Dependants {
    pub(super) fn of(watchers: &Watchers) -> Dependants {
        let mut by_dependency: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (w, watcher) in watchers.entries() {
            for dependency in &watcher.settings.depends_on {
                if let Some(on) = watchers.find(&dependency.name) {
                    by_dependency.entry(on).or_default().push(w);
                }
            }
        }
        Dependants { by_dependency }
    }

    pub(super) fn of_one(&self, w: u32) -> &[u32] {
        self.by_dependency.get(&w).map_or(&[], |all| all)
    }

    /// Those that nobody of these depends on, then those that only the first ones depend on, and
    /// so on. Circles, which a configuration does not have, come last.
    pub(super) fn layers(&self, watchers: &[u32]) -> Vec<Vec<u32>> {
        let mut waits: BTreeMap<u32, usize> = watchers.iter().map(|w| (*w, 0)).collect();
        let mut needs: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for on in watchers {
            for w in self.of_one(*on).iter().filter(|w| *w != on) {
                if waits.contains_key(w) {
                    needs.entry(*w).or_default().push(*on);
                    *waits.entry(*on).or_default() += 1;
                }
            }
        }
        let mut layers = Vec::new();
        let mut layer: Vec<u32> = watchers.iter().copied().filter(|w| waits[w] == 0).collect();
        while !layer.is_empty() {
            let mut next = Vec::new();
            for w in &layer {
                waits.remove(w);
                for on in needs.remove(w).unwrap_or_default() {
                    let left = waits.entry(on).or_default();
                    *left -= 1;
                    if *left == 0 {
                        next.push(on);
                    }
                }
            }
            layers.push(std::mem::replace(&mut layer, next));
        }
        if !waits.is_empty() {
            layers.push(waits.into_keys().collect());
        }
        layers
    }
}
