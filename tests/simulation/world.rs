//! A make-believe kernel: processes that live, fork, ignore signals and die, on a clock that we
//! turn. It also watches: whatever the core does that must never be done is a panic here.

use crate::dice::Dice;
use circus::moment::Moment;
use circus::notification::Notification;
use circus::process::{Ending, Failure, Pid, Step, Tag};
use circus::signal::Signal;
use circus::supervisor::{Action, Errand, Event, HookAnswer, Report, SlotId, Ticket};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a process is like.
#[derive(Debug, Clone)]
struct Process {
    tag: Option<Tag>,
    /// `None`: us. Another process, or us if that one is gone.
    parent: Option<Pid>,
    /// Set when it was started by the core.
    slot: Option<SlotId>,
    life: Life,
    /// How long it takes to act on a signal that ends it; `None` ignores all that can be ignored.
    obeys_after_ms: Option<u64>,
    executes: Option<Result<(), Failure>>,
    suspended: bool,
    /// It has not become its program, and does not until we are healed.
    hangs: bool,
    pending: Option<Signal>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Life {
    Alive { dies_at: Option<(Moment, Ending)> },
    Zombie(Ending),
}

/// Faults and misfortune, in percent.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    pub fork_fails: u64,
    pub exec_fails: u64,
    pub crashes: u64,
    pub ignores: u64,
    pub forks: u64,
    pub hangs: u64,
    /// Probes that fail, processes that do not say that they are ready.
    pub probes: u64,
}

pub struct World {
    pub now: Moment,
    pub dice: Dice,
    pub trouble: Trouble,
    /// There are people who come to sockets.
    is_busy: bool,
    processes: BTreeMap<Pid, Process>,
    /// What the core may still name: started or surveyed, and not told that it ended.
    known: BTreeSet<Pid>,
    /// Answers to spawns, in order; a source of its own, so others overtake it.
    answers: VecDeque<Event>,
    executed: VecDeque<Pid>,
    /// Probes that are out, and when they come back.
    probes: BTreeMap<Errand, Option<Moment>>,
    /// Those of them that are hooks.
    hooks: BTreeSet<Errand>,
    /// Those of them that were abandoned.
    leaving: BTreeSet<Errand>,
    /// Who says when that it is ready.
    notices: BTreeMap<Pid, Moment>,
    signals: VecDeque<Signal>,
    suspended: VecDeque<Pid>,
    survey_asked: bool,
    /// Watchers to one of whose sockets somebody comes, and when.
    visits: BTreeMap<u32, Moment>,
    /// Watchers for which is to be looked who is connected.
    looks: VecDeque<u32>,
    pub exit: Option<u8>,
    pub reports: Vec<Report>,
    pub answered: Vec<Ticket>,
    kill_tree: Vec<bool>,
    /// Tags of the processes that each slot had.
    former: BTreeMap<SlotId, BTreeSet<Tag>>,
}

impl World {
    pub fn new(seed: u64, trouble: Trouble, kill_tree: Vec<bool>) -> World {
        World {
            now: Moment::from_ms(1_000_000),
            dice: Dice::new(seed),
            trouble,
            is_busy: true,
            processes: BTreeMap::new(),
            known: BTreeSet::new(),
            answers: VecDeque::new(),
            executed: VecDeque::new(),
            probes: BTreeMap::new(),
            hooks: BTreeSet::new(),
            leaving: BTreeSet::new(),
            notices: BTreeMap::new(),
            signals: VecDeque::new(),
            suspended: VecDeque::new(),
            survey_asked: false,
            visits: BTreeMap::new(),
            looks: VecDeque::new(),
            exit: None,
            reports: Vec::new(),
            answered: Vec::new(),
            kill_tree,
            former: BTreeMap::new(),
        }
    }

    /// One more, with the next number.
    pub fn add_watcher(&mut self, kill_tree: bool) {
        self.kill_tree.push(kill_tree);
    }

    /// The core has let go of the processes of a watcher that are not its own any more.
    pub fn let_go(&mut self, watcher: u32, is_leader: impl Fn(Pid) -> bool) {
        for (pid, process) in &mut self.processes {
            if process.slot.is_some_and(|slot| slot.watcher == watcher) && !is_leader(*pid) {
                process.slot = None;
            }
        }
    }

    pub fn send_to_circusd(&mut self, signal: Signal) {
        self.signals.push_back(signal);
    }

    /// Live processes started by the core for this watcher.
    pub fn leaders(&self, watcher: u32) -> usize {
        self.leaders_of(watcher).len()
    }

