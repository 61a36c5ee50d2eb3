//! What processes print, as far as it is captured: a log writer writes it.

use super::Shell;
use crate::control::{Asked, lines};
use circus::commands::{Answer, Errno, Refusal};
use circus::process::Pid;
use circus::supervisor::{Action, Event, Ticket};
use circus::sys::clock;
use circus::sys::poll::PollSet;
use circus::sys::signals;
use circus::sys::wait::{Waited, wait_any};
use circus::wire::log::FromWriter;

/// How long the end waits for the last lines to be written.
const LAST_LINES_MS: u64 = 2000;

impl Shell {
    /// What the log writer has done, and ends of processes that have waited for it.
    pub(super) fn look_at_streams(&mut self, set: &PollSet) {
        if self.streams.is_idle() {
            return;
        }
        let now = clock::now();
        for said in self.streams.look(set, now) {
            if let FromWriter::Lines { token, .. } = &said {
                self.answer_output(Ticket(*token), &lines(&said));
            }
        }
        for token in self.streams.take_lost() {
            self.answer_output(Ticket(token), &no_writer());
        }
        for (level, text) in self.streams.take_notes() {
            self.journal.say(level, &text);
        }
        for event in self.streams.take_ends(now) {
            self.deliver(event);
        }
    }

    /// A client wants to see what was printed.
    pub(super) fn ask_for_output(&mut self, ticket: Ticket, asked: Asked) {
        match asked {
            Asked::Reopen => {
                self.streams.reopen();
                self.answer_output(ticket, &Answer::Done);
            }
            Asked::Lines(_) if self.streams.is_idle() => {
                let none = FromWriter::Lines {
                    token: 0,
                    lines: Vec::new(),
                    last: 0,
                    missed: 0,
                    more: false,
                };
                self.answer_output(ticket, &lines(&none));
            }
            Asked::Lines(question) => {
                if !self.streams.ask(ticket.0, question) {
                    self.answer_output(ticket, &no_writer());
                }
            }
        }
    }

    fn answer_output(&mut self, ticket: Ticket, answer: &Answer) {
        if let Some(control) = &mut self.control {
            control.answer(ticket, answer, clock::now());
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

fn no_writer() -> Answer {
    let reason = "the log writer does not answer at the moment; ask again";
    Answer::Refused(Refusal::new(Errno::Command, reason))
}
