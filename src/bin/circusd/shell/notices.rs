//! What is learned of processes: what they tell about themselves (sd_notify), and what we tell about
//! us.

use super::Shell;
use crate::notifications::Successor;
use circus::config::settings::LogLevel;
use circus::notification::Notification;
use circus::process::{Pid, Tag};
use circus::supervisor::{Event, SlotId};
use circus::sys::notify::{self, Received, Sender};
use circus::sys::poll::PollSet;
use circus::sys::{clock, procfs};

/// So many messages are read before other things are looked at.
const NOTIFICATIONS_AT_ONCE_MAX: usize = 64;

/// No process is further away from ours than this.
const GENERATIONS_MAX: usize = 64;

const ROOT: u32 = 0;

/// The process that a socket was made for.
#[derive(Debug, Clone, Copy)]
struct Owner {
    slot: SlotId,
    /// Its number, unless it was reaped and that may be another one's.
    pid: Option<Pid>,
    tag: Tag,
}

impl Shell {
    /// What processes tell about themselves: one message of each, as long as there are any.
    pub(super) fn look_at_notifications(&mut self, set: &PollSet) {
        if self.notifications.is_idle() {
            return;
        }
        let mut queue = self.notifications.ready(set);
        for _ in 0..NOTIFICATIONS_AT_ONCE_MAX {
            let Some(slot) = queue.pop_front() else { break };
            match (self.notifications.receive(slot), self.supervisor.leader_of(slot)) {
                (Received::Nothing, _) | (_, None) => {}
                (received, Some((pid, tag))) => {
                    let owner = Owner { slot, pid: Some(pid), tag };
                    if let Some(said) = self.admit(owner, received) {
                        self.deliver(Event::Notified { pid, said });
                    }
                    if !self.notifications.rests(slot) {
                        queue.push_back(slot);
                    }
                }
            }
        }
        self.notifications.go_on_with(queue.front().copied());
        self.notifications.wake(clock::now());
    }

    /// A process of ours was reaped: whether another one goes on in its place. If not, whoever still
    /// sends for it meets nobody.
    pub(super) fn is_succeeded(&mut self, pid: Pid) -> bool {
        let Some(slot) = self.supervisor.slot_of(pid) else { return false };
        let late = self.last_messages(pid);
        let Some(by) = self.successor_of(pid) else {
            self.notifications.close(slot);
            return false;
        };
        self.notifications.set_successor(slot, None);
        self.sockets.hand_over(pid, by);
        self.streams.hand_over(pid, by);
        self.deliver(Event::Succeeded { pid, by });
        late.into_iter().for_each(|said| self.deliver(Event::Notified { pid: by, said }));
        true
    }

    /// A process of ours was reaped: what had been said before that and not been read. Nothing of it
    /// may be delivered as its own, as a signal could follow.
    fn last_messages(&mut self, pid: Pid) -> Vec<Notification> {
        let mut all = Vec::new();
        let Some(slot) = self.supervisor.slot_of(pid) else { return all };
        let Some((_, tag)) = self.supervisor.leader_of(slot) else { return all };
        let owner = Owner { slot, pid: None, tag };
        for _ in 0..NOTIFICATIONS_AT_ONCE_MAX {
            match self.notifications.receive(slot) {
                Received::Nothing => break,
                received => all.extend(self.admit(owner, received)),
            }
        }
        all
    }

    /// The process that goes on now that this one was reaped.
    fn successor_of(&self, pid: Pid) -> Option<Pid> {
        let slot = self.supervisor.slot_of(pid)?;
        let Successor { pid: by, made_at } = self.notifications.successor(slot)?;
        let is_the_same = self.is_child(by) && procfs::made_at(by) == Some(made_at);
        let may = self.supervisor.may_be_succeeded(pid) && !self.is_known(by);
        (is_the_same && may).then_some(by)
    }

