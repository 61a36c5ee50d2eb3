//! The shell: it acts. What the kernel says becomes events for the core, the core's actions
//! become system calls; nothing is decided here.
//!
//! One event, then all its actions, then the next event. A child is reaped only when everything
//! that was decided before is done, so a signal never reaches a number that is another process's
//! by now.

mod calls;
mod demand;
mod launches;
mod notices;
mod requests;

use crate::control::Control;
use crate::errands::Errands;
use crate::journal::Journal;
use crate::last_words;
use crate::launcher::Launcher;
use crate::names::Lookup;
use crate::notifications::Notifications;
use crate::pidfile::Pidfile;
use crate::sockets::Sockets;
use crate::terminal::Terminal;
use crate::termination::{Failures, PLACE};
use circus::config::settings::LogLevel;
use circus::moment::Moment;
use circus::process::{Ending, Pid, Tag};
use circus::signal::Signal;
use circus::supervisor::{Action, Event, Report, Supervisor};
use circus::sys::cgroup::OomCounter;
use circus::sys::poll::{Interest, PollSet};
use circus::sys::signals::{self, Received, SignalFd};
use circus::sys::wait::{Waited, wait_any, wait_any_after};
use circus::sys::{clock, identity, procfs};
use launches::OnTheWay;
use nix::errno::Errno;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, AsRawFd};

/// So many are reaped before signals are looked at again.
const REAPED_AT_ONCE_MAX: usize = 256;

/// Everything that acts.
#[derive(Debug)]
pub struct Shell {
    supervisor: Supervisor,
    journal: Journal,
    signals: SignalFd,
    launcher: Launcher,
    terminal: Terminal,
    pidfile: Option<Pidfile>,
    /// Where clients connect, once they can.
    control: Option<Control>,
    /// Our own process id.
    us: u32,
    launches: Vec<OnTheWay>,
    sockets: Sockets,
    notifications: Notifications,
    errands: Errands,
    failures: Failures,
    /// Whom to tell when all is ready.
    above: Option<Box<[u8]>>,
    oom: Option<OomCounter>,
    /// The counter has risen since the last wait: it may have been for several at once.
    memory_short: bool,
    /// Tags of adopted processes, as reading one costs a file.
    tags: BTreeMap<Pid, Option<Tag>>,
    events: VecDeque<Event>,
    /// Children may have ended since the last look.
    look_for_ended: bool,
    survey_asked: bool,
    /// There is a /proc, and its numbers are ours.
    has_proc: bool,
    exit: Option<u8>,
}

impl Shell {
    pub fn new(
        supervisor: Supervisor,
        journal: Journal,
        signals: SignalFd,
        launcher: Launcher,
        terminal: Terminal,
        pidfile: Option<Pidfile>,
        has_proc: bool,
    ) -> Shell {
        Shell {
            supervisor,
            journal,
            signals,
            launcher,
            terminal,
            pidfile,
            control: None,
            us: identity::pid().number() as u32,
            launches: Vec::new(),
            sockets: Sockets::default(),
            notifications: Notifications::default(),
            errands: Errands::default(),
            failures: Failures::default(),
            above: None,
            oom: None,
            memory_short: false,
            tags: BTreeMap::new(),
            events: VecDeque::new(),
            // Some may be there from before we became what we are.
            look_for_ended: true,
            survey_asked: false,
            has_proc,
            exit: None,
        }
    }

    /// Run until all is done. Returns the exit code. When the first processes are on their way
    /// `surprises` are told and `open` lets clients connect, unless they can already.
    pub fn run(
        &mut self,
        surprises: &[String],
        open: impl FnOnce(&mut Journal) -> Option<Control>,
    ) -> u8 {
        self.deliver(Event::Begin);
        for text in surprises {
            self.journal.say(LogLevel::Warning, text);
        }
        if self.control.is_none() {
            self.control = open(&mut self.journal);
        }
        // Not needed before the first process runs.
        self.oom = OomCounter::find();
        identity::trim_memory();
        let mut set = PollSet::default();
        loop {
            self.look_at_children();
            if let Some(code) = self.exit {
                self.close_control();
                self.failures.leave(PLACE.as_ref(), code);
                self.terminal.close();
                self.pidfile = None;
                // The files of unix sockets go with them.
                self.sockets = Sockets::default();
                self.journal.close();
                return code;
            }
            self.wait(&mut set);
        }
    }

    /// Wait for something to happen, and deliver it.
    fn wait(&mut self, set: &mut PollSet) {
        self.flush();
        self.memory_short = false;
        let only_signals = self.launches.is_empty()
            && self.errands.is_idle()
            && !self.journal.is_waiting()
            && self.control.is_none()
            && self.notifications.is_idle()
            && !self.is_awaiting_somebody();
        if only_signals {
            self.wait_for_signal();
        } else {
            self.wait_for_any(set);
        }
        if self.supervisor.next_deadline().is_some_and(|at| at <= clock::now()) {
            self.deliver(Event::Tick);
        }
    }

