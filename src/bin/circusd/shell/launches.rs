//! Processes on the way to their program: from the action that asks for one until it is known what
//! became of it.

use super::Shell;
use crate::launcher::{Start, may_notify};
use circus::config::settings::LogLevel;
use circus::process::{Ending, Failure, Pid, Tag};
use circus::signal::Signal;
use circus::supervisor::{Event, SlotId};
use circus::sys::identity;
use circus::sys::notify::NotifySocket;
use circus::sys::poll::PollSet;
use circus::sys::spawn::{Launch, Outcome};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// A process that has not become its program yet.
#[derive(Debug)]
pub(super) struct OnTheWay {
    pub(super) launch: Launch,
    pub(super) failure: Option<Failure>,
    /// Signals that wait until it has arrived. It shares our memory: before Linux 5.16 one that
    /// dumps core would take us with it.
    pub(super) held: Vec<Signal>,
}

impl Shell {
    /// Make a process. The error is the kernel's number.
    pub(super) fn spawn(&mut self, slot: SlotId, tag: Tag) -> Result<Pid, i32> {
        let settings = self.supervisor.settings(slot.watcher).clone();
        let foreground = self.terminal.in_use && self.supervisor.is_main(slot.watcher);
        let number = |error: io::Error| error.raw_os_error().unwrap_or_default();
        let socket = match may_notify(&settings) {
            true => Some(NotifySocket::open().map_err(|error| {
                // Without it such a process would be replaced for its silence.
                let text = format!("{}: no socket for notifications: {error}", settings.name);
                let number = number(error);
                // That too many files are open is told as of any process that cannot be made.
                if number != Errno::EMFILE as i32 {
                    self.journal.say(LogLevel::Error, &text);
                }
                number
            })?),
            false => None,
        };
        let address = socket.as_ref().map(NotifySocket::name);
        // Who has gone in the same event has its socket no more.
        self.sockets.prune(&self.supervisor);
        let given = match self.sockets.give(&settings, slot) {
            Ok(given) => given,
            Err(error) => {
                let text = format!("{}: its sockets: {error}", settings.name);
                self.journal.say(LogLevel::Error, &text);
                return Err(error.raw_os_error().unwrap_or(Errno::EINVAL as i32));
            }
        };
        let start = Start { wid: slot.wid(), tag, foreground, given: &given, notify: address };
        let plan = match self.launcher.plan(&settings, start) {
            Ok(plan) => plan,
            Err(reason) => {
                let text = format!("{}: {reason}", settings.name);
                self.journal.say(LogLevel::Error, &text);
                return Err(Errno::EINVAL as i32);
            }
        };
        let uid = plan.uid.unwrap_or_else(identity::uid);
        let launch = Launch::start(plan).map_err(number)?;
        let pid = launch.pid();
        self.sockets.hold(pid, given);
        self.launches.push(OnTheWay { launch, failure: None, held: Vec::new() });
        if let Some(socket) = socket {
            self.notifications.open(slot, socket, uid);
        }
        Ok(pid)
    }

    pub(super) fn look_at_launches(&mut self, set: &PollSet) {
        let ready: Vec<Pid> = self
            .launches
            .iter()
            .filter(|way| set.is_ready(way.launch.as_fd().as_raw_fd()))
            .map(|way| way.launch.pid())
            .collect();
        for pid in ready {
            self.look_at_launch(pid);
        }
    }

    /// Has it become its program?
    fn look_at_launch(&mut self, pid: Pid) {
        let Some(at) = self.launches.iter().position(|way| way.launch.pid() == pid) else { return };
        if self.launches[at].failure.is_some() {
            return;
        }
        match self.launches[at].launch.outcome() {
            Outcome::Pending => {}
            Outcome::Failed(failure) => self.launches[at].failure = Some(failure),
            Outcome::Executed => {
                let arrived = self.launches.swap_remove(at);
                arrived.held.into_iter().for_each(|signal| self.send(pid, signal));
                self.deliver(Event::Executed { pid });
            }
        }
    }

    /// One that never became its program has said why. Nothing is delivered and no held signal is
    /// sent here: the number may be another process's by now.
    pub(super) fn refine(&mut self, pid: Pid, ending: Ending) -> Ending {
        let Some(at) = self.launches.iter().position(|way| way.launch.pid() == pid) else {
            return ending;
        };
        let OnTheWay { launch, failure, .. } = self.launches.swap_remove(at);
        match (failure, launch.outcome()) {
            (Some(failure), _) | (None, Outcome::Failed(failure)) => Ending::NotExecuted(failure),
            (None, Outcome::Executed | Outcome::Pending) => ending,
        }
    }
}