    /// What a message says, if whoever has sent it may.
    fn admit(&mut self, owner: Owner, received: Received) -> Option<Notification> {
        let slot = owner.slot;
        let (sender, bytes) = match received {
            Received::Nothing => return None,
            Received::Useless => {
                self.refuse(slot, "it is too long, or from outside of our pid namespace");
                return None;
            }
            Received::Message(sender, bytes) => (sender, bytes),
        };
        if let Err(why) = self.may_speak(owner, sender) {
            let Sender { pid, uid } = sender;
            self.refuse(slot, &format!("pid {pid} of user {uid} {why}"));
            return None;
        }
        self.notifications.taken(slot);
        let said = Notification::parse(&bytes);
        match said.main_pid {
            Some(main) if Some(main) == owner.pid => self.notifications.set_successor(slot, None),
            Some(main) => {
                if let Some(successor) = self.successor_named(owner, main) {
                    self.notifications.set_successor(slot, Some(successor));
                }
            }
            None => {}
        }
        Some(said)
    }

    fn refuse(&mut self, slot: SlotId, why: &str) {
        if self.notifications.refused(slot, clock::now()) {
            let name = &self.supervisor.settings(slot.watcher).name;
            let text = format!(
                "{name}: a message to its NOTIFY_SOCKET was refused: {why} (told once for each watcher)"
            );
            self.journal.say(LogLevel::Warning, &text);
        }
    }

    /// The user first: that costs nothing. Who is gone by now cannot be asked for its parents, and
    /// many a sender does nothing but send; then its user and the socket have to do.
    fn may_speak(&self, owner: Owner, sender: Sender) -> Result<(), &'static str> {
        if !self.is_its_user(owner, sender.uid) {
            return Err("is another user's process");
        }
        if !self.has_proc || self.descends(sender.pid, owner) {
            return Ok(());
        }
        match procfs::tag(sender.pid) {
            Some(tag) if tag.descends_from(owner.tag) => Ok(()),
            _ if procfs::parent(sender.pid).is_none() => Ok(()),
            _ => Err("is neither its process nor a descendant of it"),
        }
    }

    /// Root, the user that its process was made as, or the one that it has become.
    fn is_its_user(&self, owner: Owner, uid: u32) -> bool {
        let has_become = || owner.pid.filter(|_| self.has_proc).and_then(procfs::real_uid);
        uid == ROOT || self.notifications.uid(owner.slot) == Some(uid) || has_become() == Some(uid)
    }

    /// Only somebody of its own can take its place, and nobody who has one already.
    fn successor_named(&self, owner: Owner, pid: Pid) -> Option<Successor> {
        if !self.has_proc || self.is_known(pid) || procfs::is_thread(pid) {
            return None;
        }
        // Before anything else: what is found then is true of this process, or it is not the same.
        let made_at = procfs::made_at(pid)?;
        let has_tag = || procfs::tag(pid).is_some_and(|tag| tag.descends_from(owner.tag));
        let has_user = || procfs::real_uid(pid).is_some_and(|uid| self.is_its_user(owner, uid));
        let is_of_it = self.descends(pid, owner) || has_tag() && has_user();
        is_of_it.then_some(Successor { pid, made_at })
    }

    /// It is its process, or its parent is, or the parent of that…
    fn descends(&self, pid: Pid, owner: Owner) -> bool {
        let Some(leader) = owner.pid else { return false };
        let line = std::iter::successors(Some(pid), |pid| procfs::parent(*pid));
        line.take(GENERATIONS_MAX).any(|pid| pid == leader)
    }

    /// We, a process of a slot, or a companion of ours.
    fn is_known(&self, pid: Pid) -> bool {
        let is_gateway = self.control.as_ref().is_some_and(|control| control.gateway.is(pid));
        let is_us = pid.number() as u32 == self.us;
        is_us || is_gateway || self.errands.is(pid) || self.supervisor.is_leader(pid)
    }

    /// It is a child of ours, which ends only when we say so.
    fn is_child(&self, pid: Pid) -> bool {
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
