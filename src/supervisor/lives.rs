//! One process's life: made, executed, ended, cleared up after, and followed by the next.

use super::hooks::HookFacts;
use super::report::{Death, End};
use super::slot::{Leader, Next, Slot, State, StopStage, Way, is_failure};
use super::watcher::Phase;
use super::{Action, Report, SlotId, Supervisor, UNEXECUTED_MAX};
use crate::commands::Publication;
use crate::config::settings::{HookName, Readiness};
use crate::moment::Moment;
use crate::process::{Ending, Pid, Tag};
use crate::signal::Signal;

/// What a process left behind when it died by itself gets no more than this before SIGKILL, as
/// the service is down meanwhile.
const LEFT_BEHIND_GRACE_MS: u64 = 1000;

/// The same when none follows: a platform waits for us to end, mostly for ten seconds.
const LEFT_AT_END_GRACE_MS: u64 = 5000;

/// After this long on the way to its program, a process does not keep others from starting.
const OVERDUE_MS: u64 = 2000;

/// How long SIGKILL may take before we say that it does not work.
pub(super) const KILL_MS: u64 = 5000;

impl Supervisor {
    /// A wanted, vacant slot: start now or when its delay is over.
    pub(super) fn schedule(&mut self, id: SlotId, now: Moment) {
        let at = self.slot(id).not_before;
        if at > now {
            self.put(id, State::Due { at });
        } else {
            self.put(id, State::Queued);
            self.queue.push_back(id);
        }
    }

    /// Let queued slots make their processes, as many as may be on their way at once.
    pub(super) fn fill_up(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while self.unexecuted < self.unexecuted_max {
            let Some(id) = self.queue.pop_front() else { return };
            // Its watcher may be gone by now.
            if self.has_slot(id) && matches!(self.slot(id).state, State::Queued) {
                if !std::mem::take(&mut self.slot_mut(id).is_allowed) && self.hold(id, now, actions)
                {
                    continue;
                }
                self.put(id, State::Spawning { stop: false });
                self.unexecuted += 1;
                let tag = self.new_tag();
                actions.push(Action::Spawn { slot: id, tag });
            }
        }
    }

    /// Ask its hook before the next process. Returns whether there is one.
    fn hold(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) -> bool {
        let facts = HookFacts::default();
        let errand = self.call(id.watcher, HookName::BeforeSpawn, Some(id), facts, now, actions);
        if errand.is_some() {
            self.put(id, State::Held { errand });
        }
        errand.is_some()
    }

    pub(super) fn spawned(
        &mut self,
        id: SlotId,
        pid: Pid,
        tag: Tag,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let State::Spawning { stop } = self.slot(id).state else {
            debug_assert!(false, "a process that nobody asked for");
            return;
        };
        self.pids.insert(pid, id);
        self.slot_mut(id).note_spawned(now);
        let settings = self.settings(id.watcher).clone();
        let replace_at = (settings.max_age_ms > 0)
            .then(|| now.after_ms(settings.max_age_ms + self.random(settings.max_age_variance_ms)));
        let leader = Leader { pid, tag, started: now, was_suspended: false };
        let way = Way::Going { overdue_at: now.after_ms(OVERDUE_MS) };
        self.put(id, State::Running { leader, way, replace_at, vitals: None });
        if stop {
            self.stop_slot(id, now, actions);
        }
    }

    pub(super) fn spawn_failed(
        &mut self,
        id: SlotId,
        errno: i32,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        const EMFILE: i32 = 24;
        self.make_room();
        if errno == EMFILE && self.unexecuted > 0 && self.slot(id).wanted {
            // Those that are on their way hold a descriptor each until they have arrived.
            self.unexecuted_max = self.unexecuted;
            self.schedule(id, now);
            return;
        }
        let settings = self.settings(id.watcher).clone();
        let taking_over = self.is_taking_over(id);
        let slot = self.slot_mut(id);
        if slot.wanted {
            let mut next = slot.after_fork_failure(&settings, now);
            if taking_over {
                slot.wanted = false;
                next = Next::Over;
            }
            actions.push(Action::Report(Report::ForkFailed { slot: id, errno, next }));
        }
        if taking_over {
            self.reload_failed(id, now, actions);
        }
        self.vacate(id, now, actions);
    }

