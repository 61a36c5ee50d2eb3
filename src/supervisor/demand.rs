//! Watchers that start at the first connection (`on_demand`), and stop when nobody has come for a
//! while (`idle_timeout`). The sockets are bound all the time, so nobody is turned away meanwhile.
//!
//! ```text
//! waits ──(Event::Demanded)──→ runs ──(all its processes have ended well, or it is idle)──→ waits
//! ```

use super::operation::Kind;
use super::slot::doubled;
use super::watcher::{Phase, Watcher, Why};
use super::{Action, Life, Report, Supervisor};
use crate::commands::Publication;
use crate::moment::Moment;

/// A run that is shorter than this has served nobody, most probably.
const SHORT_RUN_MS: u64 = 1000;

/// After somebody has come, nobody looks who comes next for so long at most.
const PAUSE_MS_MAX: u64 = 1000;

/// Of a watcher that starts on demand.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Somebody has come: its next start is a real one.
    come: bool,
    /// It is being stopped because nobody comes.
    is_idle: bool,
    /// When it was started last.
    began: Moment,
    /// Runs in a row that were too short.
    short_runs: u32,
    /// It is not started again before.
    not_before: Moment,
    /// While it runs, and somebody looks whether it is still needed.
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    /// It is idle from then on, unless somebody comes; `None` while that is being found out.
    idle_at: Option<Moment>,
    /// When to look again who comes.
    attend_at: Option<Moment>,
}

impl Watcher {
    /// Somebody has come, and it is to start for that.
    pub(super) fn is_awaited(&self) -> bool {
        self.demand.come
    }
}

impl Supervisor {
    pub(super) fn is_on_demand(&self, w: u32) -> bool {
        self.settings(w).sockets.as_ref().is_some_and(|its| its.on_demand)
    }

    /// The watchers that are to be started when somebody comes to one of their sockets.
    pub fn waits_for_demand(&self, now: Moment) -> impl Iterator<Item = u32> {
        let all = self.demands.iter().copied().filter(|_| matches!(self.life, Life::Running));
        all.filter(move |w| {
            let watcher = &self.watchers[*w];
            watcher.planned.is_none() && !watcher.demand.come && watcher.demand.not_before <= now
        })
    }

    /// Its start is really one only if somebody has come; otherwise it waits for that. Returns
    /// whether it waits.
    pub(super) fn waits_for_somebody(
        &mut self,
        w: u32,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        if !self.is_on_demand(w) {
            return false;
        }
        let demand = &mut self.watchers[w].demand;
        demand.is_idle = false;
        if std::mem::take(&mut demand.come) {
            demand.began = now;
            return false;
        }
        demand.short_runs = 0;
        demand.not_before = now;
        self.set_phase(w, Phase::Stopped(Why::Waiting));
        actions.push(Action::Report(Report::Listening { watcher: w }));
        true
    }

    /// Somebody waits at one of its sockets.
    pub(super) fn demanded(&mut self, w: u32, now: Moment) {
        if self.waits_for_demand(now).any(|waits| waits == w) {
            self.watchers[w].demand.come = true;
            self.plan_starts(vec![w], &[], now);
        }
    }

    /// All its processes have ended, nobody asked them to, and none has failed; or it was idle.
    /// Whoever comes next starts it again, but not at once if its runs are too short.
    pub(super) fn wait_again(&mut self, w: u32, now: Moment) {
        let settings = self.settings(w).clone();
        let demand = &mut self.watchers[w].demand;
        let is_short = !demand.is_idle && now.since_ms(demand.began) < SHORT_RUN_MS;
        demand.is_idle = false;
        demand.short_runs = if is_short { demand.short_runs.saturating_add(1) } else { 0 };
        let delay_ms = match demand.short_runs {
            0 => 0,
            runs => doubled(settings.backoff_ms, runs, settings.backoff_max_ms),
        };
        demand.not_before = now.after_ms(delay_ms);
        if delay_ms > 0 {
            let at = demand.not_before;
            self.demand_deadlines.insert((at, w));
        }
    }

    /// It ends because nobody comes.
    pub(super) fn ends_idle(&self, w: u32) -> bool {
        self.watchers[w].demand.is_idle
    }

    /// Somebody has asked for its stop, so it does not wait for anybody afterwards.
    pub(super) fn forget_demand(&mut self, w: u32) {
        let demand = &mut self.watchers[w].demand;
        demand.come = false;
        demand.is_idle = false;
    }

    /// What the phases of a watcher mean for who comes.
    pub(super) fn follow_demand(&mut self, w: u32) {
        let watcher = &mut self.watchers[w];
        match watcher.phase {
            Phase::Stopped(Why::Waiting) => {
                self.demands.insert(w);
            }
            Phase::Active => return,
            Phase::Stopped(_) | Phase::Starting | Phase::Stopping => {
                self.demands.remove(&w);
            }
        }
        if watcher.demand.watch.take().is_some() {
            self.demand_deadlines.retain(|(_, other)| *other != w);
        }
    }

