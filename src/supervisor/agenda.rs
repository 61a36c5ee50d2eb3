//! The deadlines of all slots, nearest first. What is due is decided by the slots' states; this
//! only finds it without looking at every one of them.

use super::SlotId;
use crate::moment::Moment;
use std::collections::BTreeSet;

/// At most one deadline for each slot.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeSet<(Moment, SlotId)>,
}

impl Agenda {
    /// The slot's deadline was `old` and is `new`.
    pub(super) fn change(&mut self, slot: SlotId, old: Option<Moment>, new: Option<Moment>) {
        if old == new {
            return;
        }
        if let Some(at) = old {
            self.entries.remove(&(at, slot));
        }
        if let Some(at) = new {
            self.entries.insert((at, slot));
        }
    }

    /// The nearest deadline.
    pub(super) fn nearest(&self) -> Option<Moment> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// A slot whose deadline has come.
    pub(super) fn due(&self, now: Moment) -> Option<SlotId> {
        self.entries.first().filter(|(at, _)| *at <= now).map(|(_, slot)| *slot)
    }

    /// All entries, for the check of invariants.
    #[cfg(debug_assertions)]
    pub(super) fn entries(&self) -> impl Iterator<Item = (Moment, SlotId)> + '_ {
        self.entries.iter().copied()
    }
}
