//! The core: it decides. Events go in, actions come out, the time is an argument; it has no I/O,
//! no clock, no threads and no randomness, so the same events always give the same actions.
//!
//! ```text
//! Life:  Running ──(signal, essential ended, nothing left)──→ Stopping ──(no child left)──→ Over
//! ```

mod action;
mod agenda;
mod calls;
mod clearing;
mod command;
mod configure;
mod demand;
mod depend;
mod event;
mod extras;
mod group;
mod hooks;
mod invariants;
mod kill;
mod lives;
mod operation;
mod order;
mod probes;
mod read;
mod readiness;
mod reload;
mod report;
mod resize;
mod sentence;
mod signals;
mod slot;
mod stop;
mod ticket;
mod vitals;
mod watcher;
mod watchers;

pub use action::Action;
pub use depend::Blocker;
pub use event::{Configuration, Errand, Event};
pub use hooks::{HookAnswer, HookFacts};
pub use read::Running;
pub use report::{HurryCause, Names, Report, StopCause};
pub use slot::Next;
pub use ticket::{Asker, Ticket};
pub use vitals::{Fault, Question};

use crate::config::settings::{CircusSettings, SocketSettings, WatcherSettings};
use crate::moment::Moment;
use crate::process::{Pid, Tag};
use agenda::Agenda;
use calls::Hooks;
use extras::Extras;
use kill::Kills;
use order::StartPlan;
use probes::Probes;
use report::End;
use slot::{Slot, State, Way};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use ticket::Tickets;
use watcher::{Phase, Watcher};
use watchers::Watchers;

/// Names one slot of one watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    /// The watcher's index, in the order of the settings given.
    pub watcher: u32,
    /// The slot's index in the watcher.
    pub index: u32,
}

impl SlotId {
    /// The number that users see: the smallest is 1.
    pub fn wid(self) -> u32 {
        self.index + 1
    }
}

/// What the supervisor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Watchers only.
    Watchers,
    /// Watchers, and the last of the settings is the main command.
    Both,
    /// The main command only: every signal is passed on to it.
    MainCommand,
}

/// Everything that is going on.
#[derive(Debug)]
pub struct Supervisor {
    circus: CircusSettings,
    mode: Mode,
    watchers: Watchers,
    /// Sorted by name.
    sockets: Vec<Rc<SocketSettings>>,
    /// The main command.
    main: Option<u32>,
    life: Life,
    plan: StartPlan,
    agenda: Agenda,
    /// Slots that wait for their turn to start a process; some may not want it any more.
    queue: VecDeque<SlotId>,
    /// Processes that have not become their program yet, or are being made.
    unexecuted: usize,
    /// So many of these there may be.
    unexecuted_max: usize,
    pids: BTreeMap<Pid, SlotId>,
    probes: Probes,
    last_errand: u64,
    hooks: Hooks,
    extras: Extras,
    /// Errands that nobody wants any more.
    abandoned: Vec<Errand>,
    /// Slots in `State::Clearing`; some may have left it.
    clearing: Vec<SlotId>,
    survey_asked: bool,
    /// Commands that are being carried out.
    tickets: Tickets,
    kills: Kills,
    /// Watchers with an operation.
    busy: BTreeSet<u32>,
    /// Those of them that something has happened to.
    touched: Vec<u32>,
    advancing: bool,
    /// Reloads that pause between two processes.
    pauses: BTreeSet<(Moment, u32)>,
    /// Watchers that wait for somebody to come.
    demands: BTreeSet<u32>,
    /// When something about who comes is to be done.
    demand_deadlines: BTreeSet<(Moment, u32)>,
    /// Watchers that are forgotten as soon as all has been told about them.
    gone: Vec<u32>,
    last_tag: Tag,
    dice: u64,
    /// Code of the first failure, for `exit_when_done`.
    first_failure: Option<u8>,
    /// A watcher that was not well when somebody last asked whether all are.
    ill: u32,
}

#[derive(Debug)]
enum Life {
    Running,
    Stopping(stop::Shutdown),
    Over,
}

