//! The core against a make-believe kernel: random configurations, random schedules that reorder
//! what comes from different sources, random faults, numbers of processes used again at once. In
//! the end the faults stop, and everything must settle; then a stop must end it.
//!
//! `SEED=7 cargo test --test simulation` runs one seed; `SEEDS=5000` runs so many.
//! With `COMMANDED=1` clients start and stop watchers in that one run too.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod commands;
mod dice;
mod rules;
mod world;

use circus::commands::{Command, Matching, Selection};
use circus::config::settings::{
    Config, HookName, Limit, Liveness, Respawn, Variable, WatcherSettings,
};
use circus::config::{self, Source};
use circus::moment::Moment;
use circus::signal::Signal;
use circus::supervisor::{Action, Asker, Event, Mode, Report, Supervisor, Ticket};
use dice::Dice;
use rules::Rules;
use std::collections::BTreeSet;
use std::rc::Rc;
use world::{Trouble, World};

const SEEDS: u64 = 3000;

/// Of runs with commands, which take longer.
const COMMAND_SEEDS: u64 = 300;
const STEPS_MAX: usize = 100_000;

/// Longer than any delay, grace and life that a configuration here has.
const SETTLING_MS: u64 = 600_000;

/// What the runs must have led to, or they would prove little.
const KINDS: [&str; 24] = [
    "listening",
    "idle",
    "hook_failed",
    "ready",
    "faulty",
    "blocked",
    "hanging",
    "exiting",
    "started",
    "respawned",
    "died",
    "fork_failed",
    "never_started",
    "too_old",
    "outlasted",
    "left_behind",
    "stopped",
    "completed",
    "reloading",
    "reloaded",
    "reload_failed",
    "stopping",
    "hurried",
    "orphans",
];

struct Text(String);

impl Source for Text {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn current_dir(&self) -> String {
        "/".to_string()
    }
}

fn load(text: &str) -> Config {
    let environment: [Variable; 0] = [];
    match config::load("test.ini", &environment, &Text(text.to_string())) {
        Ok(config) => config,
        Err(mistakes) => panic!("{mistakes:?} in\n{text}"),
    }
}

/// Some watchers have some.
fn random_hooks(dice: &mut Dice) -> String {
    let mut text = String::new();
    if !dice.percent(25) {
        return text;
    }
    for hook in [
        "before_start",
        "after_start",
        "before_spawn",
        "after_spawn",
        "before_stop",
        "after_stop",
        "before_signal",
        "after_signal",
        "before_reap",
        "after_reap",
    ] {
        if dice.percent(25) {
            let run = dice.pick(&["x", "x.y", "x, True"]);
            text += &format!("hooks.{hook} = {run}\n");
        }
    }
    text + &format!("hook_timeout = {}\n", dice.pick(&["1", "5"]))
}

fn random_ini(dice: &mut Dice) -> String {
    let mut text = String::from("[circus]\n");
    if dice.percent(20) {
        text += "exit_when_done = True\n";
    }
    if dice.percent(20) {
        text += "shutdown_timeout = 4\n";
    }
    if dice.percent(20) {
        text += "warmup_delay = 1\n";
    }
    text += "[socket:a]\nport = 1\n[socket:b]\nport = 2\n";
    for number in 0..=dice.upto(4) {
        text += &format!("[watcher:w{number}]\ncmd = x\n");
        let begin = text.len();
        text += &format!("numprocesses = {}\n", dice.pick(&[0, 1, 1, 1, 2, 5]));
        text += &format!("priority = {}\n", dice.pick(&[0, 0, 1, 9]));
        text += &format!("graceful_timeout = {}\n", dice.pick(&["0", "0.5", "3", "30"]));
        text += &format!("max_retry = {}\n", dice.pick(&[-1, -1, 0, 2, 5]));
        text += &format!("max_restarts = {}\n", dice.pick(&[-1, -1, 0, 2]));
        for (chance, line) in [
            (20, "respawn = False"),
            (20, "respawn = on-failure"),
            (15, "oneshot = True"),
            (15, "essential = True"),
            (20, "stop_children = True"),
            (20, "kill_tree = False"),
            (15, "warmup_delay = 0.3"),
            (15, "max_age = 5"),
            (15, "send_hup = True"),
            (10, "autostart = False"),
            (10, "stop_signal = KILL"),
            (10, "forward_signals = USR1, HUP>USR2"),
        ] {
            // The first line for an option counts.
            if dice.percent(chance) {
                text += line;
                text.push('\n');
            }
        }
        if dice.percent(25) {
            text += &format!("use_sockets = {}\n", dice.pick(&["a", "b", "True"]));
            if !text[begin..].contains("oneshot") {
                text +=
                    dice.pick(&["", "on_demand = True\n", "on_demand = True\nidle_timeout = 2\n"]);
            }
        }
        if dice.percent(40) {
            text += &format!(
                "ready = {}\n",
                dice.pick(&["notify", "after:0.2", "tcp://x:1", "exec:x"])
            );
            text += &format!("ready_timeout = {}\n", dice.pick(&["1", "5", "60"]));
        }
        if dice.percent(20) {
            text += &format!("check = {}\n", dice.pick(&["http://x:1/", "exec:x", "watchdog"]));
            text += "check_interval = 2\ncheck_timeout = 1\ncheck_retries = 2\n";
        }
        text += &random_hooks(dice);
        if number > 0 && dice.percent(40) {
            let gate = dice.pick(&["", "", ":started", ":ready"]);
            text += &format!("depends_on = w{}{gate}\n", dice.upto(number - 1));
        }
    }
    text
}

