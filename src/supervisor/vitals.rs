//! Readiness and liveness of one process. Probes are errands: somebody else asks, and comes back.
//!
//! ```text
//! executed → waits ──(it says so, a probe succeeds, or time has passed)──→ ready, checked again and again
//!              │ ready_timeout                                               │ too many failures in a row
//!              └──────────────────────────→ replaced ←───────────────────────┘
//! ```

use super::event::Errand;
use crate::config::settings::{CheckSettings, Liveness, Probe, Readiness, WatcherSettings};
use crate::moment::Moment;
use std::rc::Rc;

/// Between two readiness probes: at first, and at most.
const PAUSE_MS: u64 = 50;
const PAUSE_MAX_MS: u64 = 1000;

/// What a process may ask for as the limit of its watchdog: less is a slip, more is none.
const SILENCE_MS_MIN: u64 = 100;
const SILENCE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// How long one readiness probe may take: a connection, and a command, which may wait for something
/// itself but must not hang for ever.
const READY_PROBE_MS: u64 = 3000;
const READY_COMMAND_MS: u64 = 30_000;

/// Where another process may answer at the same address, an answer counts only for one that has
/// lived for so long: a program that cannot take the address has ended by then.
const TAKEOVER_MS: u64 = 2000;

/// Of a process that has become its program and whose settings say more than that.
#[derive(Debug)]
pub(super) struct Vitals {
    pub(super) is_ready: bool,
    since: Moment,
    /// It has to be ready until then.
    ready_by: Option<Moment>,
    /// What comes next if nobody says anything: a probe, the end of a delay or of our patience.
    next: Option<Moment>,
    probe: Option<Asked>,
    /// Failed checks in a row.
    failures: u32,
    pause_ms: u64,
    /// The longest silence that a watchdog allows.
    silence_ms: u64,
    /// What the last failed probe has said.
    reason: Rc<str>,
    /// The last probe could not be sent: nobody knows how it is, so nothing is held against it.
    is_unknown: bool,
}

/// A probe that has not come back.
#[derive(Debug, Clone, Copy)]
struct Asked {
    errand: Errand,
    at: Moment,
    /// It has to come back by then; `None` as long as it has not been sent.
    by: Option<Moment>,
    /// There was no room for it at once.
    has_waited: bool,
}

/// What a process is replaced for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It was not ready in time.
    NotReady {
        /// How long it had.
        waited_ms: u64,
        /// What the last probe said; may be empty.
        reason: Rc<str>,
    },
    /// Its check has failed.
    CheckFailed {
        /// So often in a row.
        failures: u32,
        /// What the last probe said.
        reason: Rc<str>,
    },
    /// It has not said for too long that it lives.
    Silent {
        /// For so long.
        ms: u64,
    },
    /// It has asked for it.
    Asked,
}

/// What has become of a process.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing new.
    Nothing,
    Ready,
    Fault(Fault),
    /// It is to be asked.
    Probe,
    /// This errand takes too long.
    Abandon(Errand),
}

/// Which of the two questions is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Option `ready`.
    Ready,
    /// Option `check`.
    Check,
}

impl Question {
    /// How it is asked, if it is asked at all.
    pub fn probe(self, settings: &WatcherSettings) -> Option<&Probe> {
        match self {
            Question::Ready => match &settings.ready {
                Readiness::Probe(probe) => Some(probe),
                Readiness::Started | Readiness::Notify | Readiness::After { .. } => None,
            },
            Question::Check => match &settings.check.as_ref()?.by {
                Liveness::Probe(probe) => Some(probe),
                Liveness::Watchdog => None,
            },
        }
    }
}