/// So many processes may be on the way to their program at once: each needs a stack of its own
/// until then, and one that hangs in a dead file system keeps it.
pub const UNEXECUTED_MAX: usize = 16;

impl Supervisor {
    /// `watchers`: all of them; with `Mode::Both` and `Mode::MainCommand` the last is the main
    /// command. `instance` makes this supervisor's tags its own; `seed` decides what is random.
    pub fn new(
        circus: CircusSettings,
        watchers: Vec<Rc<WatcherSettings>>,
        mode: Mode,
        instance: u64,
        seed: u64,
    ) -> Supervisor {
        let mut all = Watchers::default();
        let mut last = None;
        for settings in watchers {
            last = Some(all.add(Watcher::new(settings, true)));
        }
        let main = last.filter(|_| mode != Mode::Watchers);
        if let Some(main) = main {
            // It is not in the file.
            all[main].configured = None;
        }
        Supervisor {
            circus,
            mode,
            watchers: all,
            sockets: Vec::new(),
            main,
            life: Life::Running,
            plan: StartPlan::default(),
            agenda: Agenda::default(),
            queue: VecDeque::new(),
            unexecuted: 0,
            unexecuted_max: UNEXECUTED_MAX,
            pids: BTreeMap::new(),
            probes: Probes::default(),
            last_errand: 0,
            hooks: Hooks::default(),
            extras: Extras::default(),
            abandoned: Vec::new(),
            clearing: Vec::new(),
            survey_asked: false,
            tickets: Tickets::default(),
            kills: Kills::default(),
            busy: BTreeSet::new(),
            touched: Vec::new(),
            advancing: false,
            pauses: BTreeSet::new(),
            demands: BTreeSet::new(),
            demand_deadlines: BTreeSet::new(),
            gone: Vec::new(),
            last_tag: Tag::first_of(instance),
            dice: seed,
            first_failure: None,
            ill: 0,
        }
    }

    /// The sockets that are bound, sorted by name. Told before anything else, if there are any.
    pub fn set_sockets(&mut self, sockets: Vec<Rc<SocketSettings>>) {
        self.sockets = sockets;
    }

    /// Tell what has happened, at `now`; what is to be done is appended to `actions`.
    pub fn handle(&mut self, event: Event, now: Moment, actions: &mut Vec<Action>) {
        if matches!(self.life, Life::Over) {
            return;
        }
        for w in std::mem::take(&mut self.gone) {
            self.watchers.remove(w);
        }
        match event {
            Event::Begin => self.begin(now),
            Event::Tick => {}
            Event::Spawned { slot, pid, tag } => self.spawned(slot, pid, tag, now, actions),
            Event::SpawnFailed { slot, errno } => self.spawn_failed(slot, errno, now, actions),
            Event::Executed { pid } => self.executed(pid, now, actions),
            Event::Suspended { pid } => self.suspended(pid, actions),
            Event::Ended { pid, ending, memory_short, said } => {
                self.ended(pid, End { ending, memory_short, said }, now, actions);
            }
            Event::Survey { adopted } => self.survey(&adopted, now, actions),
            Event::Signalled { signal } => self.signalled(signal, now, actions),
            Event::Notified { pid, said } => self.notified(pid, said, now, actions),
            Event::Succeeded { pid, by } => self.succeeded(pid, by, now, actions),
            Event::Returned { errand, outcome } => self.returned(errand, outcome, now, actions),
            Event::Unsent { errand, reason } => self.unsent(errand, reason, now, actions),
            Event::Gone { errand } => drop(self.probes.take(errand)),
            Event::HookReturned { errand, answer } => {
                self.hook_returned(errand, answer, now, actions);
            }
            Event::Demanded { watcher } => self.demanded(watcher, now),
            Event::Connected { watcher } => self.connected(watcher, now),
            Event::LookedForConnections { watcher, found } => {
                self.looked_for_connections(watcher, found, now, actions);
            }
            Event::Extend { ticket, watcher, pids } => {
                self.extend_figures(ticket, watcher, pids, now, actions);
            }
            Event::Command { asker, command } => self.command(asker, command, now, actions),
            Event::Add { asker, settings, start } => {
                self.add_watcher(asker, settings, start, now, actions);
            }
            Event::Change { asker, watcher, settings, options, change } => {
                self.change(asker, watcher, settings, &options, change, now, actions);
            }
            Event::Configure { asker, configuration, restart } => {
                self.configure(asker, configuration, restart, now, actions);
            }
        }
        // One may lead to another: a grace may be nothing, and an operation waited for it.
        loop {
            self.fire_deadlines(now, actions);
            self.fire_hooks(now, actions);
            self.fire_demand_deadlines(now, actions);
            self.fire_extras(now, actions);
            self.end_pauses(now);
            self.advance_touched(now, actions);
            self.start_more(now, actions);
            self.send_hooks(now, actions);
            self.send_probes(now, actions);
            self.fill_up(now, actions);
            self.finish(now, actions);
            if self.is_settled(now) {
                break;
            }
        }
        let abandoned = self.abandoned.drain(..);
        actions.extend(abandoned.map(|errand| Action::Abandon { errand }));
        self.check_invariants();
    }

