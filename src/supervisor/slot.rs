//! One place for one process in a watcher. Processes come and go, the slot and its counters stay.
//!
//! ```text
//!            Due ──────┐
//!             ↑        ↓                      (a stop, max_age)
//!  Vacant → (wait?) → Queued → Spawning → Running ──────────→ Stopping
//!     ↑                           │          │ ended             │ ended
//!     │                           │          ↓                   ↓
//!     └───────────────────────────┴─────← Clearing ←─────────────┘
//! ```
//! Clearing lasts until nothing that the process left behind is alive. A slot never starts a
//! process while one of its own, or a descendant of it, is known to live.

use super::event::Errand;
use super::vitals::{Fault, Vitals};
use crate::config::settings::{Limit, Respawn, SuccessCode, WatcherSettings};
use crate::moment::Moment;
use crate::process::{Ending, Pid, Tag};
use crate::signal::Signal;

/// A life shorter than this counts as a crash whatever `healthy_after` says.
const SHORT_LIFE_MS: u64 = 1000;

/// Whoever waits for a start hears that it fails after so many attempts, even if more follow: as
/// many as there are where the configuration says nothing.
const ATTEMPTS_AWAITED: u32 = 5;

/// A slot and what it remembers.
#[derive(Debug)]
pub(super) struct Slot {
    /// What goes on in it.
    pub(super) state: State,
    /// A process should be here, now or after a delay.
    pub(super) wanted: bool,
    /// When the next process may start.
    pub(super) not_before: Moment,
    /// When the last process was made.
    pub(super) last_start: Moment,
    /// Starts so far, in this generation.
    pub(super) starts: u32,
    /// Starts that followed a death.
    pub(super) restarts: u32,
    /// Its process is to be replaced and the new one is not ready yet.
    pub(super) renewed: bool,
    /// Its last process has ended, or is about to, without ever having been ready.
    pub(super) unready: bool,
    /// What its process is being replaced for.
    pub(super) fault: Option<Fault>,
    /// What its process says of itself.
    pub(super) says: Option<Box<str>>,
    /// Its process has said that it is ready before we knew that it could be.
    pub(super) said_ready: bool,
    /// Its process reads its configuration again.
    pub(super) reloading: bool,
    /// Its hook has said yes to the next process.
    pub(super) is_allowed: bool,
    /// Failed attempts to execute in a row.
    attempts: u32,
    /// Failures to make a process at all, in a row.
    fork_failures: u32,
    /// Early deaths in a row.
    deaths: u32,
    /// Failed lives in a row.
    failures: u32,
}

/// See the diagram.
#[derive(Debug)]
pub(super) enum State {
    Vacant,
    /// Waits for a delay to pass.
    Due {
        at: Moment,
    },
    /// Waits for a hook: its own, or that of its watcher.
    Held {
        errand: Option<Errand>,
    },
    /// Waits for its turn among the processes that have not become their program yet.
    Queued,
    /// `Action::Spawn` was given and not answered yet.
    Spawning {
        /// It is to be stopped as soon as it exists.
        stop: bool,
    },
    Running {
        leader: Leader,
        way: Way,
        /// When it is too old.
        replace_at: Option<Moment>,
        /// Whether it is ready, and how it is checked. `None`: ready as soon as it is its program.
        vitals: Option<Box<Vitals>>,
    },
    Stopping {
        leader: Leader,
        way: Way,
        since: Moment,
        /// What it was sent.
        signal: Signal,
        stage: StopStage,
    },
    /// Its process is gone; descendants may be left.
    Clearing {
        tag: Tag,
        /// Descendants that were asked to end.
        told: Vec<Pid>,
        stage: StopStage,
    },
}

/// The process that the slot started, alive or not reaped yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leader {
    pub(super) pid: Pid,
    pub(super) tag: Tag,
    pub(super) started: Moment,
    /// It has been suspended at least once, so it may be now: it cannot act on a signal then.
    pub(super) was_suspended: bool,
}