    /// Live processes started by the core for this watcher.
    pub fn leaders_of(&self, watcher: u32) -> Vec<Pid> {
        let all = self.processes.iter();
        let ours = all.filter(|(_, p)| {
            p.slot.is_some_and(|slot| slot.watcher == watcher)
                && matches!(p.life, Life::Alive { .. })
        });
        ours.map(|(pid, _)| *pid).collect()
    }

    /// Whose process it is.
    pub fn watcher_of(&self, pid: Pid) -> Option<u32> {
        Some(self.processes.get(&pid)?.slot?.watcher)
    }

    pub fn alive(&self) -> usize {
        self.processes.values().filter(|p| matches!(p.life, Life::Alive { .. })).count()
    }

    /// Children of ours that ended and are not reaped; what others do not reap is not ours.
    pub fn zombies(&self) -> usize {
        let ours = |p: &&Process| p.parent.is_none() && matches!(p.life, Life::Zombie(_));
        self.processes.values().filter(ours).count()
    }

    /// Processes get well, and nobody comes any more: they live until they are asked to end, and then obey.
    pub fn heal(&mut self) {
        self.is_busy = false;
        self.visits.clear();
        self.trouble = Trouble {
            hangs: 0,
            fork_fails: 0,
            exec_fails: 0,
            crashes: 0,
            ignores: 0,
            forks: 0,
            probes: 0,
        };
        for pid in self.known.clone() {
            self.notices.entry(pid).or_insert(self.now);
        }
        let hanging: Vec<Pid> =
            self.processes.iter().filter(|(_, p)| p.hangs).map(|(pid, _)| *pid).collect();
        for pid in hanging {
            let process = self.processes.get_mut(&pid).expect("listed");
            process.hangs = false;
            let pending = process.pending.take();
            if matches!(process.life, Life::Alive { .. }) {
                self.executed.push_back(pid);
            }
            if let Some(signal) = pending {
                self.hit(pid, signal);
            }
        }
        for process in self.processes.values_mut() {
            process.obeys_after_ms.get_or_insert(5);
        }
        let suspended: Vec<Pid> =
            self.processes.iter().filter(|(_, p)| p.suspended).map(|(pid, _)| *pid).collect();
        suspended.into_iter().for_each(|pid| self.hit(pid, Signal::CONT));
    }

    /// Somebody kills any process with SIGKILL.
    pub fn kill_any(&mut self) {
        let pids: Vec<Pid> = self.processes.keys().copied().collect();
        if !pids.is_empty() {
            let pid = self.dice.pick(&pids);
            self.hit(pid, Signal::KILL);
        }
    }

    /// Somebody suspends any process: until it is continued, only SIGKILL reaches it.
    pub fn suspend_any(&mut self) {
        let pids: Vec<Pid> = self.known.iter().copied().collect();
        if !pids.is_empty() {
            let pid = self.dice.pick(&pids);
            if let Some(process) = self.processes.get_mut(&pid)
                && matches!(process.life, Life::Alive { dies_at: None })
                && process.parent.is_none()
            {
                process.suspended = true;
                self.suspended.push_back(pid);
            }
        }
    }

