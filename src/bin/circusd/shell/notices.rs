//! What is learned of processes: what they tell about themselves (sd_notify), and what we tell about
//! us.

use super::Shell;
use circus::config::settings::LogLevel;
use circus::notification::Notification;
use circus::process::Pid;
use circus::supervisor::Event;
use circus::sys::notify::{self, Received};
use circus::sys::poll::PollSet;
use circus::sys::procfs;
use std::os::fd::{AsFd, AsRawFd};

/// So many messages are read before other things are looked at.
const NOTIFICATIONS_AT_ONCE_MAX: usize = 64;

/// No process is further away from ours than this.
const GENERATIONS_MAX: usize = 64;

impl Shell {
    /// What processes tell about themselves.
    pub(super) fn look_at_notifications(&mut self, set: &PollSet) {
        for _ in 0..NOTIFICATIONS_AT_ONCE_MAX {
            let Some(notify) = &self.launcher.notify else { return };
            if !set.is_ready(notify.as_fd().as_raw_fd()) {
                return;
            }
            match notify.receive() {
                Received::Nothing => return,
                Received::Useless => {}
                Received::Message(sender, bytes) => {
                    if let Some(pid) = self.leader_of(sender) {
                        let mut said = Notification::parse(&bytes);
                        // Only somebody of its own can take its place.
                        said.main_pid = said.main_pid.filter(|it| self.leader_of(*it) == Some(pid));
                        self.deliver(Event::Notified { pid, said });
                    }
                }
            }
        }
    }

    /// Our process that this one is or descends from, whatever it did to get away.
    fn leader_of(&self, sender: Pid) -> Option<Pid> {
        let mut pid = sender;
        for _ in 0..GENERATIONS_MAX {
            if self.supervisor.is_leader(pid) {
                return Some(pid);
            }
            match procfs::parent(pid) {
                Some(parent) => pid = parent,
                None => break,
            }
        }
        self.supervisor.leader_of_tag(procfs::tag(sender)?)
    }

    /// It is a child of ours, which ends only when we say so.
    pub(super) fn is_child(&self, pid: Pid) -> bool {
        self.has_proc && procfs::parent(pid).is_some_and(|it| it.number() as u32 == self.us)
    }

    /// Tell this address when all is ready.
    pub fn set_above(&mut self, address: Box<[u8]>) {
        self.above = Some(address);
    }

    /// All that is to run is ready: whoever has started us wants to know.
    pub(super) fn tell_above(&mut self) {
        if self.above.is_some() && self.supervisor.is_all_well() {
            let text = b"READY=1\nSTATUS=all watchers are ready";
            if let Some(Err(error)) = self.above.take().map(|to| notify::tell(&to, text)) {
                let text = format!("NOTIFY_SOCKET: cannot tell that all is ready: {error}");
                self.journal.say(LogLevel::Warning, &text);
            }
        }
    }
}
