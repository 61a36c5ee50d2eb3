//! Stopping: a slot, a watcher, everything.
//!
//! An ordered stop asks the watchers of the lowest priority to end, waits for them within their
//! grace, then goes on to the next priority; then it asks what is left of other processes, and ends
//! when no child is left: not a moment later.

use super::calls::Sending;
use super::depend::{Dependants, Root};
use super::lives::KILL_MS;
use super::report::{HurryCause, StopCause};
use super::slot::{Leader, State, StopStage};
use super::watcher::{Phase, Watcher, Why};
use super::{Action, Life, Report, SlotId, Supervisor};
use crate::commands::Publication;
use crate::config::settings::HookName;
use crate::moment::Moment;
use crate::process::{Pid, Tag};
use crate::signal::Signal;

/// What processes of no watcher get to end after all watchers have stopped.
const ORPHAN_GRACE_MS: u64 = 5000;

/// What everything gets after a second signal.
const LAST_GRACE_MS: u64 = 500;

/// The ordered stop of everything.
#[derive(Debug)]
pub(super) struct Shutdown {
    code: u8,
    /// When everything is killed.
    kill_at: Option<Moment>,
    hurried: bool,
    /// The signals received so far that ask for a stop.
    signals: u32,
    orphans: Orphans,
    dependants: Dependants,
}

/// Processes of no watcher.
#[derive(Debug, PartialEq)]
enum Orphans {
    /// Not their turn: watchers still have processes.
    Later,
    /// Asked to end, if there are any.
    Asked { told: Vec<Pid>, kill_at: Moment },
    /// Sent SIGKILL.
    Killed { told: Vec<Pid>, give_up_at: Moment },
}

impl Shutdown {
    /// All watchers have stopped.
    fn turn_to_orphans(&mut self, now: Moment) {
        let grace_ms = if self.hurried { LAST_GRACE_MS } else { ORPHAN_GRACE_MS };
        let own = now.after_ms(grace_ms);
        let kill_at = self.kill_at.map_or(own, |at| own.min(at));
        self.orphans = Orphans::Asked { told: Vec::new(), kill_at };
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let orphans = match &self.orphans {
            Orphans::Later => None,
            Orphans::Asked { kill_at, .. } => Some(*kill_at),
            Orphans::Killed { give_up_at, .. } => Some(*give_up_at),
        };
        let budget = if self.hurried { None } else { self.kill_at };
        [budget, orphans].into_iter().flatten().min()
    }
}

impl Supervisor {
    /// Ask a slot's process to end, or stop it from being made.
    pub(super) fn stop_slot(&mut self, id: SlotId, now: Moment, actions: &mut Vec<Action>) {
        let settings = self.settings(id.watcher);
        let (signal, grace_ms) = (settings.stop_signal, settings.graceful_timeout_ms);
        self.stop_slot_by(id, signal, grace_ms, now, actions);
    }

    /// The same with this signal and this grace.
    pub(super) fn stop_slot_by(
        &mut self,
        id: SlotId,
        signal: Signal,
        grace_ms: u64,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let stop_children = self.settings(id.watcher).stop_children;
        match &mut self.slot_mut(id).state {
            State::Vacant => {}
            State::Due { .. } | State::Held { .. } | State::Queued => self.vacate(id, now, actions),
            State::Spawning { stop } => *stop = true,
            State::Running { leader, way, .. } => {
                let (leader, way) = (*leader, *way);
                let kill_at = self.kill_time(now, grace_ms);
                let stage = StopStage::Asked { kill_at };
                self.put(id, State::Stopping { leader, way, since: now, signal, stage });
                let pid = leader.pid;
                if stop_children {
                    actions.push(Action::SignalChildren { pid, signal });
                }
                let wakes = leader.was_suspended;
                self.send(Sending { slot: id, pid, signal, kills: true, wakes }, now, actions);
            }
            State::Stopping { .. } | State::Clearing { .. } => {}
        }
    }

    /// The end of a grace that begins now, which the stop of everything may cut short.
    pub(super) fn kill_time(&self, now: Moment, grace_ms: u64) -> Moment {
        let own = now.after_ms(grace_ms);
        match &self.life {
            Life::Stopping(Shutdown { kill_at: Some(at), .. }) => own.min(*at),
            Life::Running | Life::Stopping(_) | Life::Over => own,
        }
    }