    pub(super) fn executed(&mut self, pid: Pid, now: Moment, actions: &mut Vec<Action>) {
        let Some(&id) = self.pids.get(&pid) else { return };
        let (State::Running { way, .. } | State::Stopping { way, .. }) = &self.slot(id).state
        else {
            return;
        };
        if matches!(way, Way::Executed | Way::Greeted { .. }) {
            return;
        }
        self.arrive(id, Way::Executed);
        if let Some(leader) = self.slot(id).state.leader() {
            let started = leader.started;
            actions.push(Action::publish(id.watcher, Publication::Spawn { pid }, started));
        }
        let slot = self.slot_mut(id);
        slot.note_executed();
        let first = slot.starts == 1;
        let watcher = &self.watchers[id.watcher];
        if watcher.phase == Phase::Active && watcher.reload.is_none() || !first {
            actions.push(Action::Report(Report::Respawned { slot: id, pid }));
        }
        self.touch(id.watcher);
        if self.greet(id, pid, now, actions) {
            return;
        }
        self.begin_vitals(id, now, actions);
        self.check_started(id.watcher, now, actions);
    }

    /// Tell its hook that it is there. Returns whether there is one.
    fn greet(&mut self, id: SlotId, pid: Pid, now: Moment, actions: &mut Vec<Action>) -> bool {
        if !matches!(self.slot(id).state, State::Running { .. }) {
            return false;
        }
        let facts = HookFacts { pid: Some(pid), ..HookFacts::default() };
        let call = self.call(id.watcher, HookName::AfterSpawn, Some(id), facts, now, actions);
        let Some(errand) = call else { return false };
        self.alter(id, |state| {
            if let State::Running { way, .. } = state {
                *way = Way::Greeted { errand };
            }
        });
        true
    }

    /// A process that is nobody's from now on makes room for another one.
    pub(super) fn arrived(&mut self, id: SlotId) {
        self.arrive(id, Way::Executed);
    }

    /// A process is not on its way any more: it makes room for another one.
    fn arrive(&mut self, id: SlotId, to: Way) {
        let was_counted = self.alter(id, |state| match state {
            State::Running { way, .. } | State::Stopping { way, .. } => {
                matches!(std::mem::replace(way, to), Way::Going { .. })
            }
            _ => false,
        });
        if was_counted {
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        self.unexecuted -= 1;
        if self.unexecuted == 0 {
            self.unexecuted_max = UNEXECUTED_MAX;
        }
    }

    pub(super) fn suspended(&mut self, pid: Pid, actions: &mut Vec<Action>) {
        let Some(&id) = self.pids.get(&pid) else { return };
        match &mut self.slot_mut(id).state {
            State::Running { leader, .. } => leader.was_suspended = true,
            // It was asked to end and could not hear it. Once: one that suspends itself again and
            // again must not keep us busy.
            State::Stopping { leader, .. } if !leader.was_suspended => {
                leader.was_suspended = true;
                actions.push(Action::Signal { pid, signal: Signal::CONT });
            }
            State::Stopping { .. } => {}
            State::Vacant
            | State::Due { .. }
            | State::Held { .. }
            | State::Queued
            | State::Spawning { .. }
            | State::Clearing { .. } => {}
        }
    }

    /// A watcher has started when every process has become its program; `Starting` becomes `Active`
    /// when every one is ready.
    pub(super) fn check_started(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &self.watchers[w];
        if watcher.phase != Phase::Starting || watcher.hook.is_some() {
            return;
        }
        let wanted = || watcher.slots.iter().filter(|slot| slot.wanted);
        let is_ready = wanted().all(Slot::is_ready);
        if !watcher.is_started {
            let has_executed =
                |slot: &Slot| matches!(slot.state, State::Running { way: Way::Executed, .. });
            if !wanted().all(has_executed) || self.asks_after_start(w, now, actions) {
                return;
            }
            self.tell_started(w, now, actions);
        }
        if is_ready {
            self.become_active(w, now, actions);
        }
    }

    /// Whether its hook is to say first that it has started.
    fn asks_after_start(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) -> bool {
        let watcher = &self.watchers[w];
        watcher.hook.is_some()
            || !watcher.is_greeted && self.call_and_wait(w, HookName::AfterStart, now, actions)
    }

    pub(super) fn tell_started(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w];
        watcher.is_started = true;
        let wanted = watcher.slots.iter().filter(|slot| slot.wanted);
        let pids = wanted.filter_map(|slot| Some(slot.state.leader()?.pid)).collect();
        self.look_at_dependants(w);
        actions.push(Action::Report(Report::Started { watcher: w, pids }));
        actions.push(Action::publish(w, Publication::Start, now));
    }

