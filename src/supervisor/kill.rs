//! The commands `signal` and `kill`. The second ends single processes, with the whole escalation;
//! they are started again as after any other end.

use super::calls::Sending;
use super::command::done;
use super::slot::{Slot, State, StopStage};
use super::ticket::{After, Form, Key, Outcome};
use super::{Action, Asker, SlotId, Supervisor};
use crate::commands::{Answer, Errno, Receivers, Refusal};
use crate::moment::Moment;
use crate::process::Pid;
use crate::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};

/// Whoever waits for the end of processes that were to be killed.
#[derive(Debug, Default)]
pub(super) struct Kills {
    left: BTreeMap<Key, BTreeSet<Pid>>,
}

impl Kills {
    /// Another process is waited for in place of this one.
    pub(super) fn replace(&mut self, pid: Pid, by: Pid) {
        for left in self.left.values_mut() {
            if left.remove(&pid) {
                left.insert(by);
            }
        }
    }

    #[cfg(debug_assertions)]
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }
}

impl Supervisor {
    pub(super) fn kill(
        &mut self,
        asker: Asker,
        w: u32,
        only: Option<Pid>,
        signal: Option<Signal>,
        grace_ms: Option<u64>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        self.check_pid(w, only)?;
        let settings = self.settings(w).clone();
        let signal = signal.unwrap_or(settings.stop_signal);
        let grace_ms = grace_ms.unwrap_or(settings.graceful_timeout_ms);
        let mut killed = BTreeSet::new();
        for id in self.slot_ids(w) {
            let Some(leader) = self.slot(id).state.leader().copied() else { continue };
            if only.is_some_and(|pid| pid != leader.pid) {
                continue;
            }
            killed.insert(leader.pid);
            if matches!(self.slot(id).state, State::Stopping { .. }) {
                self.hasten(id, signal, grace_ms, now, actions);
            } else {
                self.stop_slot_by(id, signal, grace_ms, now, actions);
            }
        }
        let parts = usize::from(!killed.is_empty());
        match self.tickets.issue(asker, parts, Form::Done, After::default()) {
            Some(key) if killed.is_empty() => {
                self.part_done(&[key], &Outcome::default(), now, actions);
            }
            Some(key) => {
                self.kills.left.insert(key, killed);
            }
            None => {}
        }
        if !asker.waiting
            && let Some(ticket) = asker.ticket
        {
            actions.push(Action::Answer { ticket, answer: Answer::Done });
        }
        Ok(())
    }

    /// The command `signal`: nothing follows from it here.
    pub(super) fn signal_command(
        &mut self,
        asker: Asker,
        name: &str,
        signal: Option<Signal>,
        receivers: Receivers,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let w = self.find(name)?;
        self.check_pid(w, receivers.pid)?;
        if let Some(signal) = signal {
            self.signal_some(w, signal, receivers, now, actions);
        }
        done(asker, actions);
        Ok(())
    }

    fn signal_some(
        &mut self,
        w: u32,
        signal: Signal,
        receivers: Receivers,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let Receivers { pid: only, child, children, recursive } = receivers;
        for id in self.slot_ids(w) {
            let Some(leader) = self.slot(id).state.leader() else { continue };
            let pid = leader.pid;
            if only.is_some_and(|only| only != pid) {
                continue;
            }
            if let Some(child) = child {
                actions.push(Action::SignalChild { pid, child, signal });
            } else if children {
                actions.push(Action::SignalChildren { pid, signal });
            } else {
                if recursive {
                    // Before the process itself: its end would make them somebody else's.
                    actions.push(Action::SignalDescendants { pid, signal });
                }
                self.signal_slot(id, signal, now, actions);
            }
        }
    }

    /// Whether this process is one of the watcher's.
    pub(super) fn check_pid(&self, w: u32, pid: Option<Pid>) -> Result<(), Refusal> {
        match pid {
            Some(pid) if self.pids.get(&pid).is_none_or(|id| id.watcher != w) => {
                Err(Refusal::not_its_process(pid, &self.settings(w).name))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Processes of this watcher do not even end by SIGKILL: nobody is kept waiting for that.
    pub(super) fn refuse_stuck(&mut self, w: u32, now: Moment, actions: &mut Vec<Action>) {
        let is_stuck =
            |slot: &Slot| matches!(slot.state, State::Stopping { stage: StopStage::Stuck, .. });
        let stuck = self.watchers[w].slots.iter().filter(|slot| is_stuck(slot));
        let stuck: BTreeSet<Pid> =
            stuck.filter_map(|slot| Some(slot.state.leader()?.pid)).collect();
        let Some(pid) = stuck.first() else { return };
        let reason = format!("SIGKILL does not end process {pid}: it hangs in the kernel");
        let mut keys = self.watchers[w].take_keys();
        self.kills.left.retain(|key, left| {
            let waits_for_it = !left.is_disjoint(&stuck);
            keys.extend(waits_for_it.then_some(*key));
            !waits_for_it
        });
        let refusal = Some(Refusal::new(Errno::Command, reason));
        self.part_done(&keys, &Outcome { refusal, ..Outcome::default() }, now, actions);
    }

    /// One that is on its way out already gets this signal too, and not more time than this.
    fn hasten(
        &mut self,
        id: SlotId,
        signal: Signal,
        grace_ms: u64,
        now: Moment,
        actions: &mut Vec<Action>,
    ) {
        let sooner = now.after_ms(grace_ms);
        let pid = self.alter(id, |state| match state {
            State::Stopping {
                leader, signal: sent, stage: StopStage::Asked { kill_at }, ..
            } => {
                *kill_at = sooner.min(*kill_at);
                *sent = signal;
                Some(leader.pid)
            }
            _ => None,
        });
        let Some(pid) = pid else { return };
        self.send(Sending { slot: id, pid, signal, kills: true, wakes: false }, now, actions);
    }

    /// A process has ended: whoever waited for that hears of it.
    pub(super) fn note_killed(&mut self, pid: Pid, now: Moment, actions: &mut Vec<Action>) {
        if self.kills.left.is_empty() {
            return;
        }
        let mut done = Vec::new();
        self.kills.left.retain(|key, left| {
            left.remove(&pid);
            if left.is_empty() {
                done.push(*key);
            }
            !left.is_empty()
        });
        self.part_done(&done, &Outcome::default(), now, actions);
    }
}
