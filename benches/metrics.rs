//! What is measured. Every metric goes round all contestants, each round in another order, so that
//! noise and drift of the machine hit all alike.

use crate::board::{CLEAR, MADE, STARTED};
use crate::container::{Container, PATIENCE, monotonic_ns};
use crate::contestants::Contestant;
use crate::laboratory::Laboratory;
use crate::processes::{self, Own};
use crate::table::{Row, Statistic};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub measure: fn(&Laboratory, &[Contestant]) -> Vec<Row>,
}

pub const METRICS: &[Metric] = &[
    Metric { name: "start", measure: |lab, all| start(lab, all, 1, 60) },
    Metric { name: "start-100", measure: |lab, all| start(lab, all, 100, 12) },
    Metric { name: "start-1000", measure: |lab, all| start(lab, all, 1000, 6) },
    Metric { name: "respawn", measure: respawn },
    Metric { name: "orphans", measure: orphans },
    Metric { name: "stop", measure: |lab, all| stop(lab, all, 1, 10) },
    Metric { name: "stop-100", measure: |lab, all| stop(lab, all, 100, 8) },
    Metric { name: "idle", measure: idle },
    Metric { name: "memory", measure: memory },
    Metric { name: "size", measure: size },
];

/// After so long everybody has settled.
pub const SETTLE: Duration = Duration::from_millis(1300);

/// Rounds of which a contestant that works at its own pace takes part in two at most.
pub fn interleave<'a>(
    contestants: &'a [Contestant],
    rounds: usize,
    mut each: impl FnMut(&[&'a Contestant]),
) {
    for round in 0..rounds {
        let mut all: Vec<&Contestant> =
            contestants.iter().filter(|one| round < 2 || !one.is_slow()).collect();
        let first = round % all.len().max(1);
        all.rotate_left(first);
        each(&all);
    }
}

/// Put a sample into each row, or say in all of them why there is none.
pub fn note(rows: &mut [Row], contestant: &Contestant, result: Result<Vec<f64>, String>) {
    match result {
        Ok(samples) => rows.iter_mut().zip(samples).for_each(|(row, n)| row.add(contestant, n)),
        Err(error) => {
            eprintln!("  {}: {error}", contestant.name);
            rows.iter_mut().for_each(|row| row.remark(contestant, "failed".to_string()));
        }
    }
}

pub fn median_rows(titles: &[&str]) -> Vec<Row> {
    titles.iter().map(|title| Row::new(title, Statistic::Median)).collect()
}

fn with_room(all: &[Contestant], count: usize) -> impl Iterator<Item = &Contestant> {
    all.iter().filter(move |contestant| contestant.children_max() >= count)
}

/// From the execution of PID 1 to the first instruction of its last child.
fn start(lab: &Laboratory, all: &[Contestant], count: usize, rounds: usize) -> Vec<Row> {
    let title = match count {
        1 => "first instruction of the first child, ms".to_string(),
        _ => format!("first instruction of the last of {count} children, ms"),
    };
    let mut rows = median_rows(&[&title]);
    interleave(all, lab.rounds(rounds), |all| {
        for contestant in all.iter().filter(|one| one.children_max() >= count) {
            let time = || {
                let mut container = Container::children(lab, contestant, count)?;
                let last = container.wait_started(count)?.iter().map(|stamp| stamp.ns).max();
                let begin = container.begin_ns()?;
                Ok(vec![(last.unwrap_or(begin) - begin) as f64 / 1e6])
            };
            note(&mut rows, contestant, time());
        }
    });
    rows
}

/// A child that dies more often than this within seconds is in a crash loop, and a supervisor that
/// waits before it starts that again does what it should.
const KILLS_MAX: usize = 4;

/// One of the containers in which a child is killed again and again.
struct Life<'a> {
    contestant: &'a Contestant,
    container: Container,
    started: usize,
    kill_at: Instant,
    killed_ns: Option<u64>,
}