/// The core and its world.
struct Run {
    core: Supervisor,
    world: World,
    /// Print everything.
    told: bool,
    rules: Rules,
}

impl Run {
    /// Somebody comes to a socket of a watcher that waits for that.
    fn demand(&mut self, pick: u64) {
        let all: Vec<u32> = self.core.waits_for_demand(self.world.now).collect();
        if !all.is_empty() {
            let watcher = all[pick as usize % all.len()];
            self.tell(Event::Demanded { watcher });
        }
    }

    fn tell(&mut self, event: Event) {
        let mut actions: Vec<Action> = Vec::new();
        if self.told {
            println!("{} {event:?}", self.world.now.as_ms());
        }
        if let Event::Ended { pid, .. } = &event {
            self.rules.forget(*pid);
        }
        if let Event::Demanded { watcher } = &event {
            self.rules.demanded(*watcher);
        }
        self.core.handle(event, self.world.now, &mut actions);
        if self.told {
            actions.iter().for_each(|action| println!("    {action:?}"));
        }
        for action in actions {
            self.rules.watch(&action, &self.world);
            self.world.perform(action);
        }
    }

    /// Deliver one event, or let time pass up to `until`. False when nothing is left to happen.
    fn step(&mut self, until: Moment) -> bool {
        if self.world.exit.is_some() {
            return false;
        }
        if let Some(event) = self.world.next_event() {
            self.tell(event);
            return true;
        }
        let deadline = self.core.next_deadline();
        assert!(
            deadline.is_none_or(|at| at > self.world.now),
            "a deadline in the past: that would never let us sleep"
        );
        let next = [deadline, self.world.next_change()].into_iter().flatten().min();
        match next.filter(|at| *at <= until) {
            Some(at) => {
                self.world.turn_to(at);
                self.tell(Event::Tick);
                true
            }
            None => false,
        }
    }

    fn settle(&mut self, what: &str) {
        let until = self.world.now.after_ms(SETTLING_MS);
        for _ in 0..STEPS_MAX {
            if !self.step(until) {
                return;
            }
        }
        panic!("{what}: does not settle");
    }
}

/// Starts and stops, of one or all, alone or with what depends on it.
fn random_command(dice: &mut Dice, watchers: &[Rc<WatcherSettings>]) -> Command {
    let number = dice.upto(watchers.len() as u64 - 1) as usize;
    let pattern = watchers[number].name.clone();
    let selection = match dice.percent(20) {
        true => Selection::All,
        false => Selection::Matching { pattern, matching: Matching::Simple },
    };
    match dice.upto(5) {
        0 => Command::Start(selection),
        1 => Command::Stop(selection),
        2 => Command::Restart(selection),
        3 => Command::StartWithDependants(selection),
        4 => Command::StopWithDependants(selection),
        _ => Command::RestartWithDependants(selection),
    }
}

