//! The ordered stop: whenever it is asked for, it ends in time, with the right code, and nothing
//! is left.

use crate::random::Random;
use crate::world::{Running, World, namespaces_are_possible, until, until_some};
use std::thread;
use std::time::{Duration, Instant};

const RUNS: usize = 200;
const AT_ONCE: usize = 8;

const SERVICES: &str = "
[watcher:a]
cmd = sleep 900
numprocesses = 3
[watcher:wrapper]
cmd = sh @/wrapper.sh
[watcher:short]
cmd = true
";

const WRAPPER: &str = "sleep 902 &\nsetsid sleep 903 &\nwait\n";

/// A one-shot runs, what comes after it has not been started.
const GATED: &str = "
[watcher:first]
cmd = sleep 900
oneshot = True
priority = 10
[watcher:second]
cmd = sleep 901
";

/// No process was made at all.
const NOTHING_YET: &str = "
[circus]
warmup_delay = 600
[watcher:none]
cmd = sleep 900
numprocesses = 0
priority = 10
[watcher:later]
cmd = sleep 901
";

const SLOWLY: &str = "
[watcher:slow]
cmd = sleep 900
numprocesses = 50
warmup_delay = 0.02
[watcher:wrong]
cmd = /nowhere/to/be/found
max_retry = -1
";

/// One that is going to be suspended, with a grace that nobody wants to sit out.
pub const SUSPENDED: &str = "
[watcher:a]
cmd = sleep 900
graceful_timeout = 24
[watcher:b]
cmd = sleep 901
";

/// Ignores TERM, and says when it does.
const STUBBORN: &str = "trap '' TERM\necho deaf >> @/facts\nwhile :; do sleep 1; done\n";

#[test]
fn two_hundred_stops_at_random_moments_end_in_time_with_code_0_and_leave_nothing() {
    let in_namespaces = namespaces_are_possible();
    let mut random = Random::new();
    let randoms: Vec<Random> = (0..AT_ONCE).map(|_| random.fork()).collect();
    thread::scope(|scope| {
        for mut random in randoms {
            scope.spawn(move || {
                for _ in 0..RUNS / AT_ONCE {
                    stop_at_random(&mut random, in_namespaces);
                }
            });
        }
    });
}

fn stop_at_random(random: &mut Random, in_namespaces: bool) {
    let ini = [SERVICES, GATED, NOTHING_YET, SLOWLY][random.below(4) as usize];
    let world = match in_namespaces && random.below(2) == 0 {
        true => World::pid_1(ini),
        false => World::plain(ini),
    };
    let mut run = world.with("wrapper.sh", WRAPPER).start();
    thread::sleep(Duration::from_millis(random.below(500)));
    match random.below(3) {
        0 => run.send("TERM"),
        1 => run.send("INT"),
        _ => {
            run.send("TERM");
            thread::sleep(Duration::from_millis(random.below(20)));
            run.send("TERM");
        }
    }
    assert_eq!(run.exit_code(), 0, "{ini}");
    assert_eq!(run.others(), [], "nothing is left");
}

#[test]
fn a_service_that_ignores_term_is_killed_after_its_grace_and_named() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:deaf]\ncmd = sh @/deaf.sh\ngraceful_timeout = 0.5\n";
    let mut run = World::pid_1(ini).with("deaf.sh", STUBBORN).start();
    run.wait_for_file("facts", "deaf");
    let asked = Instant::now();
    run.stop();
    assert!(asked.elapsed() >= Duration::from_millis(490), "{:?}", asked.elapsed());
    let log = run.log();
    let line = log.lines().find(|line| line.contains("did not end")).expect("it is told");
    assert!(line.contains("deaf (pid ") && line.contains("SIGTERM: killed"), "{line}");
}

#[test]
fn services_that_end_at_once_make_the_stop_quick_whatever_the_grace() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:a]\ncmd = sleep 900\nnumprocesses = 10\ngraceful_timeout = 24\n";
    let mut run = World::pid_1(ini).start();
    run.wait_for_log("a started");
    let asked = Instant::now();
    run.stop();
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
}

#[test]
fn shutdown_timeout_is_the_budget_for_everything() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[circus]\nshutdown_timeout = 0.4\n[watcher:deaf]\ncmd = sh @/deaf.sh\ngraceful_timeout = 600\n";
    let mut run = World::pid_1(ini).with("deaf.sh", STUBBORN).start();
    run.wait_for_file("facts", "deaf");
    run.stop();
    assert!(run.log().contains("shutdown_timeout is over"), "{}", run.log());
}

