//! What it takes the core to plan and carry out the start and the stop of a thousand watchers that
//! depend on each other: a chain, one that all need and one that needs all, and a random graph.
//! Run it by `cargo bench --bench plan`. Exits with 1 if planning takes more than it may.

#![allow(clippy::disallowed_methods)]

use circus::config::settings::{Config, Variable};
use circus::config::{self, Source};
use circus::moment::Moment;
use circus::process::{Ending, Pid};
use circus::signal::Signal;
use circus::supervisor::{Action, Event, Mode, Supervisor};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const WATCHERS: usize = 1000;
const ROUNDS: usize = 15;
const PLANNING_MAX: Duration = Duration::from_millis(5);

/// A file in memory.
struct Text(String);

impl Source for Text {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == "plan.ini" { Ok(self.0.clone().into_bytes()) } else { Err(String::new()) }
    }
    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn current_dir(&self) -> String {
        "/".to_string()
    }
}

/// Names sort as numbers do, so that the first is the one that is needed most.
fn name(number: usize) -> String {
    format!("w{number:04}")
}

fn ini(needs: impl Fn(usize) -> Vec<usize>) -> String {
    let section = |number: usize| {
        let names: Vec<String> = needs(number).into_iter().map(name).collect();
        let needs = match names.is_empty() {
            true => String::new(),
            false => format!("depends_on = {}\n", names.join(", ")),
        };
        // What all need runs once.
        let oneshot = number == 0;
        format!("[watcher:{}]\ncmd = x\noneshot = {oneshot}\n{needs}", name(number))
    };
    (0..WATCHERS).map(section).collect()
}

fn chain(number: usize) -> Vec<usize> {
    number.checked_sub(1).into_iter().collect()
}

fn wide(number: usize) -> Vec<usize> {
    match number {
        0 => Vec::new(),
        number if number + 1 == WATCHERS => (0..number).collect(),
        _ => vec![0],
    }
}

/// Up to four earlier ones, always the same.
fn random(number: usize) -> Vec<usize> {
    let mut state = number as u64;
    let mut dice = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut needs: Vec<usize> = match number {
        0 => Vec::new(),
        _ => (0..=dice(4)).map(|_| dice(number)).collect(),
    };
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// The core, and processes that do at once what they are told to.
struct World {
    core: Supervisor,
    now: u64,
    pids: i32,
    /// What was asked for and has not been done.
    todo: Vec<Action>,
}

impl World {
    fn new(ini: &str) -> World {
        let environment: [Variable; 0] = [];
        let config = config::load("plan.ini", &environment, &Text(ini.to_string()));
        let Config { circus, watchers, .. } = config.expect("a valid configuration");
        let core = Supervisor::new(circus, watchers, Mode::Watchers, 1, 1);
        World { core, now: 0, pids: 1, todo: Vec::new() }
    }

    fn tell(&mut self, event: Event) {
        self.core.handle(event, Moment::from_ms(self.now), &mut self.todo);
    }

    /// Processes are made, become their programs, and end when they are asked to.
    fn settle(&mut self) {
        while !self.todo.is_empty() {
            for action in std::mem::take(&mut self.todo) {
                match action {
                    Action::Spawn { slot, tag } => {
                        self.pids += 1;
                        let pid = Pid::new(self.pids).expect("positive");
                        self.tell(Event::Spawned { slot, pid, tag });
                        self.tell(Event::Executed { pid });
                        if slot.watcher == 0 {
                            let ending = Ending::Exited(0);
                            self.tell(Event::Ended {
                                pid,
                                ending,
                                memory_short: false,
                                said: None,
                            });
                        }
                        // Asked after each event where somebody wants to know.
                        self.core.is_all_well();
                    }
                    Action::Signal { pid, signal } if signal != Signal::CONT => {
                        let ending = Ending::Killed(signal);
                        self.tell(Event::Ended { pid, ending, memory_short: false, said: None });
                    }
                    Action::Survey => self.tell(Event::Survey { adopted: Vec::new() }),
                    _ => {}
                }
            }
        }
    }
}

/// How long each step takes, the shortest of several times: the rest is what else the machine did.
fn measure(ini: &str) -> [Duration; 5] {
    let mut best = [Duration::MAX; 5];
    let mut note = |step: usize, since: Instant| best[step] = best[step].min(since.elapsed());
    for _ in 0..ROUNDS {
        let mut world = World::new(ini);
        let since = Instant::now();
        world.tell(Event::Begin);
        note(0, since);
        let since = Instant::now();
        world.settle();
        note(1, since);
        assert!(world.core.is_all_well());
        let since = Instant::now();
        world.tell(Event::Signalled { signal: Signal::TERM });
        note(2, since);
        let since = Instant::now();
        world.settle();
        note(3, since);

        let mut world = World::new(ini);
        world.tell(Event::Begin);
        let first = std::mem::take(&mut world.todo).into_iter().find_map(|action| match action {
            Action::Spawn { slot, tag } => Some((slot, tag)),
            _ => None,
        });
        let (slot, tag) = first.expect("the first is started");
        let pid = Pid::new(1).expect("positive");
        world.tell(Event::Spawned { slot, pid, tag });
        world.tell(Event::Ended {
            pid,
            ending: Ending::Exited(1),
            memory_short: false,
            said: None,
        });
        let since = Instant::now();
        world.tell(Event::Survey { adopted: Vec::new() });
        note(4, since);
    }
    best
}

fn main() -> ExitCode {
    println!(
        "| {WATCHERS} watchers, ms | plan | start all | plan the stop | stop all | the first fails, all wait in vain |"
    );
    println!("|---|---|---|---|---|---|");
    let mut code = ExitCode::SUCCESS;
    for (title, ini) in [
        ("a chain", ini(chain)),
        ("one needed by all, one that needs all", ini(wide)),
        ("a random graph", ini(random)),
    ] {
        let times = measure(&ini);
        let cells = times.map(|time| format!("{:.2}", time.as_secs_f64() * 1e3));
        println!("| {title} | {} |", cells.join(" | "));
        if times[0] > PLANNING_MAX || times[2] > PLANNING_MAX {
            eprintln!("{title}: planning takes more than {PLANNING_MAX:?}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
