//! Operations: commands that take more than one event to carry out. Each watcher carries out one at
//! a time; those that come meanwhile wait for their turn, and none is refused.
//!
//! A stop, a restart and a removal do not wait: they overtake whatever is going on or waiting, except
//! another one of themselves.

use super::slot::{Slot, State};
use super::ticket::{Key, Outcome};
use super::watcher::{Phase, Watcher};
use super::{Action, Report, Supervisor};
use crate::commands::{Errno, Info, Publication, Refusal};
use crate::config::settings::HookName;
use crate::moment::Moment;
use crate::process::Pid;
use std::collections::VecDeque;

/// What a watcher is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Stop,
    Restart,
    /// New processes first, then the old ones out.
    Reload,
    /// One process after the other.
    ReloadInTurn,
    /// As many processes as the settings say.
    Resize,
    /// Stop, then forget it.
    Remove,
}

/// Waits for its turn.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) keys: Vec<Key>,
}

/// Is being carried out.
#[derive(Debug)]
pub(super) struct Current {
    kind: Kind,
    keys: Vec<Key>,
    pub(super) stage: Stage,
    /// The watcher's processes at its beginning.
    before: Vec<Pid>,
    failed: bool,
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// These slots are to get their processes.
    Starting { awaited: Vec<u32> },
    /// All processes are to end.
    Stopping,
    /// A new generation of processes is to take over.
    TakingOver,
    /// The processes of these slots are to end.
    Leaving { slots: Vec<u32> },
    /// One slot after the other gets a new process.
    InTurn { left: VecDeque<u32>, awaited: Option<u32>, not_before: Moment },
}

impl Current {
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

impl Supervisor {
    /// A watcher is to do something, now or when its turn comes.
    pub(super) fn operate(
        &mut self,
        w: u32,
        kind: Kind,
        keys: Vec<Key>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        match kind {
            Kind::Stop | Kind::Restart | Kind::Remove => self.overtake(w, kind, keys, now, actions),
            Kind::Start | Kind::Reload | Kind::ReloadInTurn | Kind::Resize => {
                self.queue_up(w, kind, keys);
            }
        }
        self.busy.insert(w);
        self.touched.push(w);
        self.advance_touched(now, actions);
        self.refuse_stuck(w, now, actions);
    }

    /// What has not begun yet serves for all that ask for the same, so there is one of each kind at
    /// most. None of these kinds undoes what another one does, and all go by the settings of the
    /// moment, so it does not matter which of two comes first.
    fn queue_up(&mut self, w: u32, kind: Kind, keys: Vec<Key>) {
        let watcher = &mut self.watchers[w];
        let current = watcher.current.as_mut().filter(|_| watcher.queued.is_empty());
        match (watcher.queued.iter_mut().find(|queued| queued.kind == kind), current) {
            (Some(queued), _) => self.tickets.join(&mut queued.keys, keys),
            (None, Some(current)) if current.kind == kind && kind == Kind::Start => {
                self.tickets.join(&mut current.keys, keys);
            }
            (_, _) => watcher.queued.push_back(Operation { kind, keys }),
        }
    }

    fn overtake(
        &mut self,
        w: u32,
        kind: Kind,
        mut keys: Vec<Key>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        self.leave_plan(w, now, actions);
        self.forget_demand(w);
        if kind == Kind::Remove {
            self.watchers.leave(w);
            self.look_at_dependants(w);
        }
        let watcher = &mut self.watchers[w];
        let mut overtaken = Vec::new();
        for mut queued in watcher.queued.drain(..) {
            let serves = queued.kind == kind || (queued.kind, kind) == (Kind::Stop, Kind::Remove);
            let to = if serves { &mut keys } else { &mut overtaken };
            to.append(&mut queued.keys);
        }
        let info = self.info_so_far(w);
        let watcher = &mut self.watchers[w];
        match &mut watcher.current {
            Some(current) if matches!(current.stage, Stage::Stopping) => {
                match (current.kind, kind) {
                    (Kind::Remove, _) => self.tickets.join(&mut current.keys, keys),
                    (former, Kind::Remove) => {
                        if former == Kind::Restart {
                            overtaken.append(&mut current.keys);
                        }
                        current.kind = Kind::Remove;
                        self.tickets.join(&mut current.keys, keys);
                    }
                    (Kind::Restart, Kind::Stop) => {
                        overtaken.append(&mut current.keys);
                        current.kind = Kind::Stop;
                        current.keys = keys;
                    }
                    (current_kind, _) if current_kind == kind => {
                        self.tickets.join(&mut current.keys, keys);
                    }
                    (_, _) => watcher.queued.push_back(Operation { kind, keys }),
                }
            }
            current => {
                overtaken.extend(current.take().into_iter().flat_map(|current| current.keys));
                self.pauses.retain(|(_, paused)| *paused != w);
                watcher.queued.push_back(Operation { kind, keys });
            }
        }
        self.part_done(&overtaken, &Outcome { info, ..self.outcome(w) }, now, actions);
    }

