//! What the hook `extended_stats` adds to the figures of processes: it is called for one after the
//! other, and whoever asked is answered when that is done, or its time is over.

use super::event::Errand;
use super::hooks::{HookAnswer, HookFacts};
use super::{Action, Report, Supervisor, Ticket};
use crate::config::settings::HookName;
use crate::moment::Moment;
use crate::process::Pid;
use std::collections::VecDeque;
use std::rc::Rc;

/// All questions that are not answered. Of each watcher one is worked on, the others wait.
#[derive(Debug, Default)]
pub(super) struct Extras {
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    watcher: u32,
    pids: Vec<Pid>,
    /// Those who ask the same meanwhile get the same answer.
    askers: Vec<Ticket>,
    by: Moment,
    left: VecDeque<Pid>,
    out: Option<(Errand, Pid)>,
    said: Vec<(Pid, Rc<str>)>,
}

impl Extras {
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.asked.iter().map(|asked| asked.by).min()
    }
}

impl Supervisor {
    /// A client asks for the figures of these processes with all that their hook adds.
    pub(super) fn extend_figures(
        &mut self,
        ticket: Ticket,
        watcher: u32,
        pids: Vec<Pid>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let same = |asked: &&mut Asked| asked.watcher == watcher && asked.pids == pids;
        if let Some(asked) = self.extras.asked.iter_mut().find(same) {
            asked.askers.push(ticket);
            return;
        }
        let by = now.after_ms(self.settings(watcher).hook_timeout_ms);
        let left = pids.iter().copied().collect();
        let (askers, said) = (vec![ticket], Vec::new());
        self.extras.asked.push(Asked { watcher, pids, askers, by, left, out: None, said });
        self.advance_extras(now, actions);
    }

    /// The hook has come back.
    pub(super) fn extended(
        &mut self,
        errand: Errand,
        answer: HookAnswer,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let is_its = |asked: &&mut Asked| asked.out.is_some_and(|(other, _)| other == errand);
        let Some(asked) = self.extras.asked.iter_mut().find(is_its) else { return };
        let Some((_, pid)) = asked.out.take() else { return };
        let watcher = asked.watcher;
        match answer {
            HookAnswer::Adds(text) => asked.said.push((pid, text)),
            HookAnswer::Yes => {}
            HookAnswer::No(reason) | HookAnswer::Failed(reason) => {
                if self.watchers.get(watcher).is_some() {
                    let hook = HookName::ExtendedStats;
                    let report = Report::HookFailed { watcher, hook, reason, follows: false };
                    actions.push(Action::Report(report));
                }
            }
        }
        self.advance_extras(now, actions);
    }

    /// Call the hook for the next process of each, and answer what is done.
    fn advance_extras(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let mut at = 0;
        while at < self.extras.asked.len() {
            let watcher = self.extras.asked[at].watcher;
            let is_first = self.extras.asked[..at].iter().all(|other| other.watcher != watcher);
            if self.extras.asked[at].out.is_some() || !is_first {
                at += 1;
                continue;
            }
            let Some(pid) = self.extras.asked[at].left.pop_front() else {
                self.answer_extras(at, actions);
                continue;
            };
            let Some(slot) = self.pids.get(&pid).copied() else { continue };
            let facts = HookFacts { pid: Some(pid), ..HookFacts::default() };
            let name = HookName::ExtendedStats;
            let errand = self.call(watcher, name, Some(slot), facts, now, actions);
            self.extras.asked[at].out = errand.map(|errand| (errand, pid));
        }
    }

    fn answer_extras(&mut self, at: usize, actions: &mut Vec<Action>) {
        let Asked { askers, said, out, .. } = self.extras.asked.remove(at);
        if let Some((errand, _)) = out {
            self.abandon_hook(errand);
        }
        let answer = |ticket| Action::Extras { ticket, said: said.clone() };
        actions.extend(askers.into_iter().map(answer));
    }

    /// Answers that have waited long enough go without the rest.
    pub(super) fn fire_extras(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let is_due = |asked: &Asked| asked.by <= now;
        if !self.extras.asked.iter().any(is_due) {
            return;
        }
        while let Some(at) = self.extras.asked.iter().position(is_due) {
            self.answer_extras(at, actions);
        }
        self.advance_extras(now, actions);
    }

    /// No hook is called any more.
    pub(super) fn end_extras(&mut self, actions: &mut Vec<Action>) {
        while !self.extras.asked.is_empty() {
            self.answer_extras(0, actions);
        }
    }

    /// Whether figures of a watcher's processes have more to them.
    pub fn has_extras(&self, watcher: u32) -> bool {
        let hooks = &self.settings(watcher).hooks;
        hooks.iter().any(|hook| hook.name == HookName::ExtendedStats)
    }
}
