//! A make-believe kernel in which everything happens at once, unless the input wants it otherwise. It
//! sees that the core asks only for what may be done.

use circus::moment::Moment;
use circus::notification::Notification;
use circus::process::{Ending, Failure, Pid, Step, Tag};
use circus::signal::Signal;
use circus::supervisor::{Action, Event, HookAnswer, SlotId, Ticket};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What new processes are like, each for so many of them.
#[derive(Debug, Default)]
pub struct Mood {
    pub fork_fails: u32,
    pub exec_fails: u32,
    /// It never becomes its program.
    pub hangs: u32,
    /// Only SIGKILL ends it.
    pub ignores: u32,
    /// It leaves another process behind.
    pub forks: u32,
}

#[derive(Debug)]
struct Process {
    /// For which slot it was made, if the core has made it.
    slot: Option<SlotId>,
    tag: Tag,
    ignores: bool,
    forks: bool,
    is_zombie: bool,
    /// Until it is continued; with what it has been sent meanwhile.
    suspended: Option<Vec<Signal>>,
}

/// All processes, and what the core has not been told yet.
pub struct Kernel {
    pub now: Moment,
    pub mood: Mood,
    pub exit: Option<u8>,
    /// Who is owed an answer.
    pub owed: BTreeSet<Ticket>,
    processes: BTreeMap<Pid, Process>,
    events: VecDeque<Event>,
    survey_asked: bool,
    last_tag: Option<Tag>,
    is_visited: bool,
    last_pid: i32,
}

impl Kernel {
    pub fn new() -> Kernel {
        Kernel {
            now: Moment::from_ms(1_000_000),
            mood: Mood::default(),
            exit: None,
            owed: BTreeSet::new(),
            processes: BTreeMap::new(),
            events: VecDeque::new(),
            survey_asked: false,
            last_tag: None,
            last_pid: 100,
            is_visited: false,
        }
    }