/// Returns the kinds of reports that were made. `commanded`: clients start and stop watchers too.
fn simulate(seed: u64, told: bool, commanded: bool) -> BTreeSet<&'static str> {
    let mut dice = Dice::new(seed);
    let text = random_ini(&mut dice);
    let config = load(&text);
    let mode = dice.pick(&[Mode::Watchers, Mode::Watchers, Mode::Both, Mode::MainCommand]);
    let mut watchers = config.watchers.clone();
    if mode != Mode::Watchers {
        let mut main = config::main_command(&["x"]);
        main.max_retry = Limit::AtMost(1);
        watchers.push(Rc::new(main));
    }
    if mode == Mode::MainCommand {
        watchers.drain(..watchers.len() - 1);
    }
    let trouble = Trouble {
        fork_fails: dice.pick(&[0, 0, 20]),
        exec_fails: dice.pick(&[0, 5, 30]),
        crashes: dice.pick(&[0, 30, 80]),
        ignores: dice.pick(&[0, 10, 40]),
        forks: dice.pick(&[0, 20, 50]),
        hangs: dice.pick(&[0, 0, 0, 30]),
        probes: dice.pick(&[0, 20, 60]),
    };
    let kill_tree = watchers.iter().map(|w| w.kill_tree).collect();
    let mut core = Supervisor::new(config.circus.clone(), watchers.clone(), mode, seed, seed);
    core.set_sockets(config.sockets);
    let rules = Rules::new(&watchers);
    let mut run = Run { core, world: World::new(seed, trouble, kill_tree), told, rules };
    run.tell(Event::Begin);

    let mut tickets = 0;
    let horizon = run.world.now.after_ms(dice.pick(&[100, 5_000, 100_000]));
    for _ in 0..dice.pick(&[10, 200, 2_000]) {
        match dice.upto(99) {
            0 => run.world.send_to_circusd(Signal::HUP),
            1 => run.world.send_to_circusd(Signal::USR1),
            2 if seed.is_multiple_of(4) => run.world.send_to_circusd(Signal::TERM),
            3..=8 => run.world.kill_any(),
            9 => run.world.suspend_any(),
            10..=13 if commanded && run.world.exit.is_none() => {
                let command = random_command(&mut dice, &watchers);
                tickets += 1;
                let asker = Asker { ticket: Some(Ticket(tickets)), waiting: dice.percent(50) };
                run.tell(Event::Command { asker, command });
            }
            10..=14 => run.demand(dice.upto(9)),
            _ => {}
        }
        if !run.step(horizon) {
            break;
        }
    }

    run.world.heal();
    run.settle("after the faults");
    if run.world.exit.is_none() && !commanded {
        check_settled(&run, &watchers);
        check_demand(&mut run, &watchers);
    }
    let stopping = run.world.exit.is_some();
    run.world.send_to_circusd(Signal::TERM);
    run.settle("after SIGTERM");
    assert!(run.world.exit.is_some(), "a stop ends");
    let answered: BTreeSet<Ticket> = run.world.answered.iter().copied().collect();
    assert_eq!(answered, (1..=tickets).map(Ticket).collect(), "each is answered ...");
    assert_eq!(answered.len(), run.world.answered.len(), "... once");
    assert_eq!(run.world.alive(), 0, "nothing is left alive");
    assert_eq!(run.world.zombies(), 0, "nothing is left unreaped");
    if let (Mode::Watchers, Some(code), false) = (mode, run.world.exit, stopping) {
        assert_eq!(code, 0, "stopped on request");
    }
    run.world.reports.iter().map(Report::kind).collect()
}

