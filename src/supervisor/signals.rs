//! What a signal to circusd means.

use super::calls::Sending;
use super::report::StopCause;
use super::slot::State;
use super::{Action, Life, Mode, SlotId, Supervisor};
use crate::moment::Moment;
use crate::signal::Signal;

impl Supervisor {
    pub(super) fn signalled(&mut self, signal: Signal, now: Moment, actions: &mut Vec<Action>) {
        let stops = matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT);
        if self.mode == Mode::MainCommand && self.signal_main(signal, now, actions) {
            return;
        }
        match self.mode {
            // The main command is not there (yet, or any more).
            Mode::MainCommand if stops && matches!(self.life, Life::Running) => {
                let code = (128 + signal.number()) as u8;
                self.begin_shutdown(StopCause::Signal(signal), code, now, actions);
            }
            Mode::MainCommand | Mode::Watchers | Mode::Both if stops => {
                self.stop_signalled(signal, now, actions);
            }
            Mode::MainCommand => {}
            Mode::Watchers | Mode::Both => {
                let mut is_taken = false;
                if signal == Signal::HUP {
                    self.reload_all(now, actions);
                } else if self.mode == Mode::Both {
                    is_taken = self.signal_main(signal, now, actions);
                }
                is_taken |= self.forward(signal, now, actions);
                if signal == Signal::USR2 && !is_taken {
                    actions.push(Action::ReopenLogs);
                }
            }
        }
    }

    /// Whether there was a main command to take it.
    fn signal_main(&mut self, signal: Signal, now: Moment, actions: &mut Vec<Action>) -> bool {
        let Some(main) = self.main else { return false };
        if self.watchers.get(main).is_none() {
            return false;
        }
        let mut taken = false;
        for id in self.slot_ids(main) {
            taken |= self.signal_slot(id, signal, now, actions);
        }
        taken
    }

    pub(super) fn signal_slot(
        &mut self,
        id: SlotId,
        signal: Signal,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> bool {
        match &self.slot(id).state {
            State::Running { leader, .. } | State::Stopping { leader, .. } => {
                let pid = leader.pid;
                let wakes = leader.was_suspended && ends_by_default(signal);
                self.send(Sending { slot: id, pid, signal, kills: false, wakes }, now, actions);
                true
            }
            State::Vacant
            | State::Due { .. }
            | State::Held { .. }
            | State::Queued
            | State::Spawning { .. }
            | State::Clearing { .. } => false,
        }
    }

    /// Pass it on to the watchers that ask for it (`forward_signals`). Returns whether there is one.
    fn forward(&mut self, received: Signal, now: Moment, actions: &mut Vec<Action>) -> bool {
        let mut is_taken = false;
        for w in self.watcher_ids() {
            let settings = self.settings(w);
            let wanted = settings.forward_signals.iter().find(|f| f.received == received).copied();
            let Some(forwarded) = wanted else { continue };
            is_taken = true;
            for id in self.slot_ids(w) {
                self.signal_slot(id, forwarded.sent, now, actions);
            }
        }
        is_taken
    }

    /// Whether a watcher takes SIGHUP itself, so that it is no reload for it.
    pub(super) fn forwards_hup(&self, w: u32) -> bool {
        self.settings(w).forward_signals.iter().any(|f| f.received == Signal::HUP)
    }
}

/// What is meant to end a process, which it cannot do while it is suspended.
fn ends_by_default(signal: Signal) -> bool {
    matches!(signal, Signal::HUP | Signal::INT | Signal::QUIT | Signal::TERM)
}