impl<'a> Life<'a> {
    fn start(lab: &Laboratory, contestant: &'a Contestant) -> Result<Life<'a>, String> {
        let mut container = Container::children(lab, contestant, 1)?;
        container.wait_started(1)?;
        let kill_at = kill_time(contestant);
        Ok(Life { contestant, container, started: 1, kill_at, killed_ns: None })
    }

    fn is_due(&self, now: Instant) -> bool {
        self.killed_ns.is_none() && self.started <= KILLS_MAX && self.kill_at <= now
    }

    /// Milliseconds until the killed child was replaced, when it was.
    fn replaced(&mut self) -> Option<f64> {
        let killed = self.killed_ns?;
        let stamps = self.container.board.of(STARTED);
        let stamp = stamps.get(self.started)?;
        self.started = stamps.len();
        self.killed_ns = None;
        self.kill_at = kill_time(self.contestant);
        Some((stamp.ns - killed) as f64 / 1e6)
    }

    fn kill(&mut self) {
        if let Some(pid) = processes::child(&self.container, 0) {
            self.killed_ns = Some(monotonic_ns());
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Long enough after the start that nobody takes it for a crash loop, at no particular moment.
fn kill_time(contestant: &Contestant) -> Instant {
    let spread = circus::sys::identity::seed() % contestant.period_ms();
    Instant::now() + Duration::from_millis(1200 + spread)
}

/// From SIGKILL for a child to the first instruction of its successor. All containers live at the
/// same time, but there is never more than one kill in a while.
fn respawn(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let title = "respawn after SIGKILL, ms";
    let mut rows = vec![
        Row::new(&format!("{title}, median"), Statistic::Median),
        Row::new(&format!("{title}, 99th percentile"), Statistic::P99),
    ];
    for _ in 0..lab.rounds(3) {
        let mut lives = Vec::new();
        for contestant in all.iter().filter(|one| one.supervises()) {
            for _ in 0..8 {
                match Life::start(lab, contestant) {
                    Ok(life) => lives.push(life),
                    Err(error) => note(&mut rows, contestant, Err(error)),
                }
            }
        }
        kill_again_and_again(&mut lives, &mut rows);
    }
    rows
}

fn kill_again_and_again(lives: &mut [Life], rows: &mut [Row]) {
    let end = Instant::now() + Duration::from_secs(12);
    let mut calm_from = Instant::now();
    while Instant::now() < end {
        for life in lives.iter_mut() {
            if let Some(ms) = life.replaced() {
                note(rows, life.contestant, Ok(vec![ms, ms]));
            }
        }
        let now = Instant::now();
        if let Some(life) = lives.iter_mut().find(|life| calm_from <= now && life.is_due(now)) {
            life.kill();
            calm_from = Instant::now() + Duration::from_millis(15);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A child leaves many orphans, as fast as it can.
fn orphans(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    const LIMIT_MS: u64 = 5000;
    let count = if lab.quick { 2000 } else { 20_000 };
    let mut rows = median_rows(&[
        &format!("{count} orphans: CPU of PID 1, ms"),
        "orphans: none left after the last is made, ms",
    ]);
    let words = ["orphans".to_string(), count.to_string(), LIMIT_MS.to_string()];
    // Who cannot keep up needs all of the time, and is not asked again.
    interleave(all, lab.rounds(3), |all| {
        for contestant in all {
            if rows[0].has(contestant) && (contestant.is_slow() || contestant.name == "runit") {
                continue;
            }
            let run = || {
                let mut container = Container::start(lab, contestant, &[words.to_vec()])?;
                container.wait_started(1)?;
                std::thread::sleep(SETTLE);
                let own = Own::of(&container);
                let before = own.cpu_ms();
                container.board.go();
                let clear = container.board.wait(CLEAR, 1, PATIENCE)?[0];
                let made = container.board.wait(MADE, 1, PATIENCE)?[0];
                let cpu = own.cpu_ms() - before;
                Ok((clear.value, cpu, (clear.ns - made.ns) as f64 / 1e6))
            };
            match run() {
                Ok((0, cpu, ms)) => note(&mut rows, contestant, Ok(vec![cpu, ms])),
                Ok((left, ..)) => {
                    rows[0].remark(contestant, "not done".to_string());
                    let text = format!("{left} left after {} s", LIMIT_MS / 1000);
                    rows[1].remark(contestant, text);
                }
                Err(error) => note(&mut rows, contestant, Err(error)),
            }
        }
    });
    rows
}

/// From the signal that stops it to the end of PID 1, and with it of the container.
fn stop(lab: &Laboratory, all: &[Contestant], count: usize, rounds: usize) -> Vec<Row> {
    let noun = if count == 1 { "child" } else { "children" };
    let mut rows = median_rows(&[&format!("stop with {count} {noun}, ms")]);
    interleave(all, lab.rounds(rounds), |all| {
        let mut running = Vec::new();
        for contestant in all.iter().filter(|one| one.children_max() >= count) {
            let start = || {
                let mut container = Container::children(lab, contestant, count)?;
                container.wait_started(count)?;
                Ok(container)
            };
            match start() {
                Ok(container) => running.push((contestant, container)),
                Err(error) => note(&mut rows, contestant, Err(error)),
            }
        }
        std::thread::sleep(SETTLE);
        for (contestant, mut container) in running {
            let result = container.stop(contestant.stop_signal()).map(|ms| vec![ms]);
            note(&mut rows, contestant, result);
            // What is done with the rest of one must not disturb the next.
            drop(container);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    rows
}

/// How often a contestant wakes up while nothing happens; all of them in the same time.
fn idle(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let mut rows = median_rows(&["idle with 100 children (--: 1): wake-ups a minute"]);
    let mut running = Vec::new();
    for contestant in all {
        let count = contestant.children_max().min(100);
        let start = || {
            let mut container = Container::children(lab, contestant, count)?;
            container.wait_started(count)?;
            Ok(container)
        };
        match start() {
            Ok(container) => running.push((contestant, container)),
            Err(error) => note(&mut rows, contestant, Err(error)),
        }
    }
    note_sleeps(lab, &running, &mut rows);
    rows
}

/// Leave all of them alone for a while, and count.
pub fn note_sleeps(lab: &Laboratory, running: &[(&Contestant, Container)], rows: &mut [Row]) {
    let window = Duration::from_secs(if lab.quick { 2 } else { 15 });
    std::thread::sleep(SETTLE * 5);
    let own: Vec<Own> = running.iter().map(|(_, container)| Own::of(container)).collect();
    let before: Vec<f64> = own.iter().map(Own::sleeps).collect();
    std::thread::sleep(window);
    for (((contestant, _), own), before) in running.iter().zip(&own).zip(before) {
        let a_minute = (own.sleeps() - before) / window.as_secs_f64() * 60.0;
        note(rows, contestant, Ok(vec![a_minute]));
    }
}

/// Memory of a contestant's own processes once all is quiet.
fn memory(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let mut every = Vec::new();
    for (count, text) in [(1, "1 child"), (1000, "1,000 children")] {
        let mut rows = median_rows(&[
            &format!("resident memory with {text}, kB"),
            &format!("of it anonymous with {text}, kB"),
        ]);
        for contestant in with_room(all, count) {
            let read = || {
                let mut container = Container::children(lab, contestant, count)?;
                container.wait_started(count)?;
                std::thread::sleep(SETTLE);
                let (resident, anonymous) = Own::of(&container).memory_kb();
                Ok(vec![resident, anonymous])
            };
            note(&mut rows, contestant, read());
        }
        every.append(&mut rows);
    }
    every
}

/// What it takes on the disk, without shared libraries and interpreters.
fn size(_: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let mut rows = median_rows(&["size of its files, kB (without shared libraries and Python)"]);
    for contestant in all {
        let bytes: u64 = contestant.files.iter().map(|path| tree_bytes(path)).sum();
        rows[0].add(contestant, bytes as f64 / 1000.0);
    }
    rows
}

fn tree_bytes(path: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |file| file.len());
    };
    let entries = entries.flatten().filter(|entry| entry.file_name() != "__pycache__");
    entries.map(|entry| tree_bytes(&entry.path())).sum()
}