/// How far it is on the way to its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// On it, and one of those of which there may be only so many.
    Going { overdue_at: Moment },
    /// On it for so long that others need not wait for it any more.
    Hanging,
    /// It has become its program, and a hook that is told so has not come back.
    Greeted { errand: Errand },
    /// It has become its program.
    Executed,
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopStage {
    /// Asked to end.
    Asked { kill_at: Moment },
    /// Sent SIGKILL.
    Killed { give_up_at: Moment },
    /// Not even SIGKILL ended it: it hangs in the kernel.
    Stuck,
}

impl StopStage {
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            StopStage::Asked { kill_at } => Some(kill_at),
            StopStage::Killed { give_up_at } => Some(give_up_at),
            StopStage::Stuck => None,
        }
    }
}

impl State {
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self {
            State::Vacant | State::Held { .. } | State::Queued | State::Spawning { .. } => None,
            State::Due { at } => Some(*at),
            State::Running { way: Way::Going { overdue_at }, .. } => Some(*overdue_at),
            State::Running { replace_at, vitals, .. } => {
                let vitals = vitals.as_ref().and_then(|vitals| vitals.deadline());
                [*replace_at, vitals].into_iter().flatten().min()
            }
            State::Stopping { stage, .. } | State::Clearing { stage, .. } => stage.deadline(),
        }
    }

    /// The process, while it is one.
    pub(super) fn leader(&self) -> Option<&Leader> {
        match self {
            State::Running { leader, .. } | State::Stopping { leader, .. } => Some(leader),
            State::Vacant
            | State::Due { .. }
            | State::Held { .. }
            | State::Queued
            | State::Spawning { .. }
            | State::Clearing { .. } => None,
        }
    }

    /// A process exists here or is about to.
    pub(super) fn is_live(&self) -> bool {
        self.leader().is_some() || matches!(self, State::Spawning { .. })
    }
}

/// What follows a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another one, after so many milliseconds from now; 0 is at once.
    Start {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// None: that was all.
    Over,
    /// None: it failed too often.
    GivenUp {
        /// Failures in a row.
        failures: u32,
    },
}

impl Slot {
    pub(super) fn new() -> Slot {
        Slot {
            state: State::Vacant,
            wanted: false,
            not_before: Moment::default(),
            last_start: Moment::default(),
            starts: 0,
            restarts: 0,
            renewed: false,
            unready: false,
            fault: None,
            says: None,
            said_ready: false,
            reloading: false,
            is_allowed: false,
            attempts: 0,
            fork_failures: 0,
            deaths: 0,
            failures: 0,
        }
    }

