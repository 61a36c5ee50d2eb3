//! What it takes to be operated: requests by native clients, and by the commands that people type.
//! Here `echo` is the measure of what the machine and the protocol allow.

use crate::clients::Address;
use crate::container::Container;
use crate::contestants::Contestant;
use crate::laboratory::Laboratory;
use crate::metrics::{Metric, SETTLE, interleave, median_rows, note, note_sleeps};
use crate::processes::Own;
use crate::table::Row;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const METRICS: &[Metric] = &[
    Metric { name: "control", measure: native },
    Metric { name: "control-command", measure: command },
    Metric { name: "control-1000", measure: listing },
    Metric { name: "control-idle", measure: idle },
];

/// A contestant with children that run, and where it is asked.
fn operated(
    lab: &Laboratory,
    contestant: &Contestant,
    count: usize,
) -> Result<(Container, Address), String> {
    let mut container = Container::children(lab, contestant, count)?;
    if contestant.children_max() > 0 {
        container.wait_started(count)?;
    }
    std::thread::sleep(SETTLE);
    let address = contestant.address(&container.folder).ok_or("it cannot be asked")?;
    Ok((container, address))
}

/// Requests by native clients, as fast as one or eight of them get answers.
fn native(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let mut rows = median_rows(&[
        "one `status` by a native client, µs, median",
        "requests a second, 1 connection",
        "CPU of its processes a request, 1 connection, µs",
        "requests a second, 8 connections",
        "CPU of its processes a request, 8 connections, µs",
        "resident memory of what speaks the protocol, kB",
    ]);
    let time = Duration::from_millis(if lab.quick { 200 } else { 1500 });
    interleave(all, lab.rounds(5), |all| {
        for contestant in all {
            let ask = || {
                let (container, address) = operated(lab, contestant, 100)?;
                // Whoever serves may have to be started first.
                address.load(1, Duration::from_millis(50))?;
                let own = Own::of(&container);
                let mut samples = Vec::new();
                for connections in [1, 8] {
                    let before = own.cpu_ms();
                    let mut load = address.load(connections, time)?;
                    let cpu_us = (own.cpu_ms() - before) * 1e3 / load.requests as f64;
                    if connections == 1 {
                        samples.push(load.median_us());
                    }
                    samples.extend([load.a_second(), cpu_us]);
                }
                samples.push(own.last_memory_kb());
                Ok(samples)
            };
            note(&mut rows, contestant, ask());
        }
    });
    rows
}

/// Milliseconds that a command takes.
fn run(words: &[String]) -> Result<f64, String> {
    let begin = Instant::now();
    let status = Command::new(&words[0])
        .args(&words[1..])
        .env_clear()
        .envs(crate::container::ENVIRONMENT)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    match status {
        Ok(status) if status.success() => Ok(ms),
        Ok(status) => Err(format!("{}: {status}", words.join(" "))),
        Err(error) => Err(format!("{}: {error}", words[0])),
    }
}

/// `status` as a command, of one and of all watchers.
fn command(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let mut rows =
        median_rows(&["command: `status` of one, ms", "command: `status` of all 100, ms"]);
    interleave(all, lab.rounds(5), |all| {
        for contestant in all {
            let ask = || operated(lab, contestant, 100);
            let (container, _) = match ask() {
                Ok(operated) => operated,
                Err(error) => {
                    note(&mut rows, contestant, Err(error));
                    continue;
                }
            };
            for _ in 0..if contestant.is_slow() { 3 } else { 20 } {
                let command = |words: &[&str]| run(&contestant.command(&container.folder, words));
                let both = || Ok(vec![command(&["s0"])?, command(&[])?]);
                note(&mut rows, contestant, both());
            }
        }
    });
    rows
}

/// `status` of a thousand watchers as a command.
fn listing(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let mut rows = median_rows(&[
        "command: `status` of 1,000 watchers, ms",
        "command: the same with pids and times, ms",
    ]);
    interleave(all, lab.rounds(2), |all| {
        for contestant in all.iter().filter(|one| one.children_max() >= 1000) {
            let operated = operated(lab, contestant, 1000);
            let (container, _) = match operated {
                Ok(operated) => operated,
                Err(error) => {
                    note(&mut rows, contestant, Err(error));
                    continue;
                }
            };
            for _ in 0..if contestant.is_slow() { 3 } else { 20 } {
                let command = |words: &[&str]| run(&contestant.command(&container.folder, words));
                let samples = || {
                    let mut samples = vec![command(&[])?];
                    if let Some(words) = contestant.words_for_details() {
                        samples.push(command(words)?);
                    }
                    Ok(samples)
                };
                note(&mut rows, contestant, samples());
            }
        }
    });
    rows
}

/// How often they wake up when everybody who has asked something has gone.
fn idle(lab: &Laboratory, all: &[Contestant]) -> Vec<Row> {
    let mut rows = median_rows(&["idle after requests: wake-ups a minute"]);
    let mut running = Vec::new();
    for contestant in all {
        let start = || {
            let (container, address) = operated(lab, contestant, 100)?;
            address.load(8, Duration::from_millis(50))?;
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
