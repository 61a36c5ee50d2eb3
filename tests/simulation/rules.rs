//! What `depends_on` promises: nobody starts before his turn, nobody is stopped before those that
//! need him, and whoever does not start can say why.

use crate::Run;
use crate::world::World;
use circus::commands::{Answer, Command, Status};
use circus::config::settings::{Gate, HookName, Readiness, WatcherSettings};
use circus::process::{Failure, Pid};
use circus::signal::Signal;
use circus::supervisor::{Action, Names, Report, SlotId};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What has become of a watcher since it last stopped.
#[derive(Debug, Default, Clone)]
struct Course {
    begun: bool,
    started: bool,
    ready: bool,
    completed: bool,
}

#[derive(Debug, Default)]
pub struct Rules {
    /// For each watcher, those that it depends on.
    needs: Vec<Vec<(u32, Gate)>>,
    readiness: Vec<Readiness>,
    courses: Vec<Course>,
    stopping: bool,
    hurried: bool,
    signalled: BTreeSet<Pid>,
    on_demand: Vec<bool>,
    /// Watchers to whose sockets somebody has come since they began to wait for that.
    come: BTreeSet<u32>,
    /// Watchers that were reloaded.
    reloaded: BTreeSet<u32>,
}

impl Rules {
    pub fn new(watchers: &[Rc<WatcherSettings>]) -> Rules {
        let number = |name: &str| watchers.iter().position(|other| *other.name == *name);
        let needs = watchers.iter().map(|watcher| {
            let all = watcher.depends_on.iter();
            all.filter_map(|it| Some((number(&it.name)? as u32, it.gate))).collect()
        });
        Rules {
            needs: needs.collect(),
            on_demand: watchers.iter().map(|watcher| crate::is_on_demand(watcher)).collect(),
            readiness: watchers.iter().map(|watcher| watcher.ready.clone()).collect(),
            courses: vec![Course::default(); watchers.len()],
            ..Rules::default()
        }
    }

    /// Before the world carries it out.
    pub fn watch(&mut self, action: &Action, world: &World) {
        match action {
            Action::Spawn { slot, .. } => self.spawned(slot.watcher),
            Action::Hook {
                watcher, name: HookName::BeforeStart | HookName::BeforeSpawn, ..
            } => {
                self.spawned(*watcher);
            }
            Action::Signal { pid, signal } => self.signals(*pid, *signal, world),
            Action::Report(report) => self.reported(report),
            _ => {}
        }
    }

    /// Somebody has come to one of its sockets.
    pub fn demanded(&mut self, w: u32) {
        self.come.insert(w);
    }

    fn spawned(&mut self, w: u32) {
        let Some(course) = self.courses.get_mut(w as usize) else { return };
        assert!(!self.on_demand[w as usize] || self.come.contains(&w), "nobody has come to w{w}");
        if std::mem::replace(&mut course.begun, true) {
            return;
        }
        for (on, gate) in &self.needs[w as usize] {
            let course = &self.courses[*on as usize];
            let is_open = match gate {
                Gate::Started => course.started || course.completed,
                Gate::Ready => course.ready || course.completed,
                Gate::Completed => course.completed,
            };
            assert!(is_open, "w{w} starts, and w{on} is not {gate:?}: {course:?}");
        }
    }

    fn signals(&mut self, pid: Pid, signal: Signal, world: &World) {
        let is_passed_on =
            [Signal::HUP, Signal::USR1, Signal::USR2, Signal::CONT].contains(&signal);
        if is_passed_on || !self.signalled.insert(pid) || !self.stopping || self.hurried {
            return;
        }
        let Some(on) = world.watcher_of(pid) else { return };
        // One of the two generations of a reload may go at any time.
        if self.reloaded.contains(&on) {
            return;
        }
        for (w, needs) in self.needs.iter().enumerate() {
            let needs_it = needs.iter().any(|(other, _)| *other == on);
            assert!(!needs_it || world.leaders(w as u32) == 0, "w{on} is stopped before w{w}");
        }
    }

    fn reported(&mut self, report: &Report) {
        match report {
            Report::Stopping { .. } => self.stopping = true,
            Report::Hurried { .. } => self.hurried = true,
            _ => {}
        }
        let Some(w) = report.watcher().filter(|w| (*w as usize) < self.courses.len()) else {
            return;
        };
        let course = &mut self.courses[w as usize];
        match report {
            Report::Reloading { .. } => {
                self.reloaded.insert(w);
            }
            Report::Started { .. } => {
                course.started = true;
                course.ready |= self.readiness[w as usize] == Readiness::Started;
            }
            Report::Ready { .. } => course.ready = true,
            // Whoever comes is served, so those that need it can go on.
            Report::Listening { .. } => {
                *course = Course { started: true, ready: true, ..Course::default() };
                self.come.remove(&w);
            }
            Report::Completed { .. } => *course = Course { completed: true, ..Course::default() },
            Report::Stopped { .. }
            | Report::HookFailed { hook: HookName::BeforeStart, follows: true, .. } => {
                *course = Course::default();
            }
            _ => {}
        }
    }

    /// A number may come again.
    pub fn forget(&mut self, pid: Pid) {
        self.signalled.remove(&pid);
    }
}

/// What is asked about is known by its name.
pub struct Plain<'a>(pub &'a [Rc<WatcherSettings>]);

impl Names for Plain<'_> {
    fn watcher(&self, watcher: u32) -> &str {
        self.0.get(watcher as usize).map_or("", |watcher| &watcher.name)
    }
    fn has_many(&self, _: u32) -> bool {
        false
    }
    fn error(&self, errno: i32) -> String {
        errno.to_string()
    }
    fn object(&self, _: SlotId, _: Failure) -> String {
        String::new()
    }
}

/// All is settled, and this one waits for another one: then that one is not there, and it says so.
pub fn waits(run: &Run, watchers: &[Rc<WatcherSettings>], index: usize) -> bool {
    let look = |name: &str| {
        let command = Command::Status { name: Some(name.into()), detail: true };
        match run.core.read(&command, run.world.now, &Plain(watchers)) {
            Some(Answer::Details(mut details)) => details.remove(0),
            other => panic!("{name}: {other:?}"),
        }
    };
    let detail = look(&watchers[index].name);
    const LISTENS: &str = "waiting for a connection";
    if *detail.note == *LISTENS {
        return true;
    }
    if !detail.note.starts_with("waiting") {
        let is_there = !watchers[index].autostart
            || matches!(detail.status, Status::Active | Status::Completed | Status::Starting)
            || !detail.note.is_empty();
        assert!(is_there, "nobody waits without a reason: {detail:?}");
        return false;
    }
    assert_eq!(detail.status, Status::Stopped, "{detail:?}");
    let Some(name) = detail.note.strip_prefix("waiting for ") else { return true };
    let on = name.split([' ', ',']).next().expect("a name");
    let other = look(on);
    let gate = watchers[index].depends_on.iter().find(|it| *it.name == *on).map(|it| it.gate);
    let is_open = match other.status {
        Status::Completed => true,
        Status::Active => {
            gate == Some(Gate::Started) || !watchers.iter().any(|it| *it.name == *on && it.oneshot)
        }
        Status::Stopped => *other.note == *LISTENS,
        Status::Starting | Status::Stopping => false,
    };
    assert!(!is_open, "it waits for {on}, which is there: {detail:?} {other:?}");
    true
}
