//! A configuration that was read again: what differs is changed, everything else is left alone.
//! What clients have set since the last reading stays, unless the file has changed for that watcher.

use super::operation::Kind;
use super::ticket::{Asker, Form, Key};
use super::{Action, Report, Supervisor};
use crate::commands::{self, ChangeKind, Errno, Publication, Refusal};
use crate::config;
use crate::config::options::Change;
use crate::config::settings::{CircusSettings, WatcherSettings};
use crate::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What is to be done for one watcher.
#[derive(Debug)]
struct Step {
    /// Of one that is there.
    watcher: Option<u32>,
    /// Of one that is in the file.
    settings: Option<Rc<WatcherSettings>>,
    change: Change,
    options: Vec<Box<str>>,
}

impl Supervisor {
    /// What would change if these were the watchers of the configuration.
    pub fn changes(&self, watchers: &[Rc<WatcherSettings>]) -> Vec<commands::Change> {
        let steps = self.steps(watchers).into_iter();
        steps
            .map(|step| commands::Change {
                kind: match (&step.settings, step.watcher, step.change) {
                    (None, _, _) => ChangeKind::Removed,
                    (Some(_), None, _) => ChangeKind::Added,
                    (Some(_), Some(_), Change::Nothing | Change::Adjust) => ChangeKind::Adjusted,
                    (Some(_), Some(_), Change::Reload) => ChangeKind::Reloaded,
                    (Some(_), Some(_), Change::Restart) => ChangeKind::Restarted,
                },
                name: match (step.settings, step.watcher) {
                    (Some(settings), _) => settings.name.clone(),
                    (None, Some(w)) => self.settings(w).name.clone(),
                    (None, None) => Box::default(),
                },
                options: step.options,
            })
            .collect()
    }

    fn steps(&self, watchers: &[Rc<WatcherSettings>]) -> Vec<Step> {
        // Whatever their case, as for commands.
        let folded = |settings: &WatcherSettings| settings.name.to_lowercase();
        let here: BTreeMap<String, u32> = self
            .watchers
            .entries()
            .filter(|(_, watcher)| !watcher.leaving)
            .map(|(w, watcher)| (folded(&watcher.settings), w))
            .collect();
        let mut steps = Vec::new();
        let there: BTreeSet<String> = watchers.iter().map(|settings| folded(settings)).collect();
        for (w, watcher) in self.watchers.entries() {
            let is_missing = !there.contains(&folded(&watcher.settings));
            // What a client has added was never in the file.
            if is_missing && watcher.configured.is_some() && !watcher.leaving {
                steps.push(Step {
                    watcher: Some(w),
                    settings: None,
                    change: Change::Restart,
                    options: Vec::new(),
                });
            }
        }
        for settings in watchers {
            let watcher = here.get(&folded(settings)).copied();
            let configured = watcher.and_then(|w| self.watchers[w].configured.as_ref());
            let (options, change) = match configured {
                Some(old) => {
                    let options = config::differences(old, settings);
                    let change = config::strongest(&options);
                    (options, change)
                }
                None => (Vec::new(), Change::Restart),
            };
            if configured.is_none() || !options.is_empty() {
                let settings = Some(settings.clone());
                steps.push(Step { watcher, settings, change, options });
            }
        }
        steps
    }

    /// The configuration was read again. With `restart` everything is stopped and started too.
    pub(super) fn configure(
        &mut self,
        asker: Asker,
        circus: CircusSettings,
        watchers: &[Rc<WatcherSettings>],
        restart: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if self.is_stopping() {
            let refusal = Refusal::new(Errno::Command, "circusd is stopping");
            return super::command::refuse(asker, refusal, actions);
        }
        self.circus = circus;
        let mut operations: Vec<(u32, Kind)> = Vec::new();
        let mut started = Vec::new();
        for step in self.steps(watchers) {
            match (step.settings, step.watcher) {
                (None, Some(w)) => {
                    actions.push(Action::publish(w, Publication::Remove, now));
                    actions.push(Action::Report(Report::Removed { watcher: w }));
                    self.tickets.forget_starts(&[w]);
                    operations.push((w, Kind::Remove));
                }
                (Some(settings), Some(w)) => {
                    self.watchers[w].configured = Some(settings.clone());
                    let kinds = self.adopt(w, settings, step.change, now);
                    let options = step.options;
                    actions.push(Action::Report(Report::Changed { watcher: w, options }));
                    actions.push(Action::publish(w, Publication::Updated, now));
                    operations.extend(kinds.into_iter().map(|kind| (w, kind)));
                }
                (Some(settings), None) => {
                    let autostart = settings.autostart;
                    let w = self.new_watcher(settings, true);
                    actions.push(Action::publish(w, Publication::Add, now));
                    actions.push(Action::Report(Report::Added { watcher: w }));
                    started.extend(autostart.then_some(w));
                }
                (None, None) => {}
            }
        }
        if restart {
            for (w, kind) in operations {
                if kind == Kind::Remove {
                    self.operate(w, kind, Vec::new(), now, actions);
                }
            }
            let all = self.watchers.entries().filter(|(_, watcher)| !watcher.leaving);
            let all = all.map(|(w, _)| w).collect();
            return self.restart_group(asker, all, false, now, actions);
        }
        let parts = operations.len() + started.len();
        let key = self.tickets.issue(asker, parts, Form::Done, BTreeSet::new());
        self.begun(asker, key, parts == 0, now, actions);
        for (w, kind) in operations {
            let keys: Vec<Key> = key.into_iter().collect();
            self.operate(w, kind, keys, now, actions);
        }
        self.plan_starts(started, key, now);
        self.start_more(now, actions);
    }
}