    pub(super) fn stop_overdue(
        &mut self,
        id: SlotId,
        leader: Leader,
        since: Moment,
        signal: Signal,
        stage: StopStage,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let pid = leader.pid;
        let stage = match stage {
            StopStage::Asked { .. } => {
                let waited_ms = now.since_ms(since);
                let kill = Signal::KILL;
                let sending = Sending { slot: id, pid, signal: kill, kills: true, wakes: false };
                self.send(sending, now, actions);
                actions.push(Action::Report(Report::Outlasted {
                    slot: id,
                    pid,
                    signal,
                    waited_ms,
                }));
                StopStage::Killed { give_up_at: now.after_ms(KILL_MS) }
            }
            StopStage::Killed { .. } | StopStage::Stuck => {
                actions.push(Action::Report(Report::Stuck { slot: id, pids: vec![pid] }));
                StopStage::Stuck
            }
        };
        if let State::Stopping { way, .. } = self.slot(id).state {
            self.put(id, State::Stopping { leader, way, since, signal, stage });
        }
        if stage == StopStage::Stuck {
            self.refuse_stuck(id.watcher, now, actions);
        }
    }

    /// Stop all processes of a watcher.
    pub(super) fn stop_watcher(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &mut self.watchers[w];
        if watcher.phase == Phase::Stopped(Why::Waiting) && matches!(self.life, Life::Running) {
            return self.stop_waiting(w, now, actions);
        }
        if !watcher.is_up() {
            return;
        }
        watcher.reload = None;
        let dropped = self.drop_hook(w);
        self.set_phase(w, Phase::Stopping);
        // What has not begun to start has nothing to stop.
        let waits = dropped != Some(HookName::BeforeStart)
            && self.call_and_wait(w, HookName::BeforeStop, now, actions);
        for id in self.slot_ids(w) {
            self.slot_mut(id).wanted = false;
            if !waits || !matches!(self.slot(id).state, State::Running { .. }) {
                self.stop_slot(id, now, actions);
            }
        }
        self.check_ended(w, now, actions);
    }

    /// Its hook has nothing against it.
    pub(super) fn stop_slots(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        for id in self.slot_ids(w) {
            self.stop_slot(id, now, actions);
        }
        self.check_ended(w, now, actions);
    }

    /// An essential watcher has come to an end that nobody has asked for.
    pub(super) fn stop_if_essential(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &self.watchers[w];
        if watcher.settings.essential {
            let code = watcher.last_code;
            self.begin_shutdown(StopCause::Essential { watcher: w, code }, code, now, actions);
        }
    }

    /// An essential watcher waits for what has ended and will not come again: nobody would notice.
    pub(super) fn stop_for_a_dependency(
        &mut self,
        w: u32,
        root: Root,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Some(blocker) = self.blocker(w) else { return };
        let last = self.watchers[root.watcher].last_code;
        // A hook that has said no has no code.
        let code = last.max(u8::from(root.why == Why::Failed));
        self.begin_shutdown(StopCause::Hopeless { watcher: w, blocker, code }, code, now, actions);
    }

    /// A slot has become empty: has its watcher come to an end?
    pub(super) fn check_ended(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let watcher = &self.watchers[w];
        let asked = watcher.phase == Phase::Stopping && watcher.refused.is_none();
        let oneshot = watcher.settings.oneshot;
        if matches!(watcher.phase, Phase::Stopped(_))
            || watcher.hook.is_some()
            || watcher.sized == 0 && watcher.is_up() && !oneshot
            || !watcher.has_ended()
        {
            return;
        }
        let completed = oneshot && !watcher.failed && !asked;
        let waits = self.is_on_demand(w)
            && matches!(self.life, Life::Running)
            && !watcher.leaving
            && watcher.refused.is_none()
            && (self.ends_idle(w) || !asked && !watcher.failed);
        if !asked && !completed && !waits {
            self.stop_if_essential(w, now, actions);
        }
        let watcher = &mut self.watchers[w];
        if matches!(watcher.phase, Phase::Stopped(_)) || !watcher.is_vacant() {
            return;
        }
        let (why, report) = match (completed, asked, watcher.failed) {
            _ if waits => (Why::Waiting, Report::Listening { watcher: w }),
            (true, _, _) => (Why::Completed, Report::Completed { watcher: w }),
            (_, true, _) => (Why::Asked, Report::Stopped { watcher: w, asked: true }),
            (_, _, true) => (Why::Failed, Report::Stopped { watcher: w, asked: false }),
            (_, _, false) => (Why::Ended, Report::Stopped { watcher: w, asked: false }),
        };
        watcher.reload = None;
        watcher.is_started = false;
        self.set_phase(w, Phase::Stopped(why));
        if waits {
            self.wait_again(w, now);
        }
        self.touch(w);
        let publication = if completed { Publication::Completed } else { Publication::Stop };
        let tells = !self.is_main(w) && !self.watchers[w].let_go;
        if tells {
            actions.push(Action::Report(report));
        }
        actions.push(Action::publish(w, publication, now));
        self.call_and_wait(w, HookName::AfterStop, now, actions);
    }

