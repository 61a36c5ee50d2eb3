//! What processes print, as far as it is captured: a log writer writes it.

use super::Shell;
use circus::process::Pid;
use circus::supervisor::{Action, Event};
use circus::sys::clock;
use circus::sys::poll::PollSet;
use circus::sys::signals;
use circus::sys::wait::{Waited, wait_any};

/// How long the end waits for the last lines to be written.
const LAST_LINES_MS: u64 = 2000;

impl Shell {
    /// What the log writer has done, and ends of processes that have waited for it.
    pub(super) fn look_at_streams(&mut self, set: &PollSet) {
        if self.streams.is_idle() {
            return;
        }
        let now = clock::now();
        let _answers = self.streams.look(set, now);
        for (level, text) in self.streams.take_notes() {
            self.journal.say(level, &text);
        }
        for event in self.streams.take_ends(now) {
            self.deliver(event);
        }
    }

    /// A process was reaped. The core learns of it when what it has printed is written.
    pub(super) fn process_ended(&mut self, pid: Pid, event: Event) {
        if let Some(event) = self.streams.ended(pid, event, clock::now()) {
            self.deliver(event);
        }
    }

    /// It is about a process whose end the core does not know yet: the number may be another one's.
    pub(super) fn is_for_nobody(&self, action: &Action) -> bool {
        match action {
            Action::Signal { pid, .. }
            | Action::SignalChildren { pid, .. }
            | Action::SignalChild { pid, .. }
            | Action::SignalDescendants { pid, .. } => self.streams.is_ending(*pid),
            _ => false,
        }
    }

    /// All have ended: what they have printed is written, unless nobody takes it.
    pub(super) fn finish_streams(&mut self) {
        let Some(writer) = self.streams.finish(LAST_LINES_MS) else { return };
        let end = clock::now().after_ms(LAST_LINES_MS);
        while clock::now() < end {
            match wait_any() {
                Waited::Ended(pid, _) if pid == writer => return,
                Waited::NoChild => return,
                Waited::Ended(..) | Waited::Stopped(_) => {}
                Waited::Nothing => {
                    signals::wait(Some(end));
                }
            }
        }
    }
}