    fn is_settled(&self, now: Moment) -> bool {
        let is_due = self.next_deadline().is_some_and(|at| at <= now);
        let is_looked_at = self.plan.is_looked_at() || self.is_stopping();
        matches!(self.life, Life::Over) || self.touched.is_empty() && !is_due && is_looked_at
    }

    /// When `Event::Tick` is needed at the latest, unless something else happens before.
    pub fn next_deadline(&self) -> Option<Moment> {
        let life = match &self.life {
            Life::Running => self.plan.deadline(),
            Life::Stopping(shutdown) => shutdown.deadline(),
            Life::Over => None,
        };
        let pause = self.pauses.first().map(|(at, _)| *at);
        let demand = self.demand_deadlines.first().map(|(at, _)| *at);
        let hooks = [self.hooks.deadline(), self.extras.deadline()];
        let all = [self.agenda.nearest(), life, pause, demand];
        all.into_iter().chain(hooks).flatten().min()
    }

    /// A process that the core started and that has not been reaped.
    pub fn is_leader(&self, pid: Pid) -> bool {
        self.pids.contains_key(&pid)
    }

    /// The main command's process.
    pub fn is_main_pid(&self, pid: Pid) -> bool {
        self.pids.get(&pid).is_some_and(|slot| self.is_main(slot.watcher))
    }

    /// Another process may go on when this one ends: it has become its program.
    pub fn may_be_succeeded(&self, pid: Pid) -> bool {
        let state = self.pids.get(&pid).map(|id| &self.slot(*id).state);
        match state {
            Some(State::Running { way, .. } | State::Stopping { way, .. }) => *way == Way::Executed,
            _ => false,
        }
    }

    /// The slot of a process of ours.
    pub fn slot_of(&self, pid: Pid) -> Option<SlotId> {
        self.pids.get(&pid).copied()
    }

    /// The process of a slot that has not been reaped, with its tag.
    pub fn leader_of(&self, id: SlotId) -> Option<(Pid, Tag)> {
        let leader = self.has_slot(id).then(|| self.slot(id).state.leader())??;
        Some((leader.pid, leader.tag))
    }

    /// Whether it is still there.
    pub fn has_watcher(&self, watcher: u32) -> bool {
        self.watchers.get(watcher).is_some()
    }

    /// Whether a slot has a process, or will have one.
    pub fn is_in_use(&self, id: SlotId) -> bool {
        self.has_slot(id) && {
            let slot = self.slot(id);
            slot.wanted || !matches!(slot.state, State::Vacant)
        }
    }

    /// How many processes a watcher has or will have; unless it is up, no less than when it is.
    pub fn places(&self, w: u32) -> usize {
        let Some(watcher) = self.watchers.get(w) else { return 0 };
        let is_used = |slot: &&Slot| slot.wanted || !matches!(slot.state, State::Vacant);
        let used = watcher.slots.iter().filter(is_used).count();
        match watcher.phase {
            Phase::Active => used,
            Phase::Starting | Phase::Stopping | Phase::Stopped(_) => {
                let most = if watcher.leaving { 0 } else { watcher.settings.numprocesses };
                used.max(most as usize)
            }
        }
    }