    /// The next thing to tell the core, from any source; `None` if nothing has happened.
    pub fn next_event(&mut self) -> Option<Event> {
        let zombie = self.zombie();
        let mut sources = Vec::new();
        if !self.answers.is_empty() {
            sources.push(0);
        }
        if self.executed.front().is_some_and(|pid| self.known.contains(pid)) {
            sources.push(1);
        }
        if !self.signals.is_empty() {
            sources.push(2);
        }
        if zombie.is_some() {
            sources.push(3);
        }
        if self.survey_asked && zombie.is_none() {
            sources.push(4);
        }
        if !self.suspended.is_empty() {
            sources.push(5);
        }
        let errand = self.probes.iter().find(|(_, at)| at.is_some_and(|at| at <= self.now));
        let errand = errand.map(|(errand, _)| *errand);
        if errand.is_some() {
            sources.push(6);
        }
        let notice =
            self.notices.iter().find(|(pid, at)| **at <= self.now && self.known.contains(pid));
        let notice = notice.map(|(pid, _)| *pid);
        if notice.is_some() {
            sources.push(7);
        }
        let visit = self.visits.iter().find(|(_, at)| **at <= self.now).map(|(w, _)| *w);
        if visit.is_some() {
            sources.push(8);
        }
        if !self.looks.is_empty() {
            sources.push(9);
        }
        if sources.is_empty() {
            return None;
        }
        match self.dice.pick(&sources) {
            0 => {
                let answer = self.answers.pop_front();
                if let Some(Event::Spawned { pid, .. }) = answer {
                    self.known.insert(pid);
                }
                answer
            }
            1 => {
                let pid = self.executed.pop_front()?;
                if !self.dice.percent(self.trouble.probes / 2) {
                    let delay_ms = self.dice.pick(&[0, 5, 300, 1500]);
                    self.notices.insert(pid, self.now.after_ms(delay_ms));
                }
                Some(Event::Executed { pid })
            }
            6 => {
                let errand = errand?;
                self.probes.remove(&errand);
                if self.leaving.remove(&errand) {
                    return Some(Event::Gone { errand });
                }
                if self.hooks.remove(&errand) {
                    let answer = match self.dice.percent(self.trouble.probes) {
                        true if self.dice.percent(50) => HookAnswer::No("no".into()),
                        true => HookAnswer::Failed("boom".into()),
                        false => HookAnswer::Yes,
                    };
                    return Some(Event::HookReturned { errand, answer });
                }
                let fails = self.dice.percent(self.trouble.probes);
                if fails && self.dice.percent(30) {
                    return Some(Event::Unsent { errand, reason: "no room".into() });
                }
                let outcome = if fails { Err("no".into()) } else { Ok(()) };
                Some(Event::Returned { errand, outcome })
            }
            7 => {
                let pid = notice?;
                self.notices.remove(&pid);
                Some(Event::Notified { pid, said: Notification::parse(b"READY=1\nWATCHDOG=1") })
            }
            2 => self.signals.pop_front().map(|signal| Event::Signalled { signal }),
            3 => zombie.map(|pid| self.reap(pid)),
            5 => self.suspended.pop_front().map(|pid| Event::Suspended { pid }),
            8 => {
                let watcher = visit?;
                self.visits.remove(&watcher);
                Some(Event::Connected { watcher })
            }
            9 => {
                let watcher = self.looks.pop_front()?;
                let found = self.is_busy && self.dice.percent(50);
                Some(Event::LookedForConnections { watcher, found })
            }
            _ => Some(self.answer_survey()),
        }
    }

    /// A zombie child of ours whose existence the core has been told of.
    fn zombie(&mut self) -> Option<Pid> {
        let untold: BTreeSet<Pid> = self
            .answers
            .iter()
            .filter_map(|event| match event {
                Event::Spawned { pid, .. } => Some(*pid),
                _ => None,
            })
            .collect();
        let zombies: Vec<Pid> = self
            .processes
            .iter()
            .filter(|(pid, p)| {
                p.parent.is_none() && matches!(p.life, Life::Zombie(_)) && !untold.contains(pid)
            })
            .map(|(pid, _)| *pid)
            .collect();
        if zombies.is_empty() { None } else { Some(self.dice.pick(&zombies)) }
    }

    fn reap(&mut self, pid: Pid) -> Event {
        let process = self.processes.remove(&pid).expect("a zombie");
        let Life::Zombie(mut ending) = process.life else { unreachable!("chosen as a zombie") };
        self.known.remove(&pid);
        self.notices.remove(&pid);
        self.suspended.retain(|other| *other != pid);
        self.executed.retain(|other| *other != pid);
        if let Some(Err(failure)) = process.executes {
            ending = Ending::NotExecuted(failure);
        }
        Event::Ended { pid, ending, memory_short: self.dice.percent(5), said: None }
    }

    fn answer_survey(&mut self) -> Event {
        self.survey_asked = false;
        let mut adopted = Vec::new();
        for (pid, process) in &self.processes {
            if process.parent.is_none() && process.slot.is_none() {
                adopted.push((*pid, process.tag));
                self.known.insert(*pid);
            }
        }
        Event::Survey { adopted }
    }

    /// When something happens by itself next.
    pub fn next_change(&self) -> Option<Moment> {
        let deaths = self.processes.values().filter_map(|p| match p.life {
            Life::Alive { dies_at: Some((at, _)) } => Some(at),
            Life::Alive { dies_at: None } | Life::Zombie(_) => None,
        });
        let probes = self.probes.values().filter_map(|at| *at);
        let said = self.notices.values().chain(self.visits.values()).copied();
        deaths.chain(probes).chain(said).min()
    }