    /// Forget failures: somebody wants a new beginning.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
        self.fork_failures = 0;
        self.deaths = 0;
        self.failures = 0;
        self.unready = false;
        self.is_allowed = false;
        self.not_before = Moment::default();
    }

    pub(super) fn note_spawned(&mut self, now: Moment) {
        self.last_start = now;
        self.starts = self.starts.saturating_add(1);
        self.fork_failures = 0;
        self.fault = None;
        self.says = None;
        self.said_ready = false;
        self.reloading = false;
    }

    pub(super) fn note_executed(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn note_ready(&mut self) {
        self.renewed = false;
        self.unready = false;
    }

    /// Its process does its work.
    pub(super) fn is_ready(&self) -> bool {
        match &self.state {
            State::Running { way: Way::Executed, vitals, .. } => {
                vitals.as_ref().is_none_or(|vitals| vitals.is_ready)
            }
            _ => false,
        }
    }

    /// It has failed to get a process, or that takes too long.
    pub(super) fn is_in_trouble(&self) -> bool {
        let hangs = matches!(self.state, State::Running { way: Way::Hanging, .. });
        self.attempts > 0 || self.fork_failures > 0 || self.unready || hangs
    }

    /// The same, and nobody should wait for it any longer.
    pub(super) fn cannot_start(&self) -> bool {
        let often = self.attempts.max(self.fork_failures) >= ATTEMPTS_AWAITED;
        let hangs = matches!(self.state, State::Running { way: Way::Hanging, .. });
        often || hangs || self.unready || self.attempts > 0 && !self.wanted
    }

    /// The process, unless it is on its way out.
    pub(super) fn running(&self) -> Option<Pid> {
        match &self.state {
            State::Running { leader, .. } => Some(leader.pid),
            State::Vacant
            | State::Due { .. }
            | State::Held { .. }
            | State::Queued
            | State::Spawning { .. }
            | State::Stopping { .. }
            | State::Clearing { .. } => None,
        }
    }

    /// It has had a process lately that ended by itself.
    pub(super) fn has_died(&self) -> bool {
        self.deaths > 0
    }

    /// The kernel could not make a process: that is nobody's fault here and passes, so it is tried
    /// for ever.
    pub(super) fn after_fork_failure(&mut self, settings: &WatcherSettings, now: Moment) -> Next {
        self.fork_failures = self.fork_failures.saturating_add(1);
        let delay_ms = doubled(settings.backoff_ms, self.fork_failures, settings.backoff_max_ms);
        self.not_before = now.after_ms(delay_ms);
        Next::Start { delay_ms }
    }

    /// A process that nobody asked to end has ended: count, and decide what follows.
    pub(super) fn after_life(
        &mut self,
        settings: &WatcherSettings,
        ending: Ending,
        failed: bool,
        lived_ms: u64,
        now: Moment,
    ) -> Next {
        if let Ending::NotExecuted(_) = ending {
            return self.after_attempt(settings, now);
        }
        self.attempts = 0;
        let long = lived_ms >= settings.healthy_after_ms && lived_ms >= SHORT_LIFE_MS;
        // One that was never ready has never been healthy either, however long that took.
        let healthy = long && !self.unready;
        self.deaths = if healthy { 1 } else { self.deaths.saturating_add(1) };
        self.failures = match (failed, healthy) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => self.failures.saturating_add(1),
        };
        // One that has served who came ends when nobody is left.
        let is_on_demand = settings.sockets.as_ref().is_some_and(|its| its.on_demand);
        let again = match settings.respawn {
            Respawn::Always => failed || !settings.oneshot && !is_on_demand,
            Respawn::OnFailure => failed,
            Respawn::Never => false,
        };
        if !again {
            return Next::Over;
        }
        if let Limit::AtMost(most) = settings.max_restarts
            && failed
            && self.failures > most
        {
            return Next::GivenUp { failures: self.failures };
        }
        // The first respawn is at once. The delay counts from the last start, so a process that
        // lived longer than its delay never waits for it.
        let delay_ms = match self.deaths {
            0 | 1 => 0,
            deaths => doubled(settings.backoff_ms, deaths - 1, settings.backoff_max_ms),
        };
        self.start_again(self.last_start.after_ms(delay_ms), now)
    }

    fn after_attempt(&mut self, settings: &WatcherSettings, now: Moment) -> Next {
        self.attempts = self.attempts.saturating_add(1);
        if let Limit::AtMost(most) = settings.max_retry
            && self.attempts >= most
        {
            return Next::GivenUp { failures: self.attempts };
        }
        let delay_ms = doubled(settings.backoff_ms, self.attempts, settings.backoff_max_ms);
        self.start_again(now.after_ms(delay_ms), now)
    }

    fn start_again(&mut self, at: Moment, now: Moment) -> Next {
        self.not_before = at;
        Next::Start { delay_ms: at.since_ms(now) }
    }
}

/// Whether an ending is none of the watcher's `success_codes`.
pub(super) fn is_failure(settings: &WatcherSettings, ending: Ending) -> bool {
    !settings.success_codes.iter().any(|success| match (*success, ending) {
        (SuccessCode::Code(code), Ending::Exited(exited)) => code == exited,
        (SuccessCode::Killed(signal), Ending::Killed(killer)) => signal == killer,
        (_, Ending::NotExecuted(_))
        | (SuccessCode::Code(_), Ending::Killed(_))
        | (SuccessCode::Killed(_), Ending::Exited(_)) => false,
    })
}

/// `first` for the first time, then twice as much each time, up to `longest`.
pub(super) fn doubled(first_ms: u64, times: u32, longest_ms: u64) -> u64 {
    let factor = 1u64.checked_shl(times.saturating_sub(1)).unwrap_or(u64::MAX);
    first_ms.saturating_mul(factor).min(longest_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays: Vec<u64> = (1..9).map(|times| doubled(100, times, 5000)).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(doubled(100, 200, 5000), 5000);
        assert_eq!(doubled(0, 3, 5000), 0);
    }
}
