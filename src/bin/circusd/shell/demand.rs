//! Who comes to the sockets of watchers that start on demand. We only look whether somebody waits: what
//! the kernel would tell of its own accord, every process that shares a socket could have it tell.

use super::Shell;
use circus::supervisor::Event;
use circus::sys::clock;
use circus::sys::poll::PollSet;

impl Shell {
    /// Somebody may come.
    pub(super) fn is_awaiting_somebody(&self) -> bool {
        self.sockets.attended().next().is_some()
            || self.supervisor.waits_for_demand(clock::now()).next().is_some()
    }

    /// Wait for whoever comes to a watcher that does not run, or for which we look.
    pub(super) fn poll_demand(&self, set: &mut PollSet) {
        let waiting = self.supervisor.waits_for_demand(clock::now());
        for w in waiting.chain(self.sockets.attended()) {
            if self.supervisor.has_watcher(w) {
                self.sockets.poll(self.supervisor.settings(w), set);
            }
        }
    }

    /// Who has come starts it, or shows that it is still needed.
    pub(super) fn look_at_demand(&mut self, set: &PollSet) {
        let waits = self.supervisor.waits_for_demand(clock::now());
        let has_come = |w: &u32| self.sockets.has_come(self.supervisor.settings(*w), set);
        for watcher in waits.filter(has_come).collect::<Vec<_>>() {
            self.deliver(Event::Demanded { watcher });
        }
        let is_over = |w: &u32| {
            !self.supervisor.has_watcher(*w)
                || self.sockets.has_come(self.supervisor.settings(*w), set)
        };
        for watcher in self.sockets.attended().filter(is_over).collect::<Vec<_>>() {
            self.sockets.stop_attending(watcher);
            if self.supervisor.has_watcher(watcher) {
                self.deliver(Event::Connected { watcher });
            }
        }
    }

    /// Look who comes next.
    pub(super) fn attend(&mut self, watcher: u32) {
        self.sockets.attend(watcher);
    }

    /// Whether somebody is connected. Whatever comes of it, nobody need look before it is asked for again.
    pub(super) fn look_for_connections(&mut self, watcher: u32) {
        let found = self.sockets.are_connected(self.supervisor.settings(watcher));
        if !found {
            self.sockets.stop_attending(watcher);
        }
        self.events.push_back(Event::LookedForConnections { watcher, found });
    }
}
