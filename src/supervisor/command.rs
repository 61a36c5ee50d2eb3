//! Commands that change something: what each of them means for which watchers.

use super::operation::Kind;
use super::report::StopCause;
use super::slot::State;
use super::ticket::{After, Asker, Form, Key, Outcome};
use super::watcher::{Phase, Why};
use super::{Action, Report, SlotId, Supervisor};
use crate::commands::{Answer, Command, Errno, Publication, Refusal, Selection};
use crate::config::options::Change;
use crate::config::settings::WatcherSettings;
use crate::moment::Moment;
use std::collections::BTreeSet;
use std::rc::Rc;

/// More than anybody needs; keeps a client from filling our memory.
const WATCHERS_MAX: usize = 20_000;

impl Supervisor {
    /// A client wants something done. Commands that only read are answered by `read`.
    pub(super) fn command(
        &mut self,
        asker: Asker,
        command: Command,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if let Err(refusal) = self.carry_out(asker, command, now, actions) {
            refuse(asker, refusal, actions);
        }
    }

    fn carry_out(
        &mut self,
        asker: Asker,
        command: Command,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        self.refuse_while_stopping(&command)?;
        match command {
            Command::Start(selection) => self.start_command(asker, &selection, now, actions),
            Command::Stop(selection) => self.stop_command(asker, &selection, now, actions),
            Command::StopWithDependants(selection) => {
                self.with_dependants_command(asker, Kind::Stop, &selection, now, actions)
            }
            Command::RestartWithDependants(selection) => {
                self.with_dependants_command(asker, Kind::Restart, &selection, now, actions)
            }
            Command::StartWithDependants(selection) => {
                self.with_dependants_command(asker, Kind::Start, &selection, now, actions)
            }
            Command::Restart(selection) => self.restart_command(asker, &selection, now, actions),
            Command::Reload { name, graceful, sequential } => {
                let kind = match (graceful, sequential) {
                    (false, _) => Kind::Restart,
                    (true, true) => Kind::ReloadInTurn,
                    (true, false) => Kind::Reload,
                };
                self.reload_command(asker, name.as_deref(), kind, now, actions)
            }
            Command::Incr { name, nb } => {
                self.add_processes(asker, &name, i64::from(nb), now, actions)
            }
            Command::Decr { name, nb } => {
                self.add_processes(asker, &name, -i64::from(nb), now, actions)
            }
            Command::Kill { name, pid, signal, grace_ms } => {
                let w = self.find(&name)?;
                self.kill(asker, w, pid, signal, grace_ms, now, actions)
            }
            Command::Signal { name, signal, receivers } => {
                self.signal_command(asker, &name, signal, receivers, now, actions)
            }
            Command::Rm { name, nostop } => {
                self.remove(asker, self.find(&name)?, nostop, now, actions);
                Ok(())
            }
            Command::Quit => {
                self.quit(asker, now, actions);
                Ok(())
            }
            Command::Add { .. }
            | Command::Set { .. }
            | Command::ReloadConfig { .. }
            | Command::Dstats
            | Command::Get { .. }
            | Command::GlobalOptions { .. }
            | Command::List { .. }
            | Command::ListSockets { .. }
            | Command::Logs { .. }
            | Command::ReopenLogs
            | Command::Numprocesses { .. }
            | Command::Numwatchers
            | Command::Options { .. }
            | Command::Stats { .. }
            | Command::Status { .. } => {
                debug_assert!(false, "somebody else carries this out");
                Err(Refusal::new(Errno::Command, "this command cannot be carried out here"))
            }
        }
    }

    fn refuse_while_stopping(&self, command: &Command) -> Result<(), Refusal> {
        let fits = matches!(
            command,
            Command::Quit
                | Command::Stop(_)
                | Command::StopWithDependants(_)
                | Command::Kill { .. }
                | Command::Signal { .. }
        );
        if self.is_stopping() && !fits {
            return Err(Refusal::new(Errno::Command, "circusd is stopping"));
        }
        Ok(())
    }