#[test]
fn a_second_term_hurries_the_stop() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:deaf]\ncmd = sh @/deaf.sh\ngraceful_timeout = 600\n";
    let mut run = World::pid_1(ini).with("deaf.sh", STUBBORN).start();
    run.wait_for_file("facts", "deaf");
    run.send("TERM");
    run.wait_for_log("SIGTERM received: stopping");
    run.send("TERM");
    assert_eq!(run.exit_code(), 0);
    assert!(run.log().contains("received again"), "{}", run.log());
}

#[test]
fn a_suspended_service_is_stopped_without_sitting_out_its_grace() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1(SUSPENDED).start();
    let child = run.wait_for_child("sleep 900");
    run.wait_for_log("a started");
    run.wait_for_log("b started");
    let before = settled_waits(&run);
    child.send("STOP");
    until("it is suspended", || child.stat(3) == "T");
    until("circusd has noticed", || waits(&run) != before);
    let asked = Instant::now();
    run.stop();
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
}

/// How often circusd has gone to sleep.
fn waits(run: &Running) -> String {
    run.process.status("voluntary_ctxt_switches")
}

/// The same, once it stays as it is.
fn settled_waits(run: &Running) -> String {
    until_some("circusd rests", || {
        let before = waits(run);
        thread::sleep(Duration::from_millis(50));
        Some(before).filter(|before| *before == waits(run))
    })
}

#[test]
fn a_suspended_and_continued_service_is_no_dead_one() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1("[watcher:a]\ncmd = sleep 900\n").start();
    let child = run.wait_for_child("sleep 900");
    for _ in 0..3 {
        child.send("STOP");
        until("it is suspended", || child.stat(3) == "T");
        child.send("CONT");
        until("it is continued", || child.stat(3) == "S");
    }
    assert_eq!(run.children("sleep 900"), [child]);
    run.stop();
    assert!(!run.log().contains("starting again"), "{}", run.log());
}

#[test]
fn the_end_of_circusd_by_sigkill_is_survived_by_whoever_cleans_up() {
    let mut run = World::plain("[watcher:a]\ncmd = sleep 900\n").start();
    let child = run.wait_for_child("sleep 900");
    run.send("KILL");
    assert_eq!(run.exit_code(), 1009);
    // Nobody is there who could end it.
    assert!(child.is_alive());
    drop(run);
    until("it was cleaned up", || !child.is_alive());
}

#[test]
fn the_stop_signal_is_the_one_asked_for() {
    if !namespaces_are_possible() {
        return;
    }
    let script = "trap 'echo got USR1 >> @/facts; exit 0' USR1\ntrap 'echo got TERM >> @/facts' TERM\n\
                  echo up >> @/facts\nwhile :; do sleep 0.02; done\n";
    let ini = "[watcher:w]\ncmd = sh @/w.sh\nstop_signal = USR1\n";
    let mut run = World::pid_1(ini).with("w.sh", script).start();
    run.wait_for_file("facts", "up");
    run.stop();
    assert_eq!(run.file("facts"), "up\ngot USR1\n");
}

#[test]
fn reloads_at_any_moment_keep_no_stop_from_its_end() {
    if !namespaces_are_possible() {
        return;
    }
    let mut random = Random::new();
    let ini = format!("{SERVICES}graceful_timeout = 0.5\n");
    for _ in 0..6 {
        let mut run = World::pid_1(&ini).with("wrapper.sh", WRAPPER).start();
        for _ in 0..random.below(25) {
            run.send("HUP");
            thread::sleep(Duration::from_millis(random.below(12)));
        }
        run.send("TERM");
        for _ in 0..3 {
            run.send("HUP");
        }
        assert_eq!(run.exit_code(), 0);
        assert_eq!(run.others(), [], "nothing is left");
    }
}

#[test]
fn a_pidfile_names_it_and_is_removed_at_the_end() {
    let mut run = World::plain("[circus]\npidfile = @/pid\n[watcher:a]\ncmd = sleep 900\n").start();
    run.wait_for_child("sleep 900");
    assert_eq!(run.file("pid").trim(), run.process.0.to_string());
    run.stop();
    assert!(!run.folder().join("pid").exists());
}
