//! `depends_on`: who waits for whom. A watcher starts when the gates of all its dependencies are
//! open, and everything stops the other way round. A dependency that is not there (removed, or
//! switched off in the file) is not waited for.

use super::slot::{Slot, State, Way};
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
    /// Waiting alone does not help.
    pub(super) root: Option<Root>,
}

/// Where a row of watchers that wait for each other ends in vain: this one is not on its way, and
/// somebody has to see to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) watcher: u32,
    pub(super) why: Why,
}

impl Root {
    /// It has ended by itself; nobody has told it to.
    pub(super) fn is_an_end(self) -> bool {
        match self.why {
            Why::Failed | Why::Ended => true,
            Why::NotStarted | Why::Asked | Why::Waiting | Why::Completed => false,
        }
    }
}

impl Blocker {
    /// The watcher that somebody has to see to, or the one that is waited for.
    pub fn culprit(&self) -> u32 {
        self.root.map_or(self.on, |root| root.watcher)
    }

    /// What is waited for; `name` gives that of a watcher.
    pub(super) fn text<'a>(&self, name: impl Fn(u32) -> &'a str) -> String {
        let on = name(self.on);
        let Some(root) = self.root else {
            return match self.gate {
                Gate::Started => format!("waiting for {on} to start"),
                Gate::Ready => format!("waiting for {on} to be ready"),
                Gate::Completed => format!("waiting for {on} to complete"),
            };
        };
        let end = match root.why {
            Why::Failed => "failed",
            Why::Ended => "ended",
            Why::NotStarted | Why::Asked | Why::Waiting | Why::Completed => "is stopped",
        };
        match root.watcher == self.on {
            true => format!("waiting for {on}, which {end}"),
            false => {
                format!("waiting for {on}, which waits for {}, which {end}", name(root.watcher))
            }
        }
    }
}

impl Supervisor {
    /// What keeps a watcher from starting: what is hopeless first.
    pub(super) fn blocker(&self, w: u32) -> Option<Blocker> {
        let blockers = self.gates(w).filter_map(|(on, gate)| self.closed(on, gate));
        blockers.min_by_key(|blocker| blocker.root.is_none())
    }

    /// What keeps this gate closed.
    pub(super) fn closed(&self, on: u32, gate: Gate) -> Option<Blocker> {
        let watcher = self.watchers.get(on).filter(|watcher| !watcher.leaving)?;
        let is_on_its_way = watcher.current.is_some() || !watcher.queued.is_empty();
        let (is_open, root) = match (watcher.phase, &watcher.planned) {
            // It is about to run again, or waits in vain itself.
            (Phase::Stopped(_), Some(planned)) => (false, planned.root()),
            // Its sockets are there, and whoever comes to them is served.
            (Phase::Stopped(Why::Waiting), None) => (true, None),
            (Phase::Stopped(_), None) if is_on_its_way => (false, None),
            (Phase::Stopped(Why::Completed), None) => (true, None),
            (Phase::Stopped(why), None) => (false, Some(Root { watcher: on, why })),
            (Phase::Starting | Phase::Active | Phase::Stopping, _) => (watcher.is_open(gate), None),
        };
        (!is_open).then_some(Blocker { on, gate, root })
    }

    /// The watchers that this one waits for, and until when; each once.
    pub(super) fn gates(&self, w: u32) -> impl Iterator<Item = (u32, Gate)> {
        let dependencies = self.watchers[w].settings.depends_on.iter();
        dependencies.filter_map(|it| Some((self.watchers.find(&it.name)?, it.gate)))
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
    /// What waits for this may go on: not only once, but now.
    fn is_open(&self, gate: Gate) -> bool {
        let has_executed =
            |slot: &Slot| matches!(slot.state, State::Running { way: Way::Executed, .. });
        match (self.phase, gate) {
            (Phase::Starting | Phase::Active, Gate::Started) => {
                self.is_started && self.all_serve(has_executed)
            }
            (Phase::Active, Gate::Ready) => !self.settings.oneshot && self.is_ready(),
            (Phase::Active, Gate::Completed)
            | (Phase::Starting, Gate::Ready | Gate::Completed)
            | (Phase::Stopping | Phase::Stopped(_), _) => false,
        }
    }

    /// All its processes do their work.
    pub(super) fn is_ready(&self) -> bool {
        self.all_serve(Slot::is_ready)
    }

    /// As long as a reload goes on, it is the old ones that serve.
    fn all_serve(&self, serves: impl Fn(&Slot) -> bool) -> bool {
        let new = self.reload.as_ref().map_or(&[][..], |reload| &reload.new);
        let slots = self.slots.iter().zip(0..);
        let mut counted =
            slots.filter(|(slot, index)| slot.wanted && !new.contains(index)).peekable();
        // With its last one given up it is about to have ended.
        (counted.peek().is_some() || self.sized == 0) && counted.all(|(slot, _)| serves(slot))
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