    /// Nothing but stops from now on.
    pub(super) fn cancel_operations(&mut self, now: Moment, actions: &mut Vec<Action>) {
        for w in std::mem::take(&mut self.busy) {
            let info = self.info_so_far(w);
            let watcher = &mut self.watchers[w];
            let mut keys: Vec<Key> =
                watcher.queued.drain(..).flat_map(|operation| operation.keys).collect();
            match &mut watcher.current {
                Some(current) if matches!(current.stage, Stage::Stopping) => {
                    if current.kind == Kind::Restart {
                        keys.append(&mut current.keys);
                        current.kind = Kind::Stop;
                    }
                    self.busy.insert(w);
                }
                current => {
                    keys.extend(current.take().into_iter().flat_map(|current| current.keys));
                }
            }
            self.part_done(&keys, &Outcome { info, ..self.outcome(w) }, now, actions);
        }
    }

    /// Something has happened to a watcher: whoever waits for it wants to look.
    pub(super) fn touch(&mut self, w: u32) {
        if self.busy.contains(&w) {
            self.touched.push(w);
        }
        self.look_at_dependants(w);
    }

    pub(super) fn advance_touched(&mut self, now: Moment, actions: &mut Vec<Action>) {
        // An operation may touch its own watcher; only the outermost call goes on.
        if std::mem::replace(&mut self.advancing, true) {
            return;
        }
        while let Some(w) = self.touched.pop() {
            while self.busy.contains(&w) && self.advance(w, now, actions) {}
        }
        self.advancing = false;
    }

    /// One step further; false if there is something to wait for.
    fn advance(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) -> bool {
        let watcher = &mut self.watchers[w];
        let Some(current) = &mut watcher.current else {
            if matches!(watcher.hook, Some((HookName::AfterStop, _))) {
                return false;
            }
            match watcher.queued.pop_front() {
                Some(operation) => self.begin_operation(w, operation, now, actions),
                None => {
                    self.busy.remove(&w);
                }
            }
            return true;
        };
        match &mut current.stage {
            Stage::Starting { awaited } => {
                let (slots, failed) = (&watcher.slots, &mut current.failed);
                let is_up = matches!(watcher.phase, Phase::Starting | Phase::Active);
                // They start in their order: the last one is the one to look at.
                while awaited
                    .pop_if(|index| {
                        let slot = &slots[*index as usize];
                        *failed |= slot.cannot_start();
                        !(is_up && slot.still_starts())
                    })
                    .is_some()
                {}
                let waits = !awaited.is_empty() || watcher.waits_for_hook();
                if !waits {
                    self.finish_operation(w, now, actions);
                }
                !waits
            }
            Stage::Stopping => {
                let stopped = matches!(watcher.phase, Phase::Stopped(_)) && watcher.hook.is_none();
                if stopped {
                    self.has_stopped(w, now, actions);
                }
                stopped
            }
            Stage::TakingOver => watcher.reload.is_none() && self.has_taken_over(w),
            Stage::Leaving { slots } => {
                let is_vacant =
                    |index: &u32| matches!(watcher.slots[*index as usize].state, State::Vacant);
                let left = slots.iter().all(is_vacant);
                if left {
                    self.finish_operation(w, now, actions);
                }
                left
            }
            Stage::InTurn { .. } => self.advance_in_turn(w, now, actions),
        }
    }