    /// All processes of a watcher are ready, those that it started with or those of a reload.
    pub(super) fn become_active(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        if self.watchers[w].phase != Phase::Starting {
            return;
        }
        if !self.watchers[w].is_started {
            if self.asks_after_start(w, now, actions) {
                return;
            }
            self.tell_started(w, now, actions);
        }
        self.set_phase(w, Phase::Active);
        self.begin_watch(w, now, actions);
        let settings = self.settings(w);
        if settings.ready != Readiness::Started && !settings.oneshot {
            actions.push(Action::Report(Report::Ready { watcher: w }));
            actions.push(Action::publish(w, Publication::Ready, now));
        }
    }

    pub(super) fn ended(&mut self, pid: Pid, end: End, now: Moment, actions: &mut Vec<Action>) {
        let Some(&id) = self.pids.get(&pid) else {
            self.orphan_ended(actions);
            return;
        };
        let ending = end.ending;
        let was_executed = !matches!(ending, Ending::NotExecuted(_));
        if was_executed && self.watchers[id.watcher].reload.is_none() {
            // It was so short that nobody has seen it. A reload wants to see more than that.
            self.executed(pid, now, actions);
        }
        self.pids.remove(&pid);
        self.hooks.forget_process(pid);
        if was_executed {
            self.tell_reaped(id, pid, ending, now, actions);
        }
        self.note_killed(pid, now, actions);
        if self.settings(id.watcher).oneshot {
            self.watchers[id.watcher].last_exit = Some((ending, now));
        }
        let state = self.put(id, State::Vacant);
        let (leader, stage) = match state {
            State::Running { leader, way, vitals, .. } => {
                if matches!(way, Way::Going { .. }) {
                    self.make_room();
                }
                self.slot_mut(id).unready |= vitals.is_some_and(|vitals| !vitals.is_ready);
                (leader, self.died(id, leader, end, now, actions))
            }
            State::Stopping { leader, way, stage, .. } => {
                if matches!(way, Way::Going { .. }) {
                    self.make_room();
                }
                if self.slot(id).wanted && self.slot(id).fault.is_some() {
                    self.died(id, leader, end, now, actions);
                }
                (leader, stage)
            }
            State::Vacant
            | State::Due { .. }
            | State::Held { .. }
            | State::Queued
            | State::Spawning { .. }
            | State::Clearing { .. } => {
                debug_assert!(false, "a slot without process had a pid");
                return;
            }
        };
        if matches!(ending, Ending::NotExecuted(_)) || !self.slot(id).wanted {
            self.reload_failed(id, now, actions);
        }
        if self.settings(id.watcher).kill_tree && was_executed {
            self.put(id, State::Clearing { tag: leader.tag, told: Vec::new(), stage });
            self.clearing.push(id);
            self.ask_survey(actions);
            self.check_ended(id.watcher, now, actions);
        } else {
            self.vacate(id, now, actions);
        }
    }

    fn tell_reaped(
        &mut self,
        id: SlotId,
        pid: Pid,
        ending: Ending,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let exit_code = published_code(ending);
        let facts = HookFacts { pid: Some(pid), ..HookFacts::default() };
        let first = self.call(id.watcher, HookName::BeforeReap, Some(id), facts, now, actions);
        let reap = Publication::Reap { pid, exit_code };
        actions.push(Action::publish(id.watcher, reap, now));
        let facts = HookFacts { exit_code: Some(exit_code), ..facts };
        match first {
            Some(errand) => self.hooks.call_after_reap(errand, facts),
            None => {
                self.call(id.watcher, HookName::AfterReap, Some(id), facts, now, actions);
            }
        }
    }