impl Vitals {
    /// Of a process that becomes its program now; `None` if that is all there is to know.
    pub(super) fn begin(settings: &WatcherSettings, now: Moment) -> Option<Box<Vitals>> {
        let is_ready = settings.oneshot || settings.ready == Readiness::Started;
        if is_ready && settings.check.is_none() {
            return None;
        }
        let limit_ms = Some(settings.ready_timeout_ms).filter(|ms| !is_ready && *ms > 0);
        let mut vitals = Vitals {
            is_ready,
            since: now,
            ready_by: limit_ms.map(|ms| now.after_ms(ms)),
            next: None,
            probe: None,
            failures: 0,
            pause_ms: PAUSE_MS,
            silence_ms: settings.check.as_ref().map_or(0, |check| check.interval_ms),
            reason: Rc::from(""),
            is_unknown: false,
        };
        match &settings.ready {
            _ if is_ready => vitals.begin_checks(settings, now),
            Readiness::Started | Readiness::Notify => {}
            Readiness::After { ms } => vitals.next = Some(now.after_ms(*ms)),
            Readiness::Probe(_) => vitals.next = Some(now),
        }
        Some(Box::new(vitals))
    }

    /// When something is to be done at the latest.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let probe = self.probe.and_then(|asked| asked.by);
        [self.patience(), self.next, probe].into_iter().flatten().min()
    }

    /// It has to be ready until then, if anybody can find out that it is.
    fn patience(&self) -> Option<Moment> {
        let has_waited = self.probe.is_some_and(|asked| asked.has_waited);
        self.ready_by.filter(|_| !self.is_unknown && !has_waited)
    }

    /// The probe that has not come back.
    pub(super) fn errand(&self) -> Option<Errand> {
        self.probe.map(|asked| asked.errand)
    }

    pub(super) fn question(&self) -> Question {
        if self.is_ready { Question::Check } else { Question::Ready }
    }

    /// A deadline has come.
    pub(super) fn due(&mut self, settings: &WatcherSettings, now: Moment) -> Turn {
        let is_due = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        if is_due(self.patience()) {
            let waited_ms = now.since_ms(self.since);
            return Turn::Fault(Fault::NotReady { waited_ms, reason: self.reason.clone() });
        }
        if let Some(Asked { errand, by, .. }) = self.probe
            && is_due(by)
        {
            return Turn::Abandon(errand);
        }
        if !is_due(self.next) {
            return Turn::Nothing;
        }
        self.next = None;
        if !self.is_ready {
            return match settings.ready {
                Readiness::Probe(_) => Turn::Probe,
                Readiness::After { .. } | Readiness::Started => Turn::Ready,
                Readiness::Notify => Turn::Nothing,
            };
        }
        match settings.check.as_ref().map(|check| &check.by) {
            None => Turn::Nothing,
            Some(Liveness::Probe(_)) => Turn::Probe,
            Some(Liveness::Watchdog) => Turn::Fault(Fault::Silent { ms: self.silence_ms }),
        }
    }

    /// A probe is to be sent.
    pub(super) fn asked(&mut self, errand: Errand, now: Moment) {
        self.probe = Some(Asked { errand, at: now, by: None, has_waited: true });
    }

    /// It is on its way.
    pub(super) fn set_out(&mut self, settings: &WatcherSettings, now: Moment) {
        let limit_ms = match (self.question().probe(settings), &settings.check) {
            (_, Some(check)) if self.is_ready => check.timeout_ms,
            (Some(Probe::Exec(_)), _) => READY_COMMAND_MS,
            (_, _) => READY_PROBE_MS,
        };
        if let Some(asked) = &mut self.probe {
            asked.by = Some(now.after_ms(limit_ms));
            asked.has_waited = asked.at < now;
        }
    }

    /// A probe could not be sent, which says nothing about the process. Returns whether that is new.
    pub(super) fn unsent(&mut self, settings: &WatcherSettings, now: Moment) -> bool {
        self.probe = None;
        self.ask_later(settings, now);
        !std::mem::replace(&mut self.is_unknown, true)
    }

    /// One could be sent. Returns whether that is new.
    pub(super) fn sent(&mut self) -> bool {
        std::mem::take(&mut self.is_unknown)
    }

    pub(super) fn ask_later(&mut self, settings: &WatcherSettings, now: Moment) {
        if self.is_ready {
            return self.begin_checks(settings, now);
        }
        self.next = Some(now.after_ms(self.pause_ms));
        self.pause_ms = (self.pause_ms * 2).min(PAUSE_MAX_MS);
    }

    /// A probe has come back, or takes too long. In company, somebody else may have answered it.
    pub(super) fn answered(
        &mut self,
        outcome: Result<(), Rc<str>>,
        has_company: bool,
        settings: &WatcherSettings,
        now: Moment,
    ) -> Turn {
        self.probe = None;
        let credible_at = self.since.after_ms(TAKEOVER_MS);
        match (outcome, &settings.check) {
            (Ok(()), _) if !self.is_ready => {
                if !has_company || !connects(settings) || credible_at <= now {
                    return Turn::Ready;
                }
                self.next = Some(credible_at);
                // A shorter patience is none for that.
                let last = credible_at.after_ms(READY_PROBE_MS);
                self.ready_by = self.ready_by.map(|at| at.max(last));
                return Turn::Nothing;
            }
            (Ok(()), _) => self.failures = 0,
            (Err(reason), _) if !self.is_ready => {
                self.reason = reason;
            }
            (Err(_), None) => {}
            (Err(reason), Some(check)) => {
                let counts = now.since_ms(self.since) >= check.start_period_ms;
                self.failures += u32::from(counts);
                self.reason = reason;
                if self.failures >= check.retries {
                    let (failures, reason) = (self.failures, self.reason.clone());
                    return Turn::Fault(Fault::CheckFailed { failures, reason });
                }
            }
        }
        self.ask_later(settings, now);
        Turn::Nothing
    }

    /// It does its work from now on.
    pub(super) fn become_ready(&mut self, settings: &WatcherSettings, now: Moment) {
        self.is_ready = true;
        self.ready_by = None;
        self.next = None;
        self.probe = None;
        self.reason = Rc::from("");
        self.begin_checks(settings, now);
    }

    fn begin_checks(&mut self, settings: &WatcherSettings, now: Moment) {
        self.next = settings.check.as_ref().map(|check| match check.by {
            Liveness::Watchdog => now.after_ms(self.silence_ms),
            Liveness::Probe(_) => now.after_ms(check.interval_ms),
        });
    }

    /// It has said that it lives.
    pub(super) fn alive(&mut self, settings: &WatcherSettings, now: Moment) {
        if self.is_ready && has_watchdog(settings) {
            self.next = Some(now.after_ms(self.silence_ms));
        }
    }

    /// It wants another limit for its watchdog.
    pub(super) fn set_silence(&mut self, ms: u64, settings: &WatcherSettings, now: Moment) {
        self.silence_ms = ms.clamp(SILENCE_MS_MIN, SILENCE_MS_MAX);
        self.alive(settings, now);
    }

    /// It needs more time to become ready.
    pub(super) fn extend(&mut self, ms: u64, now: Moment) {
        self.ready_by = self.ready_by.map(|at| at.max(now.after_ms(ms)));
    }

    /// Its settings have changed: what is asked is asked anew. Returns the probe that is out, whose
    /// answer would be one to another question.
    pub(super) fn renew(&mut self, settings: &WatcherSettings, now: Moment) -> Option<Errand> {
        let former = self.probe.take().map(|asked| asked.errand);
        self.is_unknown = false;
        self.silence_ms = settings.check.as_ref().map_or(0, |check| check.interval_ms);
        self.failures = 0;
        if self.is_ready {
            self.begin_checks(settings, now);
            return former;
        }
        self.next = match &settings.ready {
            Readiness::Started | Readiness::Probe(_) => Some(now),
            Readiness::Notify => None,
            Readiness::After { ms } => Some(self.since.after_ms(*ms)),
        };
        former
    }
}

/// It is asked at an address, which does not tell whose it is.
fn connects(settings: &WatcherSettings) -> bool {
    match &settings.ready {
        Readiness::Probe(Probe::Tcp { .. } | Probe::Http { .. } | Probe::Unix(_)) => true,
        Readiness::Probe(Probe::Exec(_)) => false,
        Readiness::Started | Readiness::Notify | Readiness::After { .. } => false,
    }
}

fn has_watchdog(settings: &WatcherSettings) -> bool {
    let watchdog = |check: &CheckSettings| check.by == Liveness::Watchdog;
    settings.check.as_deref().is_some_and(watchdog)
}