    /// The watcher of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<u32, Refusal> {
        self.watchers.find(name).ok_or_else(|| Refusal::not_found(name))
    }

    pub(super) fn select(&self, selection: &Selection) -> Result<Vec<u32>, Refusal> {
        let here = self.watchers.entries().filter(|(_, watcher)| !watcher.leaving);
        match selection {
            Selection::All => Ok(here.map(|(w, _)| w).collect()),
            Selection::Matching { pattern, matching } => {
                let found: Vec<u32> = here
                    .filter(|(_, watcher)| matching.matches(pattern, &watcher.settings.name))
                    .map(|(w, _)| w)
                    .collect();
                if found.is_empty() { Err(Refusal::not_found(pattern)) } else { Ok(found) }
            }
        }
    }

    fn start_command(
        &mut self,
        asker: Asker,
        selection: &Selection,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let mut watchers = self.select(selection)?;
        self.tickets.forget_stops(&watchers);
        if let ([w], Selection::Matching { .. }) = (&watchers[..], selection) {
            self.operate_all(asker, Kind::Start, Form::Info, &[*w], now, actions);
            return Ok(());
        }
        if !names_them(selection) {
            watchers.retain(|w| self.settings(*w).autostart && !self.watchers[*w].has_completed());
        }
        self.start_group(asker, watchers, now, actions);
        Ok(())
    }

    fn stop_command(
        &mut self,
        asker: Asker,
        selection: &Selection,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let watchers = self.select(selection)?;
        if let ([w], Selection::Matching { .. }) = (&watchers[..], selection) {
            self.tickets.forget_starts(&watchers);
            self.operate_all(asker, Kind::Stop, Form::NoInfo, &[*w], now, actions);
        } else {
            self.stop_group(asker, watchers, BTreeSet::new(), now, actions);
        }
        Ok(())
    }

    fn restart_command(
        &mut self,
        asker: Asker,
        selection: &Selection,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let watchers = self.select(selection)?;
        self.tickets.forget_stops(&watchers);
        if let ([w], Selection::Matching { .. }) = (&watchers[..], selection) {
            self.tickets.forget_starts(&watchers);
            self.operate_all(asker, Kind::Restart, Form::Info, &[*w], now, actions);
        } else {
            self.restart_group(asker, watchers, names_them(selection), now, actions);
        }
        Ok(())
    }

    fn reload_command(
        &mut self,
        asker: Asker,
        name: Option<&str>,
        kind: Kind,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let watchers = match name {
            Some(name) => vec![self.find(name)?],
            None => self.reloadable(),
        };
        self.tickets.forget_stops(&watchers);
        self.operate_all(asker, kind, Form::Info, &watchers, now, actions);
        Ok(())
    }

    /// The same for all of these watchers.
    pub(super) fn operate_all(
        &mut self,
        asker: Asker,
        kind: Kind,
        form: Form,
        watchers: &[u32],
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let form = if watchers.len() == 1 { form } else { Form::Done };
        let key = self.tickets.issue(asker, watchers.len(), form, After::default());
        self.begun(asker, key, watchers.is_empty(), now, actions);
        for w in watchers {
            self.operate(*w, kind, key.into_iter().collect(), now, actions);
        }
    }

    /// Who does not wait is answered now; and so is who waits for nothing.
    pub(super) fn begun(
        &mut self,
        asker: Asker,
        key: Option<Key>,
        nothing: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if !asker.waiting {
            done(asker, actions);
        }
        if nothing && let Some(key) = key {
            self.part_done(&[key], &Outcome::default(), now, actions);
        }
    }

    /// `by` more processes, or fewer; never below none.
    fn add_processes(
        &mut self,
        asker: Asker,
        name: &str,
        by: i64,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        const PROCESSES_MAX: i64 = 10_000;
        let w = self.find(name)?;
        let settings = self.settings(w).clone();
        if settings.singleton {
            let numprocesses = settings.numprocesses;
            let answer = Answer::NewNumprocesses { numprocesses, singleton: true };
            if let Some(ticket) = asker.ticket {
                actions.push(Action::Answer { ticket, answer });
            }
            return Ok(());
        }
        let new = i64::from(settings.numprocesses) + by;
        if new > PROCESSES_MAX {
            let reason = format!("{name} would have {new} processes; {PROCESSES_MAX} are the most");
            return Err(Refusal::new(Errno::Message, reason));
        }
        let numprocesses = new.max(0) as u32;
        self.watchers[w].settings =
            Rc::new(WatcherSettings { numprocesses, ..(*settings).clone() });
        self.operate_all(asker, Kind::Resize, Form::Numprocesses, &[w], now, actions);
        Ok(())
    }

    fn remove(
        &mut self,
        asker: Asker,
        w: u32,
        nostop: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::publish(w, Publication::Remove, now));
        actions.push(Action::Report(Report::Removed { watcher: w }));
        self.tickets.forget_starts(&[w]);
        if nostop {
            self.let_go(w);
        }
        self.operate_all(asker, Kind::Remove, Form::Done, &[w], now, actions);
    }

    /// Its processes go on, and are nobody's any more.
    fn let_go(&mut self, w: u32) {
        self.watchers[w].let_go = true;
        for id in self.slot_ids(w).collect::<Vec<SlotId>>() {
            let State::Running { leader, .. } = &self.slot(id).state else { continue };
            let pid = leader.pid;
            self.arrived(id);
            self.pids.remove(&pid);
            self.put(id, State::Vacant);
            self.slot_mut(id).wanted = false;
        }
    }

    fn quit(&mut self, asker: Asker, now: Moment, actions: &mut Vec<Action>) {
        // Answered when all is over.
        let key = self.tickets.issue(asker, 1, Form::Done, After::default());
        self.begun(asker, key, false, now, actions);
        self.begin_shutdown(StopCause::Command, 0, now, actions);
    }

    /// A new watcher, which is to be started at once or not.
    pub(super) fn add_watcher(
        &mut self,
        asker: Asker,
        settings: Rc<WatcherSettings>,
        start: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let refusal = if self.is_stopping() {
            Some(Refusal::new(Errno::Command, "circusd is stopping"))
        } else if self.watchers.find(&settings.name).is_some() {
            Some(Refusal::already_there(&settings.name))
        } else if self.watchers.iter().count() >= WATCHERS_MAX {
            let reason = format!("there are {WATCHERS_MAX} watchers, and no more can be added");
            Some(Refusal::new(Errno::Command, reason))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return refuse(asker, refusal, actions);
        }
        let w = self.new_watcher(settings, false);
        actions.push(Action::publish(w, Publication::Add, now));
        actions.push(Action::Report(Report::Added { watcher: w }));
        if start {
            self.operate_all(asker, Kind::Start, Form::Added, &[w], now, actions);
        } else {
            done(asker, actions);
        }
    }

    /// A watcher has new settings, of which these options were set.
    pub(super) fn change(
        &mut self,
        asker: Asker,
        w: u32,
        settings: Rc<WatcherSettings>,
        options: &[Box<str>],
        change: Change,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if self.is_stopping() {
            let refusal = Refusal::new(Errno::Command, "circusd is stopping");
            return refuse(asker, refusal, actions);
        }
        for _ in options {
            actions.push(Action::publish(w, Publication::Updated, now));
        }
        actions.push(Action::Report(Report::Changed { watcher: w, options: options.to_vec() }));
        let kinds = self.adopt(w, settings, change, now);
        let key = self.tickets.issue(asker, kinds.len(), Form::Done, After::default());
        self.begun(asker, key, kinds.is_empty(), now, actions);
        for kind in kinds {
            self.operate(w, kind, key.into_iter().collect(), now, actions);
        }
    }

    /// From now on these settings count. Returns what has to be done for that.
    pub(super) fn adopt(
        &mut self,
        w: u32,
        settings: Rc<WatcherSettings>,
        change: Change,
        now: Moment,
    ) -> Vec<Kind> {
        let watcher = &mut self.watchers[w];
        let old = std::mem::replace(&mut watcher.settings, settings.clone());
        self.note_oneshot(w);
        self.look_at_dependants(w);
        if self.watchers[w].planned.is_some() && old.depends_on != settings.depends_on {
            self.plan_starts(vec![w], &[], now);
        }
        if self.watchers[w].phase == Phase::Stopped(Why::Waiting) && !self.is_on_demand(w) {
            return vec![Kind::Start];
        }
        if !self.watchers[w].is_up() {
            return Vec::new();
        }
        if old.sockets != settings.sockets {
            self.renew_watch(w, now);
        }
        if (old.max_age_ms, old.max_age_variance_ms)
            != (settings.max_age_ms, settings.max_age_variance_ms)
        {
            self.age_anew(w, now);
        }
        let vitals = |it: &WatcherSettings| (it.ready.clone(), it.check.clone());
        if vitals(&old) != vitals(&settings) {
            self.renew_vitals(w, now);
        }
        let mut kinds = Vec::new();
        if change != Change::Restart && old.numprocesses != settings.numprocesses {
            kinds.push(Kind::Resize);
        }
        match change {
            Change::Restart => kinds.push(Kind::Restart),
            Change::Reload => kinds.push(Kind::Reload),
            Change::Adjust | Change::Nothing => {}
        }
        kinds
    }
}

/// Whoever names watchers that do not start by themselves means them too.
fn names_them(selection: &Selection) -> bool {
    matches!(selection, Selection::Matching { pattern, .. } if &**pattern != "*")
}

/// The answer where there is nothing more to say.
pub(super) fn done(asker: Asker, actions: &mut Vec<Action>) {
    if let Some(ticket) = asker.ticket {
        actions.push(Action::Answer { ticket, answer: Answer::Done });
    }
}

pub(super) fn refuse(asker: Asker, refusal: Refusal, actions: &mut Vec<Action>) {
    if let Some(ticket) = asker.ticket {
        actions.push(Action::Answer { ticket, answer: Answer::Refused(refusal) });
    }
}