    /// When there is nothing else to wait for: one system call in place of two.
    fn wait_for_signal(&mut self) {
        if let Some(received) = signals::wait(self.wake_at()) {
            self.signalled(received);
        }
    }

    fn wake_at(&self) -> Option<Moment> {
        if self.look_for_ended {
            return Some(clock::now());
        }
        let control = self.control.as_ref().and_then(|control| control.gateway.deadline());
        let notifications = self.notifications.deadline();
        [self.supervisor.next_deadline(), control, notifications].into_iter().flatten().min()
    }

    fn wait_for_any(&mut self, set: &mut PollSet) {
        set.clear();
        set.add(self.signals.as_fd(), Interest::Read);
        for on_the_way in self.launches.iter().filter(|way| way.failure.is_none()) {
            set.add(on_the_way.launch.as_fd(), Interest::Read);
        }
        self.errands.poll(set);
        self.notifications.poll(set);
        self.poll_demand(set);
        self.journal.poll(set);
        if let Some(control) = &self.control {
            control.gateway.poll(set);
        }
        set.wait(self.wake_at());
        self.look_at_launches(set);
        self.errands.look(set);
        self.look_at_notifications(set);
        self.look_at_demand(set);
        if set.is_ready(self.signals.as_fd().as_raw_fd()) {
            let mut all = Vec::new();
            self.signals.read(|received| all.push(received));
            all.into_iter().for_each(|received| self.signalled(received));
        }
        self.look_at_gateway(set);
    }

    fn signalled(&mut self, Received { signal, sender }: Received) {
        last_words::fail_if_asked(signal);
        let is_ours = sender == self.us;
        match signal {
            Signal::CHLD => self.look_for_ended = true,
            // It only repeats what write has told.
            Signal::PIPE if is_ours => {}
            _ => self.deliver(Event::Signalled { signal }),
        }
    }

    /// Reap what has ended, and survey what is left if the core has asked.
    fn look_at_children(&mut self) {
        if !self.look_for_ended && !self.survey_asked {
            return;
        }
        for _ in 0..REAPED_AT_ONCE_MAX {
            if self.exit.is_some() {
                return;
            }
            let errands = &self.errands;
            let waited = match errands.is_idle() {
                true => wait_any(),
                false => wait_any_after(|pid| errands.sweep(pid)),
            };
            match waited {
                Waited::Ended(pid, ending) => self.reaped(pid, ending),
                Waited::Stopped(pid) => {
                    self.deliver(Event::Suspended { pid });
                    if self.supervisor.is_main_pid(pid) {
                        self.terminal.suspended(pid);
                    }
                }
                nothing @ (Waited::Nothing | Waited::NoChild) => {
                    self.look_for_ended = false;
                    if !self.survey_asked {
                        return;
                    }
                    self.survey_asked = false;
                    let adopted = match nothing {
                        Waited::NoChild => Vec::new(),
                        _ => self.adopted(),
                    };
                    self.deliver(Event::Survey { adopted });
                }
            }
        }
        self.look_for_ended = true;
    }

    fn reaped(&mut self, pid: Pid, ending: Ending) {
        self.tags.remove(&pid);
        self.notifications.reaped(pid);
        if let Some(control) = &mut self.control
            && control.gateway.is(pid)
        {
            control.forget_clients();
            control.gateway.ended(ending, clock::now());
            return;
        }
        if self.errands.is(pid) {
            if let Some(event) = self.errands.ended(pid, ending) {
                self.deliver(event);
            }
            return;
        }
        let ending = self.refine(pid, ending);
        if self.is_succeeded(pid) {
            return;
        }
        // Looked at for every process of ours, so that a rise is told of the one that ended then.
        // A shell exits with 137 when what it ran was killed.
        if self.supervisor.is_leader(pid) && ending != Ending::Exited(0) {
            self.memory_short |= self.oom.as_mut().is_some_and(OomCounter::has_risen);
        }
        let may_be = [Ending::Killed(Signal::KILL), Ending::Exited(137)].contains(&ending);
        let memory_short = self.memory_short && may_be;
        self.sockets.release(pid);
        self.deliver(Event::Ended { pid, ending, memory_short });
    }