    fn begin_operation(
        &mut self,
        w: u32,
        Operation { kind, keys }: Operation,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let before = self.watchers[w].pids();
        let is_up = self.watchers[w].is_up();
        let nothing = Stage::Starting { awaited: Vec::new() };
        let current = Current { kind, keys, stage: nothing, before, failed: false };
        self.watchers[w].current = Some(current);
        let stage = match kind {
            Kind::Stop | Kind::Restart | Kind::Remove => {
                self.stop_watcher(w, now, actions);
                Stage::Stopping
            }
            Kind::Reload | Kind::ReloadInTurn if !is_up => self.start_or_wait(w, now, actions),
            Kind::Reload => self.begin_reload(w, now, actions),
            Kind::ReloadInTurn => Stage::InTurn {
                left: self.watchers[w].oldest_first().into(),
                awaited: None,
                not_before: now,
            },
            Kind::Resize => self.resize(w, now, actions),
            Kind::Start if is_up => {
                let watcher = &mut self.watchers[w];
                let missing = watcher.missing_count();
                watcher.sized = watcher.sized.max(watcher.settings.numprocesses);
                self.grow(w, missing, now, actions)
            }
            Kind::Start => self.start_or_wait(w, now, actions),
        };
        if let Some(current) = &mut self.watchers[w].current {
            current.stage = stage;
        }
    }

    /// A stopped watcher starts, or has its turn again when those that it depends on are there.
    fn start_or_wait(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) -> Stage {
        if self.blocker(w).is_none() {
            self.start_watcher(w, now, actions);
            return self.starting(w);
        }
        let keys = self.watchers[w].current.take().map(|current| current.keys);
        self.plan_starts(vec![w], &keys.unwrap_or_default(), now);
        Stage::Starting { awaited: Vec::new() }
    }

    /// All that are wanted are waited for.
    fn starting(&self, w: u32) -> Stage {
        let slots = self.watchers[w].slots.iter().enumerate();
        let wanted = slots.filter(|(_, slot)| slot.wanted).map(|(index, _)| index as u32);
        Stage::Starting { awaited: wanted.collect() }
    }

    fn has_stopped(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        match self.watchers[w].current.as_ref().map(Current::kind) {
            Some(Kind::Restart) => {
                let stage = self.start_or_wait(w, now, actions);
                if let Some(current) = &mut self.watchers[w].current {
                    current.stage = stage;
                }
            }
            Some(Kind::Remove) => {
                self.finish_operation(w, now, actions);
                self.gone.push(w);
            }
            Some(Kind::Stop | Kind::Start | Kind::Reload | Kind::ReloadInTurn | Kind::Resize)
            | None => self.finish_operation(w, now, actions),
        }
    }

    /// The new generation is there, or has failed: now one of the two goes.
    fn has_taken_over(&mut self, w: u32) -> bool {
        let watcher = &mut self.watchers[w];
        let slots = watcher.unwanted();
        let wanted = watcher.wanted_count();
        let Some(current) = &mut watcher.current else { return false };
        current.stage = Stage::Leaving { slots };
        if current.failed && watcher.is_up() {
            // The old generation stays; it may be of another size than the new one.
            watcher.sized = wanted;
            watcher.queued.push_front(Operation { kind: Kind::Resize, keys: Vec::new() });
        }
        true
    }

    /// What goes on has not done what it was to do.
    pub(super) fn fail_operation(&mut self, w: u32) {
        if let Some(current) = &mut self.watchers[w].current {
            current.failed = true;
        }
    }

    pub(super) fn finish_operation(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let mut outcome = self.outcome(w);
        let Some(current) = self.watchers[w].current.take() else { return };
        self.look_at_dependants(w);
        let after = self.watchers[w].pids();
        outcome.info = info(&current.before, &after, current.kind != Kind::Start);
        match current.kind {
            Kind::Reload | Kind::ReloadInTurn if current.failed => {
                if current.kind == Kind::ReloadInTurn {
                    actions.push(Action::Report(Report::ReloadFailed { watcher: w }));
                }
                let name = &self.settings(w).name;
                let reason = format!("{name} is not reloaded: its new processes did not start");
                let publication = Publication::ReloadFailed { reason: reason.clone() };
                actions.push(Action::publish(w, publication, now));
                outcome.refusal = Some(Refusal::new(Errno::Command, reason));
            }
            Kind::Reload | Kind::ReloadInTurn => {
                if current.kind == Kind::ReloadInTurn {
                    actions.push(Action::Report(Report::Reloaded { watcher: w }));
                }
                actions.push(Action::publish(w, Publication::Reload, now));
            }
            Kind::Start | Kind::Restart | Kind::Resize if current.failed => {
                let reason = self.start_refusal(w);
                outcome.refusal = Some(Refusal::new(Errno::Command, reason));
            }
            Kind::Start | Kind::Stop | Kind::Restart | Kind::Resize | Kind::Remove => {}
        }
        self.part_done(&current.keys, &outcome, now, actions);
    }