    /// The ordered stop of everything; the first cause decides the code.
    pub(super) fn begin_shutdown(
        &mut self,
        cause: StopCause,
        code: u8,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        if !matches!(cause, StopCause::Essential { watcher, .. } if self.is_main(watcher)) {
            actions.push(Action::Report(Report::Stopping { cause }));
        }
        self.life = Life::Stopping(Shutdown {
            code,
            kill_at: self.circus.shutdown_timeout_ms.map(|ms| now.after_ms(ms)),
            hurried: false,
            signals: u32::from(match cause {
                StopCause::Signal(_) => true,
                // It was sent the signals so far; only its descendants are waited for.
                StopCause::Essential { watcher, .. } => self.is_main(watcher),
                StopCause::Hopeless { .. } | StopCause::Done { .. } | StopCause::Command => false,
            }),
            orphans: Orphans::Later,
            dependants: Dependants::default(),
        });
        self.drop_plan(now, actions);
        self.cancel_operations(now, actions);
        self.rank_stops();
        while self.stop_next(now, actions) {}
    }

    /// What others depend on has at least their priority when everything stops.
    fn rank_stops(&mut self) {
        let dependants = Dependants::of(&self.watchers);
        for w in dependants.layers(&self.watchers.numbers()).into_iter().flatten() {
            let theirs = dependants.of_one(w).iter().map(|w| self.watchers[*w].stop_rank).max();
            let watcher = &mut self.watchers[w];
            watcher.stop_rank = watcher.settings.priority.max(theirs.unwrap_or(i32::MIN));
        }
        if let Life::Stopping(shutdown) = &mut self.life {
            shutdown.dependants = dependants;
        }
    }

    /// Stop the watchers whose turn it is: of the lowest rank of those that are there, those that
    /// nobody depends on who is there. Returns whether there was one.
    fn stop_next(&mut self, now: Moment, actions: &mut Vec<Action>) -> bool {
        let Life::Stopping(shutdown) = &self.life else { return false };
        let here = self.watchers.entries().filter(|(_, watcher)| watcher.is_here());
        let Some(lowest) = here.map(|(_, watcher)| watcher.stop_rank).min() else { return false };
        let is_due = |w: u32, watcher: &Watcher| {
            let mut dependants = shutdown.dependants.of_one(w).iter();
            watcher.is_up()
                && watcher.stop_rank <= lowest
                && !dependants.any(|w| self.watchers[*w].is_here())
        };
        let due = self.watchers.entries().filter(|(w, watcher)| is_due(*w, watcher));
        let mut due: Vec<u32> = due.map(|(w, _)| w).collect();
        if due.is_empty() && !self.waits_for_a_stop() {
            // Not even a circle may keep us here.
            let all = self.watchers.entries().filter(|(_, watcher)| watcher.is_up());
            due = all.map(|(w, _)| w).collect();
        }
        for w in &due {
            self.stop_watcher(*w, now, actions);
        }
        // A grace may be nothing.
        self.fire_deadlines(now, actions);
        !due.is_empty()
    }

    /// A signal asks for a stop: the first begins it, a second one cuts it short.
    pub(super) fn stop_signalled(
        &mut self,
        signal: Signal,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        match &mut self.life {
            Life::Running => self.begin_shutdown(StopCause::Signal(signal), 0, now, actions),
            Life::Stopping(shutdown) => {
                shutdown.signals += 1;
                if shutdown.signals == 2 {
                    self.hurry(HurryCause::Signal(signal), LAST_GRACE_MS, now, actions);
                }
            }
            Life::Over => {}
        }
    }

    /// There is no time for anything but the end.
    pub(super) fn is_hurried(&self) -> bool {
        matches!(&self.life, Life::Stopping(shutdown) if shutdown.hurried)
    }

    /// Nothing gets more than `grace_ms` from now on.
    fn hurry(&mut self, cause: HurryCause, grace_ms: u64, now: Moment, actions: &mut Vec<Action>) {
        let at = now.after_ms(grace_ms);
        let Life::Stopping(shutdown) = &mut self.life else { return };
        shutdown.kill_at = Some(shutdown.kill_at.map_or(at, |budget| budget.min(at)));
        shutdown.hurried = true;
        if let Orphans::Asked { kill_at, .. } = &mut shutdown.orphans {
            *kill_at = (*kill_at).min(at);
        }
        actions.push(Action::Report(Report::Hurried { cause }));
        for w in self.watcher_ids() {
            self.stop_watcher(w, now, actions);
        }
        self.drop_hooks(now, actions);
        for id in self.watcher_ids().flat_map(|w| self.slot_ids(w)).collect::<Vec<_>>() {
            self.alter(id, |state| {
                if let State::Stopping { stage, .. } | State::Clearing { stage, .. } = state
                    && let StopStage::Asked { kill_at } = stage
                {
                    *kill_at = (*kill_at).min(at);
                }
            });
        }
        self.fire_deadlines(now, actions);
    }