    /// A process ended that nobody had asked to. Returns what its descendants may expect.
    fn died(
        &mut self,
        id: SlotId,
        leader: Leader,
        End { ending, memory_short, said }: End,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> StopStage {
        let settings = self.settings(id.watcher).clone();
        let taking_over = self.is_taking_over(id);
        let is_stopping = self.watchers[id.watcher].phase == Phase::Stopping;
        let lived_ms = now.since_ms(leader.started);
        let slot = self.slot_mut(id);
        let fault = slot.fault.take();
        let failed = fault.is_some() || is_failure(&settings, ending);
        let mut next = slot.after_life(&settings, ending, failed, lived_ms, now);
        // One that was to take over and cannot: the old ones stay, and that is all.
        if taking_over && (slot.unready || matches!(ending, Ending::NotExecuted(_))) {
            next = Next::Over;
        }
        if is_stopping {
            // Only a hook has kept it from being asked to.
            next = Next::Over;
        }
        let again = matches!(next, Next::Start { .. });
        slot.wanted &= again;
        slot.restarts += u32::from(again);
        let watcher = &mut self.watchers[id.watcher];
        let Leader { pid, .. } = leader;
        // One that had to be stopped may have ended with 0 all the same.
        let code = ending.exit_code().max(u8::from(fault.is_some()));
        if failed || again {
            // The end of what was to end is no death.
            watcher.last_death = Some(Death {
                slot: id,
                pid,
                ending,
                fault: fault.clone(),
                lived_ms,
                memory_short,
                said: said.clone(),
                next,
                at: now,
            });
        }
        if failed || !watcher.failed {
            watcher.last_code = code;
        }
        if failed && !again && !taking_over {
            watcher.failed = true;
            self.first_failure.get_or_insert(code);
        }
        if !self.is_main(id.watcher) || self.worth_telling(ending) {
            actions.push(Action::Report(Report::Died {
                slot: id,
                pid,
                ending,
                fault,
                success: !failed,
                lived_ms,
                memory_short,
                said,
                next,
            }));
        }
        let longest_ms = if again { LEFT_BEHIND_GRACE_MS } else { LEFT_AT_END_GRACE_MS };
        let grace_ms = settings.graceful_timeout_ms.min(longest_ms);
        StopStage::Asked { kill_at: now.after_ms(grace_ms) }
    }

    /// Whoever runs one command learns its exit code without our help.
    fn worth_telling(&self, ending: Ending) -> bool {
        self.mode == super::Mode::Both || !matches!(ending, Ending::Exited(_))
    }

    /// Nothing of the last process is left: what now?
    pub(super) fn vacate(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        self.put(id, State::Vacant);
        if self.slot(id).wanted && self.watchers[id.watcher].is_up() {
            self.schedule(id, now);
        } else {
            self.slot_mut(id).wanted = false;
            self.check_ended(id.watcher, now, actions);
        }
    }

    pub(super) fn fire_deadlines(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while let Some(id) = self.agenda.due(now) {
            match &self.slot(id).state {
                State::Due { .. } => {
                    self.put(id, State::Queued);
                    self.queue.push_back(id);
                }
                State::Running { leader, way: Way::Going { .. }, .. } => {
                    let pid = leader.pid;
                    self.arrive(id, Way::Hanging);
                    actions.push(Action::Report(Report::Hanging { slot: id, pid }));
                    self.touch(id.watcher);
                    if self.is_taking_over(id) {
                        self.reload_failed(id, now, actions);
                    }
                }
                State::Running { replace_at, .. } if replace_at.is_none_or(|at| at > now) => {
                    self.vitals_due(id, now, actions);
                }
                State::Running { .. } if self.is_stopping() => self.alter(id, |state| {
                    if let State::Running { replace_at, .. } = state {
                        *replace_at = None;
                    }
                }),
                State::Running { leader, .. } => {
                    let pid = leader.pid;
                    actions.push(Action::Report(Report::TooOld { slot: id, pid }));
                    self.slot_mut(id).renewed = true;
                    self.stop_slot(id, now, actions);
                }
                State::Stopping { leader, since, signal, stage, .. } => {
                    let (leader, since, signal, stage) = (*leader, *since, *signal, *stage);
                    self.stop_overdue(id, leader, since, signal, stage, now, actions);
                }
                State::Clearing { stage, .. } => {
                    let stage = *stage;
                    self.clearing_overdue(id, stage, now, actions);
                }
                State::Vacant | State::Held { .. } | State::Queued | State::Spawning { .. } => {
                    unreachable!("a state without deadline is not on the agenda");
                }
            }
        }
    }
}

/// As Circus writes it: the exit code, or the signal's number below zero.
fn published_code(ending: Ending) -> i32 {
    match ending {
        Ending::Exited(code) => i32::from(code),
        Ending::Killed(signal) => -signal.number(),
        Ending::NotExecuted(failure) => i32::from(failure.exit_code()),
    }
}
