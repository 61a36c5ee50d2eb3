//! A program that cannot be executed costs next to nothing and disturbs nobody.

use crate::world::{World, namespaces_are_possible, until};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a loop without brakes to show.
const WATCHED: Duration = Duration::from_secs(15);

const ATTEMPTS_MAX: usize = 12;

#[test]
fn a_wrong_command_is_tried_rarely_disturbs_nobody_and_starts_when_its_file_appears() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:late]\ncmd = @/late\nmax_retry = -1\n[watcher:other]\ncmd = sleep 901\n";
    let mut run = World::pid_1(ini).start();
    let other = run.wait_for_child("sleep 901");
    run.wait_for_log("late: cannot");
    let (begin, before) = (Instant::now(), run.process.cpu_ticks());
    thread::sleep(WATCHED);
    let spent = run.process.cpu_ticks() - before;
    let passed = begin.elapsed().as_millis() as u64 / 10;
    assert!(
        spent * 50 < passed,
        "{spent} of {passed} hundredths of a second"
    );
    let attempts = run
        .log()
        .lines()
        .filter(|line| line.contains("late: cannot"))
        .count();
    assert!(
        (3..=ATTEMPTS_MAX).contains(&attempts),
        "{attempts} attempts\n{}",
        run.log()
    );
    assert_eq!(run.children("sleep 901"), [other]);
    // Never half a file: it appears whole.
    run.write("late.new", "#!/bin/sh\nexec sleep 902\n");
    std::fs::rename(run.folder().join("late.new"), run.folder().join("late")).expect("renamed");
    run.wait_for_child("sleep 902");
    run.wait_for_log("late started");
    assert_eq!(run.children("sleep 901"), [other]);
    run.stop();
}

#[test]
fn a_wrong_command_is_given_up_after_max_retry_and_the_others_stay() {
    if !namespaces_are_possible() {
        return;
    }
    let ini =
        "[watcher:w]\ncmd = /nowhere/to/be/found\nmax_retry = 3\n[watcher:o]\ncmd = sleep 901\n";
    let mut run = World::pid_1(ini).start();
    run.wait_for_log("given up after 3 failures");
    let log = run.log();
    assert_eq!(
        log.lines()
            .filter(|line| line.contains("w: cannot"))
            .count(),
        3,
        "{log}"
    );
    assert!(
        log.contains("/nowhere/to/be/found") && log.contains("No such file"),
        "{log}"
    );
    run.wait_for_child("sleep 901");
    run.stop();
}

#[test]
fn a_process_that_crashes_at_once_is_not_started_in_a_loop() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1("[watcher:w]\ncmd = false\n").start();
    let deaths = |run: &crate::world::Running| -> Vec<String> {
        run.log()
            .lines()
            .filter(|line| line.contains("exited"))
            .map(str::to_string)
            .collect()
    };
    until("it has died five times", || deaths(&run).len() == 5);
    let deaths = deaths(&run);
    assert!(
        deaths[0].contains("code 1") && deaths[0].contains("starting again now"),
        "{deaths:?}"
    );
    // Each delay is longer than the one before, counted from the last start.
    assert!(
        deaths[1..]
            .iter()
            .all(|line| line.contains("starting again in ")),
        "{deaths:?}"
    );
    run.stop();
}

#[test]
fn a_wrong_configuration_starts_nothing_and_tells_every_mistake() {
    let ini = "[watcher:w]\ncmd = touch @/started\nbananas = 1\nnumprocesses = x\n";
    let mut run = World::plain(ini).start();
    assert_eq!(run.exit_code(), 2);
    let told = run.file("err");
    assert!(
        told.contains("circus.ini:3") && told.contains("circus.ini:4"),
        "{told}"
    );
    assert!(!run.folder().join("started").exists());
    until("nothing is left", || run.others().is_empty());
}
