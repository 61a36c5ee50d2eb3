//! Who waits for an answer, and what still has to happen before it can be given.

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
    /// What one of the parts could not do.
    refusal: Option<Refusal>,
    /// Watchers to be started when all parts are done.
    then_start: BTreeSet<u32>,
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
        then_start: BTreeSet<u32>,
    ) -> Option<Key> {
        let key = match asker.ticket.filter(|_| asker.waiting) {
            Some(ticket) => Key::Client(ticket),
            None if then_start.is_empty() => return None,
            None => {
                self.last_own += 1;
                Key::Own(self.last_own)
            }
        };
        self.pending.insert(key, Pending { parts, form, refusal: None, then_start });
        Some(key)
    }

    /// These watchers are to stay stopped, whatever was to follow.
    pub(super) fn forget_starts(&mut self, watchers: &[u32]) {
        self.pending.retain(|key, pending| {
            if pending.then_start.is_empty() {
                return true;
            }
            for w in watchers {
                pending.then_start.remove(w);
            }
            // Nobody waits for it, and nothing follows any more.
            !(matches!(key, Key::Own(_)) && pending.then_start.is_empty())
        });
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
                pending.refusal.get_or_insert_with(|| refusal.clone());
            }
            if pending.parts > 0 {
                continue;
            }
            let then_start = std::mem::take(&mut pending.then_start);
            if !then_start.is_empty() && !is_stopping {
                pending.parts = then_start.len();
                self.plan_starts(then_start.into_iter().collect(), Some(key), now);
                continue;
            }
            let Some(pending) = self.tickets.pending.remove(&key) else { continue };
            if let Key::Client(ticket) = key {
                let answer = answer(&pending, outcome);
                actions.push(Action::Answer { ticket, answer });
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
    if let Some(refusal) = &pending.refusal {
        return Answer::Refused(refusal.clone());
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