/// Everything that is to run does.
fn check_settled(run: &Run, watchers: &[Rc<WatcherSettings>]) {
    assert_eq!(run.world.zombies(), 0, "every zombie is reaped");
    for (index, watcher) in watchers.iter().enumerate() {
        let count = run.world.leaders(index as u32);
        let wanted = watcher.numprocesses as usize;
        assert!(count <= wanted, "{}: {count} processes of {wanted}", watcher.name);
        let never_gives_up = watcher.max_restarts == Limit::Never
            && watcher.max_retry == Limit::Never
            && watcher.respawn == Respawn::Always
            // One may be on its way out just now.
            && watcher.max_age_ms == 0
            && !watcher.oneshot;
        // What is silent is replaced again and again.
        let is_silent = watcher.check.as_ref().is_some_and(|it| it.by == Liveness::Watchdog);
        // Hooks may have said no while there was trouble.
        let may_be_refused = watcher.hooks.iter().any(|hook| hook.name <= HookName::AfterSpawn);
        let waits = waits(run, watchers, watcher.priority) || rules::waits(run, watchers, index);
        let is_fit = never_gives_up && watcher.autostart && !is_silent && !may_be_refused;
        if is_fit && !waits && !is_on_demand(watcher) {
            assert_eq!(count, wanted, "{} runs as it should", watcher.name);
        }
        if is_fit && is_on_demand(watcher) {
            let listens = run.core.waits_for_demand(run.world.now).any(|w| w == index as u32);
            let blocked = rules::waits(run, watchers, index) && !listens;
            // One that has ended well is not started again.
            let runs = count.min(1) == wanted.min(1) && !idles(watcher);
            assert!(listens && count == 0 || runs || blocked, "{}: {count}", watcher.name);
        }
    }
}

fn is_on_demand(watcher: &WatcherSettings) -> bool {
    watcher.sockets.as_ref().is_some_and(|its| its.on_demand)
}

fn idles(watcher: &WatcherSettings) -> bool {
    watcher.sockets.as_ref().is_some_and(|its| its.idle_timeout_ms.is_some())
}

/// Whoever comes to those that wait is served, unless something that they need is not there.
fn check_demand(run: &mut Run, watchers: &[Rc<WatcherSettings>]) {
    let waiting: Vec<u32> = run.core.waits_for_demand(run.world.now).collect();
    for w in waiting {
        let watcher = &watchers[w as usize];
        assert!(is_on_demand(watcher), "{}", watcher.name);
        assert_eq!(run.world.leaders(w), 0, "{} waits", watcher.name);
        let before = run.world.reports.len();
        run.tell(Event::Demanded { watcher: w });
        run.settle("after somebody has come");
        if run.world.exit.is_some() {
            return;
        }
        let is_told = |kind: &str| {
            let mut its = run.world.reports[before..].iter().filter(|it| it.watcher() == Some(w));
            its.any(|report| report.kind() == kind)
        };
        // Even those that are well may take too long to be ready.
        let is_started = is_told("started") && !is_told("faulty");
        let is_plain = watcher.hooks.is_empty()
            && watcher.depends_on.is_empty()
            && watcher.max_retry != Limit::AtMost(0);
        if is_plain && watcher.numprocesses > 0 {
            assert!(is_started || is_told("faulty"), "{} serves whoever has come", watcher.name);
        }
        let waits = run.core.waits_for_demand(run.world.now).any(|other| other == w);
        if is_started && idles(watcher) && watcher.check.is_none() {
            assert!(waits, "{} waits again", watcher.name);
        }
    }
}

/// A one-shot of higher priority is still at work, as processes live for ever now.
fn waits(run: &Run, watchers: &[Rc<WatcherSettings>], priority: i32) -> bool {
    watchers.iter().enumerate().any(|(index, other)| {
        other.oneshot && other.priority > priority && run.world.leaders(index as u32) > 0
    })
}

#[test]
fn every_schedule_settles_and_every_stop_ends() {
    if let Ok(seed) = std::env::var("SEED") {
        let seed = seed.parse().expect("SEED is a number");
        println!("{}", random_ini(&mut Dice::new(seed)));
        simulate(seed, true, std::env::var("COMMANDED").is_ok());
        return;
    }
    let kinds = simulate_all(SEEDS, false);
    for kind in KINDS {
        assert!(kinds.contains(kind), "no run has led to a report of kind {kind}");
    }
}

#[test]
fn whatever_clients_start_and_stop_all_that_is_known_of_waiting_is_true() {
    simulate_all(COMMAND_SEEDS, true);
}

fn simulate_all(seeds: u64, commanded: bool) -> BTreeSet<&'static str> {
    let count = std::env::var("SEEDS").map_or(seeds, |n| n.parse().expect("SEEDS is a number"));
    let mut failed = Vec::new();
    let mut kinds = BTreeSet::new();
    for seed in 0..count {
        match std::panic::catch_unwind(|| simulate(seed, false, commanded)) {
            Ok(reported) => kinds.extend(reported),
            Err(_) => failed.push(seed),
        }
    }
    assert!(failed.is_empty(), "run one of these alone, as SEED=…: {failed:?}");
    kinds
}
