//! Probes under way, and those that wait in line: so many at once and no more, whatever hangs.

use super::event::Errand;
use super::vitals::Vitals;
use super::{Action, Report, SlotId, Supervisor};
use crate::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};

/// So many probes are under way at once.
const PROBES_MAX: usize = 16;

/// One that was killed and is not gone after so long is told.
const LEAVING_MS: u64 = 1000;

/// All that have not come back. Errands are numbered in their order, and so is the line.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// About whose process each is.
    out: BTreeMap<Errand, SlotId>,
    /// Those of them that have not been sent.
    line: BTreeSet<Errand>,
    /// Nobody wants to know any more; until they are gone they keep their place.
    leaving: BTreeMap<Errand, Leaving>,
}

#[derive(Debug)]
struct Leaving {
    slot: SlotId,
    /// When it was in the way first.
    seen: Option<Moment>,
    is_told: bool,
}

impl Probes {
    /// It has come back. `None`: nobody wants to know.
    pub(super) fn take(&mut self, errand: Errand) -> Option<SlotId> {
        self.leaving.remove(&errand);
        self.out.remove(&errand)
    }

    /// Nobody wants to know any more. Returns whether it was sent.
    pub(super) fn leave(&mut self, errand: Errand) -> bool {
        let Some(slot) = self.out.remove(&errand) else { return false };
        if self.line.remove(&errand) {
            return false;
        }
        self.leaving.insert(errand, Leaving { slot, seen: None, is_told: false });
        true
    }

    fn under_way(&self) -> usize {
        self.out.len() - self.line.len() + self.leaving.len()
    }

    /// The next one, if there is room.
    fn next(&mut self) -> Option<(Errand, SlotId)> {
        if self.under_way() >= PROBES_MAX {
            return None;
        }
        let errand = self.line.pop_first()?;
        Some((errand, *self.out.get(&errand)?))
    }

    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        assert!(self.line.iter().all(|errand| self.out.contains_key(errand)), "the line is known");
        assert!(self.under_way() <= PROBES_MAX, "not more than there is room for");
    }
}

impl Supervisor {
    /// A process is to be asked, as soon as there is room.
    pub(super) fn ask(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        let former = self.probes.leaving.values_mut().find(|leaving| leaving.slot == id);
        if let Some(leaving) = former {
            let seen = *leaving.seen.get_or_insert(now);
            if !leaving.is_told && now.since_ms(seen) >= LEAVING_MS {
                leaving.is_told = true;
                actions.push(Action::Report(Report::ProbeStuck { slot: id }));
            }
            let settings = self.settings(id.watcher).clone();
            self.vitals(id, |vitals| vitals.ask_later(&settings, now));
            return;
        }
        self.last_errand += 1;
        let errand = Errand(self.last_errand);
        if self.vitals(id, |vitals| vitals.asked(errand, now)).is_some() {
            self.probes.out.insert(errand, id);
            self.probes.line.insert(errand);
            self.send_probes(now, actions);
        }
    }

    /// As many as there is room for.
    pub(super) fn send_probes(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while let Some((errand, slot)) = self.probes.next() {
            let settings = self.settings(slot.watcher).clone();
            let question = self.vitals(slot, |vitals| {
                vitals.set_out(&settings, now);
                vitals.question()
            });
            if let (Some(question), Some(pid)) = (question, self.slot(slot).running()) {
                actions.push(Action::Probe { slot, pid, errand, question });
            } else {
                self.probes.out.remove(&errand);
            }
        }
    }

    /// Nobody wants to know any more.
    pub(super) fn abandon_probe(&mut self, errand: Errand) {
        if self.probes.leave(errand) {
            self.abandoned.push(errand);
        }
    }

    pub(super) fn forget_errand(&mut self, vitals: Option<&Vitals>) {
        if let Some(errand) = vitals.and_then(Vitals::errand) {
            self.abandon_probe(errand);
        }
    }
}