    /// The settings of a watcher.
    pub fn settings(&self, watcher: u32) -> &Rc<WatcherSettings> {
        &self.watchers[watcher].settings
    }

    /// Whether this watcher is the main command.
    pub fn is_main(&self, watcher: u32) -> bool {
        self.main == Some(watcher)
    }

    fn slot(&self, id: SlotId) -> &Slot {
        &self.watchers[id.watcher].slots[id.index as usize]
    }

    fn has_slot(&self, id: SlotId) -> bool {
        self.watchers.get(id.watcher).is_some_and(|it| (id.index as usize) < it.slots.len())
    }

    fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.watchers[id.watcher].slots[id.index as usize]
    }

    /// The only way to change a slot's state: the agenda follows.
    fn put(&mut self, id: SlotId, state: State) -> State {
        let new = state.deadline();
        let old = std::mem::replace(&mut self.slot_mut(id).state, state);
        self.agenda.change(id, old.deadline(), new);
        if let State::Running { vitals, .. } = &old {
            self.forget_errand(vitals.as_deref());
        }
        if let State::Held { errand: Some(errand) } = &old {
            self.abandon_hook(*errand);
        }
        self.touch(id.watcher);
        old
    }

    /// Change something in a slot's state; the agenda follows.
    fn alter<R>(&mut self, id: SlotId, change: impl FnOnce(&mut State) -> R) -> R {
        let state = &mut self.slot_mut(id).state;
        let old = state.deadline();
        let result = change(state);
        let new = state.deadline();
        self.agenda.change(id, old, new);
        result
    }

    fn watcher_ids(&self) -> impl Iterator<Item = u32> + use<> {
        self.watchers.numbers().into_iter()
    }

    fn new_watcher(&mut self, settings: Rc<WatcherSettings>, is_configured: bool) -> u32 {
        self.watchers.add(Watcher::new(settings, is_configured))
    }

    /// The sockets that are bound, sorted by name.
    pub fn sockets(&self) -> &[Rc<SocketSettings>] {
        &self.sockets
    }

    /// Section `[circus]`.
    pub fn circus(&self) -> &CircusSettings {
        &self.circus
    }

    /// The name of the main command, if there is one.
    pub fn main_name(&self) -> Option<&str> {
        self.main.and_then(|w| self.watchers.get(w)).map(|watcher| &*watcher.settings.name)
    }

    /// Everything is being stopped.
    pub fn is_stopping(&self) -> bool {
        !matches!(self.life, Life::Running)
    }

    /// Reloads whose pause is over go on.
    fn end_pauses(&mut self, now: Moment) {
        while let Some(&(at, w)) = self.pauses.first()
            && at <= now
        {
            self.pauses.pop_first();
            self.touch(w);
        }
    }

    /// A process's time to be replaced counts anew, as the settings have changed.
    fn age_anew(&mut self, w: u32, now: Moment) {
        let settings = self.settings(w).clone();
        for id in self.slot_ids(w) {
            let variance_ms = self.random(settings.max_age_variance_ms);
            self.alter(id, |state| {
                let State::Running { leader, replace_at, .. } = state else { return };
                let at = leader.started.after_ms(settings.max_age_ms + variance_ms);
                *replace_at = (settings.max_age_ms > 0).then_some(at.max(now));
            });
        }
    }

    fn slot_ids(&self, watcher: u32) -> impl Iterator<Item = SlotId> + use<> {
        let count = self.watchers[watcher].slots.len() as u32;
        (0..count).map(move |index| SlotId { watcher, index })
    }

    fn ask_survey(&mut self, actions: &mut Vec<Action>) {
        if !self.survey_asked {
            self.survey_asked = true;
            actions.push(Action::Survey);
        }
    }

    fn new_tag(&mut self) -> Tag {
        self.last_tag = self.last_tag.next();
        self.last_tag
    }

    /// Evenly from 0 to `most`; splitmix64, so that a seed repeats a run.
    fn random(&mut self, most: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most.saturating_add(1).max(1)
    }
}