    /// Turn the clock.
    pub fn turn_to(&mut self, to: Moment) {
        self.now = self.now.max(to);
        let now = self.now;
        let due: Vec<(Pid, Ending)> = self
            .processes
            .iter()
            .filter_map(|(pid, p)| match p.life {
                Life::Alive { dies_at: Some((at, ending)) } if at <= now => Some((*pid, ending)),
                Life::Alive { .. } | Life::Zombie(_) => None,
            })
            .collect();
        for (pid, ending) in due {
            self.die(pid, ending);
        }
    }

    fn die(&mut self, pid: Pid, ending: Ending) {
        // Its children are ours now; the dead among those of others were never ours to see.
        let orphans: Vec<Pid> = self
            .processes
            .iter()
            .filter(|(_, p)| p.parent == Some(pid))
            .map(|(pid, _)| *pid)
            .collect();
        for orphan in orphans {
            self.processes.get_mut(&orphan).expect("listed").parent = None;
        }
        let process = self.processes.get_mut(&pid).expect("it lives");
        process.life = Life::Zombie(ending);
    }

    fn hit(&mut self, pid: Pid, signal: Signal) {
        let now = self.now;
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Life::Alive { dies_at } = &mut process.life else { return };
        if process.hangs && signal != Signal::KILL {
            process.pending = Some(signal);
            return;
        }
        if process.suspended && !matches!(signal, Signal::KILL | Signal::CONT) {
            process.pending = Some(signal);
            return;
        }
        if signal == Signal::CONT && process.suspended {
            process.suspended = false;
            if let Some(signal) = process.pending.take() {
                self.hit(pid, signal);
            }
            return;
        }
        let harmless = matches!(signal, Signal::CONT | Signal::WINCH | Signal::CHLD);
        if harmless || signal == Signal::HUP && process.obeys_after_ms.is_none() {
            return;
        }
        if signal == Signal::KILL {
            self.die(pid, Ending::Killed(signal));
        } else if let Some(delay_ms) = process.obeys_after_ms {
            let at = now.after_ms(delay_ms);
            if dies_at.is_none_or(|(old, _)| at < old) {
                *dies_at = Some((at, Ending::Killed(signal)));
            }
        }
    }

    /// Do what the core wants, and see that it may be wanted.
    pub fn perform(&mut self, action: Action) {
        assert!(self.exit.is_none(), "nothing is done after the exit: {action:?}");
        match action {
            Action::Spawn { slot, tag } => self.spawn(slot, tag),
            Action::Signal { pid, signal } => {
                assert!(self.known.contains(&pid), "{signal} to {pid}, which may be another's now");
                self.hit(pid, signal);
            }
            Action::SignalChildren { pid, signal } => {
                assert!(self.known.contains(&pid), "children of {pid}, which is gone");
                let children: Vec<Pid> = self
                    .processes
                    .iter()
                    .filter(|(_, p)| p.parent == Some(pid))
                    .map(|(pid, _)| *pid)
                    .collect();
                children.into_iter().for_each(|child| self.hit(child, signal));
            }
            Action::Probe { errand, .. } => {
                let under_way = self.probes.len() - self.hooks.len();
                assert!(under_way < 16, "not so many at once");
                // Some never come back.
                let hangs = self.dice.percent(self.trouble.probes / 2);
                let delay_ms = self.dice.pick(&[0, 1, 20, 400, 2000]);
                let at = (!hangs).then(|| self.now.after_ms(delay_ms));
                assert!(self.probes.insert(errand, at).is_none(), "an errand has one name");
            }
            Action::Hook { errand, .. } => {
                let hangs = self.dice.percent(self.trouble.probes / 2);
                let delay_ms = self.dice.pick(&[0, 1, 20, 400, 2000]);
                let at = (!hangs).then(|| self.now.after_ms(delay_ms));
                assert!(self.hooks.insert(errand), "a call has one name");
                assert!(self.probes.insert(errand, at).is_none(), "an errand has one name");
            }
            Action::Abandon { errand } => {
                assert!(self.probes.remove(&errand).is_some(), "{errand:?} is out");
                assert!(self.leaving.insert(errand), "it is abandoned once");
                if self.hooks.remove(&errand) {
                    self.leaving.remove(&errand);
                } else {
                    let delay_ms = self.dice.pick(&[0, 1, 20, 3000]);
                    self.probes.insert(errand, Some(self.now.after_ms(delay_ms)));
                }
            }
            Action::Survey => {
                assert!(!self.survey_asked, "a survey is asked for once");
                self.survey_asked = true;
            }
            Action::SignalChild { .. } | Action::SignalDescendants { .. } => {}
            Action::Publish { .. } | Action::Extras { .. } | Action::ReopenLogs => {}
            Action::Attend { watcher } => {
                if self.is_busy && self.dice.percent(60) {
                    let delay_ms = self.dice.pick(&[0, 30, 700, 4000]);
                    self.visits.insert(watcher, self.now.after_ms(delay_ms));
                }
            }
            Action::LookForConnections { watcher } => self.looks.push_back(watcher),
            Action::Answer { ticket, .. } => self.answered.push(ticket),
            Action::Report(report) => self.reports.push(report),
            Action::Exit { code } => self.exit = Some(code),
        }
    }