    /// Why not all processes have started, for whoever waits.
    fn start_refusal(&self, w: u32) -> String {
        let watcher = &self.watchers[w];
        let name = &watcher.settings.name;
        if let Some(hook) = watcher.refused {
            return format!("{name} has not started: its hook {} has said no", hook.name());
        }
        let then = if watcher.is_up() { "it is tried again" } else { "it is given up" };
        format!("{name} has not started: its program could not be executed; {then}")
    }

    fn outcome(&self, w: u32) -> Outcome {
        let numprocesses = self.settings(w).numprocesses;
        Outcome { numprocesses, ..Outcome::default() }
    }

    fn info_so_far(&self, w: u32) -> Info {
        let watcher = &self.watchers[w];
        match &watcher.current {
            Some(current) => info(&current.before, &watcher.pids(), current.kind != Kind::Start),
            None => Info { kept: watcher.pids(), ..Info::default() },
        }
    }
}

/// Both are sorted.
fn info(before: &[Pid], after: &[Pid], stops: bool) -> Info {
    let without = |from: &[Pid], these: &[Pid]| -> Vec<Pid> {
        from.iter().filter(|pid| these.binary_search(pid).is_err()).copied().collect()
    };
    let stopped = without(before, after);
    let kept = before.iter().filter(|pid| after.binary_search(pid).is_ok()).copied().collect();
    Info { stopped: stops.then_some(stopped), started: without(after, before), kept }
}

impl Watcher {
    /// Whoever waits for what it does or is to do.
    pub(super) fn take_keys(&mut self) -> Vec<Key> {
        let current = self.current.as_mut().map(|current| &mut current.keys);
        let queued = self.queued.iter_mut().map(|queued| &mut queued.keys);
        current.into_iter().chain(queued).flat_map(std::mem::take).collect()
    }

    /// Its processes that are not on their way out, sorted.
    pub(super) fn pids(&self) -> Vec<Pid> {
        let mut pids: Vec<Pid> = self.slots.iter().filter_map(Slot::running).collect();
        crate::sort::sort(&mut pids);
        pids
    }

    /// A hook decides whether it starts, or has said no and it stops.
    fn waits_for_hook(&self) -> bool {
        match self.phase {
            Phase::Starting | Phase::Active => self.hook.is_some(),
            Phase::Stopping => self.refused.is_some(),
            Phase::Stopped(_) => false,
        }
    }

    /// Slots that should have a process; those that started first come first.
    pub(super) fn oldest_first(&self) -> Vec<u32> {
        let mut all: Vec<u32> =
            (0..self.slots.len() as u32).filter(|i| self.slots[*i as usize].wanted).collect();
        crate::sort::sort_by_key(&mut all, |index| self.slots[*index as usize].last_start);
        all
    }

    /// Slots that should have no process and still have something.
    fn unwanted(&self) -> Vec<u32> {
        let is_leaving = |slot: &Slot| !slot.wanted && !matches!(slot.state, State::Vacant);
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| is_leaving(slot)).map(|(index, _)| index as u32).collect()
    }
}

impl Slot {
    /// It was to get a process, and has neither got it nor failed.
    fn still_starts(&self) -> bool {
        self.wanted
            && !self.cannot_start()
            && match &self.state {
                State::Running { .. } => !self.is_ready(),
                State::Due { .. } => !self.has_died(),
                State::Vacant
                | State::Held { .. }
                | State::Queued
                | State::Spawning { .. }
                | State::Stopping { .. }
                | State::Clearing { .. } => true,
            }
    }
}
