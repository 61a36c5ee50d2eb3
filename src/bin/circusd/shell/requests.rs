//! What clients ask for.

use super::Shell;
use crate::control::{Control, View};
use crate::names::Lookup;
use circus::commands::{Answer, Errno, Refusal};
use circus::config::settings::LogLevel;
use circus::supervisor::Event;
use circus::sys::poll::PollSet;
use circus::sys::wait::{Waited, wait_any};
use circus::sys::{clock, signals};

/// How long the end waits for the last answers to be delivered.
const LAST_DELIVERY_MS: u64 = 300;

/// After so long with requests, signals and children are looked at again.
const REQUESTS_TURN_MS: u64 = 10;

impl Shell {
    /// What clients ask for: one after the other, and not for so long that signals and children wait.
    pub(super) fn look_at_gateway(&mut self, set: &PollSet) {
        let begin = clock::now();
        let Some(control) = &mut self.control else { return };
        control.gateway.look(set, begin);
        loop {
            let Some(control) = &mut self.control else { return };
            let now = clock::now();
            let Some(request) = control.gateway.next_request(now) else { return };
            let environment = &self.launcher.environment;
            let supervisor = &self.supervisor;
            let names = Lookup { supervisor, environment };
            let sockets = &self.sockets;
            let view = View { supervisor, names: &names, sockets, environment, now };
            if let Some(event) = control.request(request, &view) {
                self.carry_out(event);
            }
            if clock::now().since_ms(begin) >= REQUESTS_TURN_MS {
                return;
            }
        }
    }

    fn carry_out(&mut self, event: Event) {
        if let Event::Configure { asker, configuration, .. } = &event
            && !self.supervisor.is_stopping()
        {
            // Before anything else changes: what cannot be bound must leave all as it was.
            if let Err(reason) = self.sockets.change(&configuration.sockets) {
                let reason = format!("nothing was changed: {reason}");
                let answer = Answer::Refused(Refusal::new(Errno::Command, reason));
                if let (Some(ticket), Some(control)) = (asker.ticket, &mut self.control) {
                    control.answer(ticket, &answer, clock::now());
                }
                return;
            }
        }
        for text in self.sockets.doubts() {
            self.journal.say(LogLevel::Warning, &text);
        }
        self.note_settings(&event);
        self.deliver(event);
    }

    /// What a new configuration changes here.
    fn note_settings(&mut self, event: &Event) {
        let Event::Configure { configuration, .. } = event else { return };
        self.journal.configure(configuration.circus.loglevel);
        let warnings = self.control.as_mut().map(Control::take_warnings);
        for text in warnings.into_iter().flatten() {
            self.journal.say(LogLevel::Warning, &text);
        }
    }

    /// The last answers and publications are delivered.
    pub(super) fn close_control(&mut self) {
        let Some(mut control) = self.control.take() else { return };
        let end = clock::now().after_ms(LAST_DELIVERY_MS);
        let Some(gateway) = control.gateway.finish(clock::now()) else { return };
        while clock::now() < end {
            match wait_any() {
                Waited::Ended(pid, _) if pid == gateway => return,
                Waited::NoChild => return,
                Waited::Ended(..) | Waited::Stopped(_) => {}
                Waited::Nothing => {
                    signals::wait(Some(end));
                }
            }
        }
    }
}
