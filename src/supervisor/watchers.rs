//! All watchers, by a number that is never given to another one, in the order in which they came.

use super::watcher::Watcher;
use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// Boxed, as a tree that grows at its end leaves half of each node empty.
    by_number: BTreeMap<u32, Box<Watcher>>,
    /// Names in lower case, of those that are not on their way out.
    by_name: BTreeMap<Box<str>, u32>,
    next: u32,
}

impl Watchers {
    /// Returns its number.
    pub(super) fn add(&mut self, watcher: Watcher) -> u32 {
        let number = self.next;
        self.next += 1;
        self.by_name.insert(watcher.settings.name.to_lowercase().into(), number);
        self.by_number.insert(number, Box::new(watcher));
        number
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.leave(number);
        self.by_number.remove(&number);
    }

    /// It is on its way out: its name is free for another one.
    pub(super) fn leave(&mut self, number: u32) {
        let Some(watcher) = self.by_number.get_mut(&number) else { return };
        if !std::mem::replace(&mut watcher.leaving, true) {
            self.by_name.remove(&*watcher.settings.name.to_lowercase());
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Watcher> {
        self.by_number.get(&number).map(|watcher| &**watcher)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Watcher> {
        self.by_number.get_mut(&number).map(|watcher| &mut **watcher)
    }

    pub(super) fn numbers(&self) -> Vec<u32> {
        self.by_number.keys().copied().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Watcher> {
        self.by_number.values().map(|watcher| &**watcher)
    }

    /// With their numbers.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, &Watcher)> {
        self.by_number.iter().map(|(number, watcher)| (*number, &**watcher))
    }

    /// The first for which this holds, from this number on and round.
    pub(super) fn next_that(&self, from: u32, holds: impl Fn(&Watcher) -> bool) -> Option<u32> {
        let round = self.by_number.range(from..).chain(self.by_number.range(..from));
        round.filter(|(_, watcher)| holds(watcher)).map(|(number, _)| *number).next()
    }

    /// The one of this name, in any case. One that is on its way out is not there any more.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(&*name.to_lowercase()).copied()
    }
}

impl Index<u32> for Watchers {
    type Output = Watcher;

    fn index(&self, number: u32) -> &Watcher {
        self.by_number.get(&number).expect("a number of a watcher is only used while it is there")
    }
}

impl IndexMut<u32> for Watchers {
    fn index_mut(&mut self, number: u32) -> &mut Watcher {
        let watcher = self.by_number.get_mut(&number);
        watcher.expect("a number of a watcher is only used while it is there")
    }
}
