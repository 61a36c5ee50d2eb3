//! Who comes to the sockets of watchers that start on demand.

use super::Shell;
use circus::supervisor::Event;
use circus::sys::clock;
use circus::sys::poll::PollSet;

impl Shell {
    /// Somebody may come, or has to be looked for.
    pub(super) fn is_awaiting_somebody(&self) -> bool {
        self.sockets.is_attending()
            || self.supervisor.waits_for_demand(clock::now()).next().is_some()
    }

    /// Wait for whoever comes to a watcher that does not run.
    pub(super) fn poll_demand(&self, set: &mut PollSet) {
        for w in self.supervisor.waits_for_demand(clock::now()) {
            self.sockets.poll(self.supervisor.settings(w), set);
        }
    }

    /// Who has come starts it.
    pub(super) fn look_at_demand(&mut self, set: &PollSet) {
        let waits = self.supervisor.waits_for_demand(clock::now());
        let is_ready = |w: &u32| self.sockets.is_ready(self.supervisor.settings(*w), set);
        for watcher in waits.filter(is_ready).collect::<Vec<_>>() {
            self.deliver(Event::Demanded { watcher });
        }
    }

    /// Be told who comes next.
    pub(super) fn attend(&mut self, watcher: u32) {
        self.sockets.attend(watcher, self.supervisor.settings(watcher));
    }

    /// Whether somebody is connected.
    pub(super) fn look_for_connections(&mut self, watcher: u32) {
        let found = self.sockets.are_connected(self.supervisor.settings(watcher));
        self.events.push_back(Event::LookedForConnections { watcher, found });
    }

    /// The kernel tells that somebody has come there.
    pub(super) fn somebody_came(&mut self, fd: i32) {
        for watcher in self.sockets.attended(fd) {
            if self.supervisor.has_watcher(watcher) {
                self.deliver(Event::Connected { watcher });
            }
        }
    }
}