    /// The next thing that has happened. `is_leader`: the core knows it as a process of a slot.
    pub fn next_event(&mut self, is_leader: impl Fn(Pid) -> bool) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            if let Event::Ended { pid, .. } = event {
                self.reaped(pid);
            }
            return Some(event);
        }
        if std::mem::take(&mut self.survey_asked) {
            let adopted = self.processes.iter().filter(|(pid, _)| !is_leader(**pid));
            let adopted = adopted.map(|(pid, process)| (*pid, Some(process.tag))).collect();
            return Some(Event::Survey { adopted });
        }
        None
    }

    /// Its number is free, and what it has left behind is ours.
    fn reaped(&mut self, pid: Pid) {
        let process = self.processes.remove(&pid).expect("a process ends once");
        if process.forks {
            let orphan = self.new_pid();
            let is_zombie = false;
            let left = Process { slot: None, forks: false, is_zombie, suspended: None, ..process };
            self.processes.insert(orphan, left);
        }
    }

    /// Do what the core wants, and see that it may be wanted.
    pub fn perform(&mut self, action: &Action) {
        assert!(self.exit.is_none(), "nothing is done after the exit: {action:?}");
        match *action {
            Action::Spawn { slot, tag } => self.spawn(slot, tag),
            Action::Signal { pid, signal } => self.hit(pid, signal),
            Action::SignalChildren { pid, .. }
            | Action::SignalChild { pid, .. }
            | Action::SignalDescendants { pid, .. } => self.check_known(pid),
            Action::Survey => {
                assert!(!self.survey_asked, "a survey is asked for once");
                self.survey_asked = true;
            }
            Action::Answer { ticket, .. } => {
                assert!(self.owed.remove(&ticket), "{ticket:?} is answered once");
            }
            Action::Exit { code } => self.exit = Some(code),
            Action::Probe { errand, .. } => {
                self.events.push_back(Event::Returned { errand, outcome: Ok(()) });
            }
            Action::Hook { errand, .. } => {
                self.events.push_back(Event::HookReturned { errand, answer: HookAnswer::Yes });
            }
            Action::Abandon { errand } => {
                let is_it = |event: &Event| {
                    matches!(
                        event,
                        Event::Returned { errand: other, .. }
                            | Event::HookReturned { errand: other, .. } if *other == errand
                    )
                };
                let before = self.events.len();
                self.events.retain(|event| !is_it(event));
                assert_eq!(self.events.len() + 1, before, "{errand:?} is out");
            }
            Action::LookForConnections { watcher } => {
                let found = false;
                self.events.push_back(Event::LookedForConnections { watcher, found });
            }
            // Every other one hears of somebody.
            Action::Attend { watcher } => {
                self.is_visited = !self.is_visited;
                if self.is_visited {
                    self.events.push_back(Event::Connected { watcher });
                }
            }
            Action::Report(_)
            | Action::Publish { .. }
            | Action::Extras { .. }
            | Action::ReopenLogs => {}
        }
    }

    fn check_known(&self, pid: Pid) {
        assert!(self.processes.contains_key(&pid), "{pid} may be another's now");
    }

    fn spawn(&mut self, slot: SlotId, tag: Tag) {
        let is_taken = self.processes.values().any(|process| process.slot == Some(slot));
        assert!(!is_taken, "{slot:?} has one process at a time");
        assert!(self.last_tag.is_none_or(|last| last < tag), "every process has a tag of its own");
        self.last_tag = Some(tag);
        let mut takes = |chance: fn(&mut Mood) -> &mut u32| {
            let left = chance(&mut self.mood);
            let is_hit = *left > 0;
            *left = left.saturating_sub(1);
            is_hit
        };
        if takes(|mood| &mut mood.fork_fails) {
            self.events.push_back(Event::SpawnFailed { slot, errno: 11 });
            return;
        }
        let (exec_fails, hangs) = (takes(|mood| &mut mood.exec_fails), takes(|mood| &mut mood.hangs));
        let (ignores, forks) = (takes(|mood| &mut mood.ignores), takes(|mood| &mut mood.forks));
        let pid = self.new_pid();
        let process = Process {
            slot: Some(slot),
            tag,
            ignores,
            forks,
            is_zombie: false,
            suspended: None,
        };
        self.processes.insert(pid, process);
        self.events.push_back(Event::Spawned { slot, pid, tag });
        if exec_fails {
            let failure = Failure { step: Step::Execute, errno: 2 };
            self.end(pid, Ending::NotExecuted(failure));
        } else if !hangs {
            self.events.push_back(Event::Executed { pid });
            // Whoever is asked to say so says it at once.
            let said = Notification::parse(b"READY=1");
            self.events.push_back(Event::Notified { pid, said });
        }
    }

    fn new_pid(&mut self) -> Pid {
        self.last_pid += 1;
        Pid::new(self.last_pid).expect("positive")
    }

    fn hit(&mut self, pid: Pid, signal: Signal) {
        self.check_known(pid);
        let process = self.processes.get_mut(&pid).expect("it is known");
        let harmless = [Signal::CONT, Signal::WINCH, Signal::CHLD].contains(&signal);
        match (&mut process.suspended, signal) {
            (_, Signal::KILL) => self.end(pid, Ending::Killed(signal)),
            (_, _) if process.is_zombie => {}
            (suspended @ Some(_), Signal::CONT) => {
                let pending = suspended.take().unwrap_or_default();
                pending.into_iter().for_each(|signal| self.hit(pid, signal));
            }
            (Some(pending), _) => pending.push(signal),
            (suspended @ None, Signal::STOP) => {
                *suspended = Some(Vec::new());
                self.events.push_back(Event::Suspended { pid });
            }
            (None, _) if harmless || process.ignores => {}
            (None, _) => self.end(pid, Ending::Killed(signal)),
        }
    }

    fn end(&mut self, pid: Pid, ending: Ending) {
        let process = self.processes.get_mut(&pid).expect("it is there");
        if !std::mem::replace(&mut process.is_zombie, true) {
            self.events.push_back(Event::Ended { pid, ending, memory_short: false, said: None });
        }
    }

    /// The `n`th process ends by itself.
    pub fn end_one(&mut self, n: usize, ending: Ending) {
        let alive = self.processes.iter().filter(|(_, process)| !process.is_zombie);
        let alive: Vec<Pid> = alive.map(|(pid, _)| *pid).collect();
        if !alive.is_empty() {
            self.end(alive[n % alive.len()], ending);
        }
    }

    /// Everything goes well from now on.
    pub fn heal(&mut self) {
        self.mood = Mood::default();
        self.processes.values_mut().for_each(|process| process.ignores = false);
        let all: Vec<Pid> = self.processes.keys().copied().collect();
        all.into_iter().for_each(|pid| self.hit(pid, Signal::CONT));
    }

    pub fn count(&self) -> usize {
        self.processes.len()
    }
}