    /// From now on it is looked at whether it is still needed.
    pub(super) fn begin_watch(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let its = self.settings(w).sockets.as_deref();
        let timeout_ms = its.filter(|its| its.on_demand).and_then(|its| its.idle_timeout_ms);
        let watcher = &mut self.watchers[w];
        if watcher.phase != Phase::Active {
            return;
        }
        if watcher.demand.watch.take().is_some() {
            self.demand_deadlines.retain(|(_, other)| *other != w);
        }
        if let Some(timeout_ms) = timeout_ms {
            let at = now.after_ms(timeout_ms);
            watcher.demand.watch = Some(Watch { idle_at: Some(at), attend_at: None });
            self.demand_deadlines.insert((at, w));
            actions.push(Action::Attend { watcher: w });
        }
    }

    /// The same where its settings have changed.
    pub(super) fn renew_watch(&mut self, w: u32, now: Moment) {
        let mut actions = Vec::new();
        self.begin_watch(w, now, &mut actions);
        let attends = !actions.is_empty();
        if let Some(watch) = self.watchers[w].demand.watch.as_mut().filter(|_| attends) {
            watch.attend_at = Some(now);
            self.demand_deadlines.insert((now, w));
        }
    }

    /// The same for all, whose sockets may be others.
    pub(super) fn renew_watches(&mut self, now: Moment) {
        let watched = self.watchers.entries().filter(|(_, it)| it.demand.watch.is_some());
        for w in watched.map(|(w, _)| w).collect::<Vec<_>>() {
            self.renew_watch(w, now);
        }
    }

    /// Somebody has come to one of its sockets while it runs.
    pub(super) fn connected(&mut self, w: u32, now: Moment) {
        if !self.has_watcher(w) {
            return;
        }
        let its = self.settings(w).sockets.as_deref();
        let Some(timeout_ms) = its.and_then(|its| its.idle_timeout_ms) else { return };
        if let Some(watch) = &mut self.watchers[w].demand.watch {
            let attend_at = now.after_ms((timeout_ms / 8).min(PAUSE_MS_MAX));
            let idle_at = now.after_ms(timeout_ms);
            *watch = Watch { idle_at: Some(idle_at), attend_at: Some(attend_at) };
            self.demand_deadlines.retain(|(_, other)| *other != w);
            self.demand_deadlines.extend([(idle_at, w), (attend_at, w)]);
        }
    }

    /// Whether somebody is still connected, in answer to `Action::LookForConnections`.
    pub(super) fn looked_for_connections(
        &mut self,
        w: u32,
        found: bool,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        if !self.has_watcher(w) {
            return;
        }
        let its = self.settings(w).sockets.as_deref();
        let timeout_ms = its.and_then(|its| its.idle_timeout_ms);
        let watcher = &mut self.watchers[w];
        let is_busy = watcher.current.is_some() || !watcher.queued.is_empty();
        let (Some(timeout_ms), Some(watch)) = (timeout_ms, &mut watcher.demand.watch) else {
            return;
        };
        if watch.idle_at.is_some() {
            // Somebody has come meanwhile.
            return;
        }
        if found || is_busy {
            let at = now.after_ms(timeout_ms);
            watch.idle_at = Some(at);
            self.demand_deadlines.insert((at, w));
            return;
        }
        actions.push(Action::Report(Report::Idle { watcher: w, idle_ms: timeout_ms }));
        self.operate(w, Kind::Stop, Vec::new(), now, actions);
        match self.watchers[w].phase {
            Phase::Stopped(_) => {
                // It had no process.
                self.set_phase(w, Phase::Stopped(Why::Waiting));
                actions.push(Action::Report(Report::Listening { watcher: w }));
            }
            Phase::Starting | Phase::Active | Phase::Stopping => {
                self.watchers[w].demand.is_idle = true;
            }
        }
    }

    pub(super) fn fire_demand_deadlines(&mut self, now: Moment, actions: &mut Vec<Action>) {
        while let Some(&(at, w)) = self.demand_deadlines.first()
            && at <= now
        {
            self.demand_deadlines.pop_first();
            let is_due = |at: &mut Moment| *at <= now;
            let Some(watcher) = self.watchers.get_mut(w) else { continue };
            let Some(watch) = &mut watcher.demand.watch else { continue };
            if watch.attend_at.take_if(is_due).is_some() {
                actions.push(Action::Attend { watcher: w });
            }
            if watch.idle_at.take_if(is_due).is_some() {
                actions.push(Action::LookForConnections { watcher: w });
            }
        }
    }

    /// An operator's stop of a watcher that only waits.
    pub(super) fn stop_waiting(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        self.set_phase(w, Phase::Stopped(Why::Asked));
        actions.push(Action::Report(Report::Stopped { watcher: w, asked: true }));
        actions.push(Action::publish(w, Publication::Stop, now));
    }
}