    /// After every event: is there still something to wait for?
    pub(super) fn finish(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if matches!(self.life, Life::Running) {
            self.finish_when_done(now, actions);
        }
        let Life::Stopping(shutdown) = &self.life else { return };
        if !shutdown.hurried && shutdown.kill_at.is_some_and(|at| at <= now) {
            self.hurry(HurryCause::Timeout, 0, now, actions);
        }
        while self.stop_next(now, actions) {}
        if !self.waits_for_a_stop() {
            self.finish_orphans(now, actions);
        }
    }

    /// Whether a watcher that was asked to stop still has something that can end.
    fn waits_for_a_stop(&self) -> bool {
        // What a hook begins to do at the end is not cut off either.
        !self.hooks.is_empty()
            || self.watchers.iter().any(|watcher| !watcher.is_up() && watcher.is_here())
    }

    /// All watchers have stopped: what is left of other processes?
    fn finish_orphans(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let Life::Stopping(shutdown) = &mut self.life else { return };
        match &shutdown.orphans {
            Orphans::Later => {
                shutdown.turn_to_orphans(now);
                self.ask_survey(actions);
            }
            Orphans::Asked { kill_at, .. } if *kill_at <= now => {
                let give_up_at = now.after_ms(KILL_MS);
                shutdown.orphans = Orphans::Killed { told: Vec::new(), give_up_at };
                self.ask_survey(actions);
            }
            Orphans::Killed { give_up_at, .. } if *give_up_at <= now => {
                actions.push(Action::Report(Report::Abandoned));
                self.exit(actions);
            }
            Orphans::Asked { .. } | Orphans::Killed { .. } => {}
        }
    }

    fn finish_when_done(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let done = self.circus.exit_when_done
            && self.plan.has_come_to_rest()
            && self.demands.is_empty()
            && self.watchers.iter().all(|watcher| watcher.is_vacant() && watcher.has_ended());
        if done {
            let code = self.first_failure.unwrap_or(0);
            self.begin_shutdown(StopCause::Done { code }, code, now, actions);
        }
    }

    /// Something ended that no slot knows: whoever waits for such a process wants to look again.
    pub(super) fn orphan_ended(&mut self, actions: &mut Vec<Action>) {
        let finishing = match &self.life {
            Life::Stopping(shutdown) => shutdown.orphans != Orphans::Later,
            Life::Running | Life::Over => false,
        };
        if finishing || !self.clearing.is_empty() {
            self.ask_survey(actions);
        }
    }

    pub(super) fn survey_orphans(
        &mut self,
        adopted: &[(Pid, Option<Tag>)],
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let last = !self.waits_for_a_stop() && !self.watchers.iter().any(Watcher::is_up);
        let Life::Stopping(shutdown) = &mut self.life else { return };
        if last && shutdown.orphans == Orphans::Later {
            // The survey that has shown the last watcher to be gone serves for the rest too.
            shutdown.turn_to_orphans(now);
        }
        let (told, killed) = match &mut shutdown.orphans {
            Orphans::Later => return,
            Orphans::Asked { told, .. } => (told, false),
            Orphans::Killed { told, .. } => (told, true),
        };
        let fresh: Vec<Pid> =
            adopted.iter().map(|(pid, _)| *pid).filter(|pid| !told.contains(pid)).collect();
        *told = adopted.iter().map(|(pid, _)| *pid).collect();
        if adopted.is_empty() && self.pids.is_empty() {
            self.exit(actions);
            return;
        }
        for pid in &fresh {
            let signal = if killed { Signal::KILL } else { Signal::TERM };
            actions.push(Action::Signal { pid: *pid, signal });
            if !killed {
                actions.push(Action::Signal { pid: *pid, signal: Signal::CONT });
            }
        }
        if !fresh.is_empty() {
            actions.push(Action::Report(Report::Orphans { pids: fresh, killed }));
        }
    }

    fn exit(&mut self, actions: &mut Vec<Action>) {
        let Life::Stopping(shutdown) = &self.life else { return };
        let code = shutdown.code;
        self.answer_all(actions);
        actions.push(Action::Report(Report::Exiting { code }));
        actions.push(Action::Exit { code });
        self.life = Life::Over;
    }
}