    /// The children that the core has not started, with their tags.
    fn adopted(&mut self) -> Vec<(Pid, Option<Tag>)> {
        let children = match self.has_proc {
            true => procfs::children().unwrap_or_default(),
            false => Vec::new(),
        };
        let (supervisor, control, errands) = (&self.supervisor, &self.control, &self.errands);
        let is_gateway = |pid| control.as_ref().is_some_and(|control| control.gateway.is(pid));
        let tags = &mut self.tags;
        children
            .into_iter()
            .filter(|pid| !supervisor.is_leader(*pid) && !is_gateway(*pid) && !errands.is(*pid))
            .map(|pid| (pid, *tags.entry(pid).or_insert_with(|| procfs::tag(pid))))
            .collect()
    }

    /// One event, then all its actions, then the next.
    fn deliver(&mut self, event: Event) {
        self.events.push_back(event);
        let mut actions = Vec::new();
        while let Some(event) = self.events.pop_front() {
            last_words::remember(&event);
            self.supervisor.handle(event, clock::now(), &mut actions);
            for action in actions.drain(..) {
                self.perform(action);
            }
        }
        self.sockets.prune(&self.supervisor);
        self.tell_above();
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn { slot, tag } => {
                let event = match self.spawn(slot, tag) {
                    Ok(pid) => Event::Spawned { slot, pid, tag },
                    Err(errno) => Event::SpawnFailed { slot, errno },
                };
                self.events.push_back(event);
            }
            Action::Signal { pid, signal } => {
                let way = self.launches.iter_mut().find(|way| way.launch.pid() == pid);
                match way {
                    Some(way) if signal != Signal::KILL => way.held.push(signal),
                    Some(_) | None => self.send(pid, signal),
                }
            }
            Action::SignalChildren { pid, signal } => {
                let children = match self.has_proc {
                    true => procfs::children_of(pid),
                    false => Vec::new(),
                };
                for child in children {
                    let _ = signals::send_to_child_of(pid, child, signal);
                }
            }
            Action::SignalChild { pid, child, signal } => {
                let _ = signals::send_to_child_of(pid, child, signal);
            }
            Action::SignalDescendants { pid, signal } => self.signal_descendants(pid, signal),
            Action::Publish { watcher, publication, at } => {
                if let Some(control) = &mut self.control {
                    let name = &self.supervisor.settings(watcher).name;
                    control.publish(name, &publication, at, clock::now());
                }
            }
            Action::Answer { ticket, answer } => {
                if let Some(control) = &mut self.control {
                    control.answer(ticket, &answer, clock::now());
                }
            }
            Action::Extras { ticket, said } => {
                if let Some(control) = &mut self.control {
                    control.extend(ticket, &said, clock::now());
                }
            }
            Action::Survey => self.survey_asked = true,
            Action::Probe { slot, pid, errand, question } => {
                self.probe(slot, pid, errand, question);
            }
            Action::Hook { watcher, slot, errand, name, facts } => {
                self.hook(watcher, slot, errand, name, facts);
            }
            Action::Abandon { errand } => self.errands.abandon(errand),
            Action::Attend { watcher } => self.attend(watcher),
            Action::LookForConnections { watcher } => self.look_for_connections(watcher),
            Action::Report(report) => self.report(&report),
            Action::Exit { code } => self.exit = Some(code),
        }
    }

    fn report(&mut self, report: &Report) {
        let names =
            Lookup { supervisor: &self.supervisor, environment: &self.launcher.environment };
        self.journal.report(report, &names);
        self.failures.note(report, &names);
        if let Some(control) = &mut self.control {
            control.report(report, &names, clock::now());
        }
    }

    fn send(&mut self, pid: Pid, signal: Signal) {
        // One that has ended and is not reaped takes any signal; so only this can go wrong.
        if signals::send(pid, signal) == Err(Errno::EPERM) {
            let text = format!(
                "{signal} cannot be sent to pid {pid}: it is another user's, and we lack the \
                 capability KILL"
            );
            self.journal.say(LogLevel::Error, &text);
        }
    }

    /// These are bound.
    pub fn set_sockets(&mut self, sockets: Sockets) {
        self.sockets = sockets;
    }

    /// Clients can connect from the beginning.
    pub fn set_control(&mut self, control: Control) {
        self.control = Some(control);
    }

    fn flush(&mut self) {
        if let Some(control) = &mut self.control {
            control.gateway.flush(clock::now());
            for (level, text) in control.gateway.take_notes() {
                self.journal.say(level, &text);
            }
        }
        self.journal.flush();
    }

    fn signal_descendants(&mut self, pid: Pid, signal: Signal) {
        if !self.has_proc {
            return;
        }
        // A child's number may be another process's by now; then its parent is a stranger. The deepest
        // come first: one whose parent the signal has ended would have another parent too.
        for (parent, child) in procfs::descendants(pid).into_iter().rev() {
            let _ = signals::send_to_child_of(parent, child, signal);
        }
    }
}
