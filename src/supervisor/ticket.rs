//! Who waits for an answer, and what still has to happen before it can be given.

use super::operation::Kind;
use super::{Action, Supervisor};
use crate::commands::{Answer, Info, Refusal};
use crate::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};

/// Names a request that an answer is owed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Who asks, and when an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// `None`: nobody wants an answer.
    pub ticket: Option<Ticket>,
    /// The answer is wanted when the work is done, else when it has begun.
    pub waiting: bool,
}

/// How the answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Done,
    Info,
    NoInfo,
    Added,
    Numprocesses,
}

/// A command that is being carried out, in one or more parts.
#[derive(Debug)]
struct Pending {
    /// Parts that are not done yet.
    parts: usize,
    form: Form,
    /// What parts could not do.
    refusals: Vec<Refusal>,
    /// Those that are too many to be told.
    more: usize,
    after: After,
}

/// What follows when all parts of a command are done.
#[derive(Debug, Default)]
pub(super) struct After {
    /// Watchers to be stopped next, layer by layer, the last one first.
    pub(super) stop: Vec<Vec<u32>>,
    /// Then, watchers to be started.
    pub(super) start: BTreeSet<u32>,
}

/// So many reasons are told to whoever has asked for something; the others are counted.
const REFUSALS_MAX: usize = 10;

impl After {
    fn forget_stops(&mut self, watchers: &[u32]) {
        for layer in &mut self.stop {
            layer.retain(|w| !watchers.contains(w));
        }
        self.stop.retain(|layer| !layer.is_empty());
    }

    fn is_nothing(&self) -> bool {
        self.stop.is_empty() && self.start.is_empty()
    }
}

/// What a part has come to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) info: Info,
    pub(super) numprocesses: u32,
    pub(super) refusal: Option<Refusal>,
}

/// All commands that are being carried out.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    pending: BTreeMap<Key, Pending>,
    last_own: u64,
}

/// Of a client, or of our own where nobody waits but something follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Client(Ticket),
    Own(u64),
}

impl Tickets {
    /// A command of so many parts. `None` if nobody waits for it and nothing follows.
    pub(super) fn issue(
        &mut self,
        asker: Asker,
        parts: usize,
        form: Form,
        after: After,
    ) -> Option<Key> {
        let key = match asker.ticket.filter(|_| asker.waiting) {
            Some(ticket) => Key::Client(ticket),
            None if after.is_nothing() => return None,
            None => {
                self.last_own += 1;
                Key::Own(self.last_own)
            }
        };
        self.pending.insert(key, Pending { parts, form, refusals: Vec::new(), more: 0, after });
        Some(key)
    }

    /// These watchers are told to stop: whatever was to follow a command before does not.
    pub(super) fn forget_starts(&mut self, watchers: &[u32]) {
        self.pending.retain(|key, pending| {
            let is_own = matches!(key, Key::Own(_));
            for w in watchers {
                pending.after.start.remove(w);
            }
            if is_own {
                // The new command stops them; of a client's command it is still a part.
                pending.after.forget_stops(watchers);
            }
            !is_own || !pending.after.is_nothing()
        });
    }

    /// These watchers are told to run: none is stopped because of a command before.
    pub(super) fn forget_stops(&mut self, watchers: &[u32]) {
        for pending in self.pending.values_mut() {
            pending.after.forget_stops(watchers);
        }
    }

    /// More keys for what is to be done. Those of our own that lead nowhere any more go: else
    /// clients that do not wait could make them ever more.
    pub(super) fn join(&self, keys: &mut Vec<Key>, mut more: Vec<Key>) {
        keys.retain(|key| matches!(key, Key::Client(_)) || self.pending.contains_key(key));
        keys.append(&mut more);
    }

    /// Whether nothing is being carried out for anybody.
    #[cfg(debug_assertions)]
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

impl Supervisor {
    /// One part of these commands is done.
    pub(super) fn part_done(
        &mut self,
        keys: &[Key],
        outcome: &Outcome,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let is_stopping = self.is_stopping();
        for &key in keys {
            let Some(pending) = self.tickets.pending.get_mut(&key) else { continue };
            pending.parts = pending.parts.saturating_sub(1);
            if let Some(refusal) = &outcome.refusal {
                match pending.refusals.len() < REFUSALS_MAX {
                    true => pending.refusals.push(refusal.clone()),
                    false => pending.more += 1,
                }
            }
            if pending.parts > 0 {
                continue;
            }
            if !is_stopping && let Some(layer) = pending.after.stop.pop() {
                pending.parts = layer.len();
                self.stop_layer(layer, key, now, actions);
                continue;
            }
            let start = std::mem::take(&mut pending.after.start);
            if !start.is_empty() && !is_stopping {
                pending.parts = start.len();
                self.plan_starts(start.into_iter().collect(), &[key], now);
                continue;
            }
            let Some(pending) = self.tickets.pending.remove(&key) else { continue };
            if let Key::Client(ticket) = key {
                let answer = answer(&pending, outcome);
                actions.push(Action::Answer { ticket, answer });
            }
        }
    }

    /// The next of a group of watchers that stop one layer after the other.
    fn stop_layer(&mut self, layer: Vec<u32>, key: Key, now: Moment, actions: &mut Vec<Action>) {
        for w in layer {
            if self.watchers.get(w).is_some_and(|watcher| !watcher.leaving) {
                self.operate(w, Kind::Stop, vec![key], now, actions);
            } else {
                self.part_done(&[key], &Outcome::default(), now, actions);
            }
        }
    }

    /// All is over: whoever still waits for something hears so.
    pub(super) fn answer_all(&mut self, actions: &mut Vec<Action>) {
        for (key, pending) in std::mem::take(&mut self.tickets.pending) {
            if let Key::Client(ticket) = key {
                let answer = match pending.form {
                    // Nobody knows any more how many there are to be.
                    Form::Numprocesses => Answer::Done,
                    Form::Done | Form::Info | Form::NoInfo | Form::Added => {
                        answer(&pending, &Outcome::default())
                    }
                };
                actions.push(Action::Answer { ticket, answer });
            }
        }
    }
}

fn answer(pending: &Pending, outcome: &Outcome) -> Answer {
    if let Some(first) = pending.refusals.first() {
        let reasons: Vec<&str> = pending.refusals.iter().map(|it| &*it.reason).collect();
        let mut reason = reasons.join("\n");
        if pending.more > 0 {
            reason.push_str(&format!("\nand {} more", pending.more));
        }
        return Answer::Refused(Refusal::new(first.errno, reason));
    }
    match pending.form {
        Form::Done => Answer::Done,
        Form::Info => Answer::Info(Some(outcome.info.clone())),
        Form::NoInfo => Answer::Info(None),
        Form::Added => Answer::Added(outcome.info.clone()),
        Form::Numprocesses => {
            Answer::NewNumprocesses { numprocesses: outcome.numprocesses, singleton: false }
        }
    }
}
