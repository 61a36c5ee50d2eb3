//! A configuration that was read again: what differs is changed, everything else is left alone.
//! What clients have set since the last reading stays, unless the file has changed for that watcher.

use super::operation::Kind;
use super::ticket::{After, Asker, Form, Key};
use super::{Action, Configuration, Report, Supervisor};
use crate::commands::{self, ChangeKind, Errno, Publication, Refusal};
use crate::config;
use crate::config::options::Change;
use crate::config::settings::{SocketSettings, WatcherSettings};
use crate::config::sockets;
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
    /// What would change if this were the configuration; nothing of `[circus]`.
    pub fn changes(&self, new: &Configuration) -> Vec<commands::Change> {
        let steps = self.steps(new).into_iter();
        self.socket_changes(&new.sockets)
            .chain(steps.map(|step| commands::Change {
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
            }))
            .collect()
    }

    fn socket_changes(&self, new: &[Rc<SocketSettings>]) -> impl Iterator<Item = commands::Change> {
        let find = |sockets: &[Rc<SocketSettings>], name: &str| {
            sockets.iter().find(|socket| *socket.name == *name).cloned()
        };
        let change = |kind, socket: &SocketSettings| commands::Change {
            kind,
            name: format!("[socket:{}]", socket.name).into(),
            options: Vec::new(),
        };
        let gone = self.sockets.iter().filter(|old| find(new, &old.name).is_none());
        let mut changes: Vec<_> = gone.map(|old| change(ChangeKind::Removed, old)).collect();
        changes.extend(new.iter().filter_map(|socket| match find(&self.sockets, &socket.name) {
            None => Some(change(ChangeKind::Added, socket)),
            Some(old) if old == *socket => None,
            Some(old) if old.can_become(socket) => Some(change(ChangeKind::Adjusted, socket)),
            Some(_) => Some(change(ChangeKind::Reloaded, socket)),
        }));
        changes.into_iter()
    }

    fn steps(&self, new: &Configuration) -> Vec<Step> {
        let watchers = &new.watchers;
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
                    let mut options = config::differences(old, settings);
                    let mut change = config::strongest(&options);
                    let before = (&**old, &*self.sockets);
                    if sockets::differ(before, (settings, &new.sockets)) {
                        change = change.max(Change::Reload);
                        options.push("sockets".into());
                    }
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
        new: Box<Configuration>,
        restart: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if self.is_stopping() {
            let refusal = Refusal::new(Errno::Command, "circusd is stopping");
            return super::command::refuse(asker, refusal, actions);
        }
        let steps = self.steps(&new);
        let mut operations = self.strangers_to_reload(&new.sockets);
        self.circus = new.circus;
        if self.sockets != new.sockets {
            self.sockets = new.sockets;
            self.renew_watches(now);
        }
        let mut started = Vec::new();
        for step in steps {
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
        let key = self.tickets.issue(asker, parts, Form::Done, After::default());
        self.begun(asker, key, parts == 0, now, actions);
        for (w, kind) in operations {
            let keys: Vec<Key> = key.into_iter().collect();
            self.operate(w, kind, keys, now, actions);
        }
        self.plan_starts(started, key.as_slice(), now);
        self.start_more(now, actions);
    }

    /// Watchers that no file names, and whose sockets are others from now on.
    fn strangers_to_reload(&self, new: &[Rc<SocketSettings>]) -> Vec<(u32, Kind)> {
        let all = self.watchers.entries().filter(|(_, watcher)| {
            let settings = &*watcher.settings;
            let others = sockets::differ((settings, &self.sockets), (settings, new));
            watcher.configured.is_none() && watcher.is_up() && others
        });
        all.map(|(w, _)| (w, Kind::Reload)).collect()
    }
}