    fn spawn(&mut self, slot: SlotId, tag: Tag) {
        for process in self.processes.values() {
            assert_ne!(process.slot, Some(slot), "a slot has one process at a time");
        }
        assert!(
            self.processes.values().all(|p| p.tag != Some(tag)),
            "every process has a tag of its own"
        );
        if self.kill_tree[slot.watcher as usize] {
            self.see_that_nothing_is_left(slot);
        }
        if self.dice.percent(self.trouble.fork_fails) {
            self.answers.push_back(Event::SpawnFailed { slot, errno: 11 });
            return;
        }
        let pid = self.free_pid();
        let exec_fails = self.dice.percent(self.trouble.exec_fails);
        let failure = Failure { step: Step::Execute, errno: 2 };
        let executes = if exec_fails { Err(failure) } else { Ok(()) };
        let hangs = !exec_fails && self.dice.percent(self.trouble.hangs);
        let dies_at = if hangs {
            None
        } else if exec_fails {
            Some((self.now, Ending::Exited(127)))
        } else {
            self.fate()
        };
        let obeys_after_ms = self.obedience();
        self.processes.insert(
            pid,
            Process {
                tag: Some(tag),
                parent: None,
                slot: Some(slot),
                life: Life::Alive { dies_at },
                obeys_after_ms,
                executes: Some(executes),
                suspended: false,
                hangs,
                pending: None,
            },
        );
        self.former.entry(slot).or_default().insert(tag);
        self.answers.push_back(Event::Spawned { slot, pid, tag });
        if hangs {
            // No word from it.
        } else if !exec_fails && (self.trouble.crashes == 0 || !self.dice.percent(5)) {
            self.executed.push_back(pid);
        } else if !exec_fails {
            // It dies before anybody knew that it was executed.
            self.die(pid, Ending::Killed(Signal::KILL));
        }
        while !exec_fails && !hangs && self.dice.percent(self.trouble.forks) {
            self.fork(pid);
        }
    }

    /// A descendant, which may have tried to get away; it lives on when its parent dies.
    fn fork(&mut self, parent: Pid) {
        let pid = self.free_pid();
        let tag = self.processes[&parent].tag;
        let dies_at = self.fate();
        let obeys_after_ms = self.obedience();
        let dead = matches!(self.processes[&parent].life, Life::Zombie(_));
        self.processes.insert(
            pid,
            Process {
                tag,
                parent: if dead || self.dice.percent(40) { None } else { Some(parent) },
                slot: None,
                life: Life::Alive { dies_at },
                obeys_after_ms,
                executes: None,
                suspended: false,
                hangs: false,
                pending: None,
            },
        );
    }

    /// No descendant of the slot's former processes is alive.
    fn see_that_nothing_is_left(&self, slot: SlotId) {
        let former = self.former.get(&slot);
        for (pid, process) in &self.processes {
            let alive = matches!(process.life, Life::Alive { .. });
            let is_former =
                former.is_some_and(|tags| process.tag.is_some_and(|t| tags.contains(&t)));
            assert!(!(alive && is_former), "{pid} of a former process is alive");
        }
    }

    fn fate(&mut self) -> Option<(Moment, Ending)> {
        if !self.dice.percent(self.trouble.crashes) {
            return None;
        }
        let lived = self.dice.pick(&[0, 1, 50, 900, 3000, 20_000]);
        let ending = match self.dice.upto(3) {
            0 => Ending::Exited(0),
            1 => Ending::Killed(Signal::KILL),
            _ => Ending::Exited(3),
        };
        Some((self.now.after_ms(lived), ending))
    }

    fn obedience(&mut self) -> Option<u64> {
        if self.dice.percent(self.trouble.ignores) {
            return None;
        }
        Some(self.dice.pick(&[0, 1, 20, 700]))
    }

    /// The lowest free number, so that numbers are used again as soon as possible.
    fn free_pid(&self) -> Pid {
        (2..).filter_map(Pid::new).find(|pid| !self.processes.contains_key(pid)).expect("endless")
    }
}
