//! How processes end, and what follows.

use crate::world::{World, namespaces_are_possible, until};

/// Notes TERM and ends.
const POLITE: &str = "trap 'echo polite got TERM >> @/facts; exit 0' TERM\n\
                      echo polite is up >> @/facts\nwhile :; do sleep 0.05; done\n";

#[test]
fn an_essential_process_has_three_lives_then_the_others_get_term_and_the_exit_code_is_its_own() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:main]\ncmd = sh @/main.sh\nessential = True\nmax_restarts = 2\n\
               [watcher:polite]\ncmd = sh @/polite.sh\n";
    let main = "echo life >> @/lives\nuntil grep -q up @/facts; do sleep 0.01; done\nexit 7\n";
    let mut run = World::pid_1(ini)
        .with("main.sh", main)
        .with("polite.sh", POLITE)
        .start();
    assert_eq!(run.exit_code(), 7);
    assert_eq!(run.file("lives"), "life\n".repeat(3));
    assert_eq!(run.file("facts"), "polite is up\npolite got TERM\n");
    assert!(run.log().contains("main is essential"), "{}", run.log());
}

#[test]
fn a_oneshot_that_succeeds_is_completed_and_one_that_fails_is_told() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:good]\ncmd = true\noneshot = True\n\
               [watcher:bad]\ncmd = sh -c 'exit 5'\noneshot = True\n\
               [watcher:o]\ncmd = sleep 900\n";
    let mut run = World::pid_1(ini).start();
    run.wait_for_log("good completed");
    run.wait_for_log("bad has no process left");
    let log = run.log();
    assert!(
        log.contains("exited with code 5") && !log.contains("bad completed"),
        "{log}"
    );
    run.wait_for_child("sleep 900");
    run.stop();
}

#[test]
fn an_essential_oneshot_that_fails_ends_everything_with_its_code() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:migrate]\ncmd = sh -c 'exit 5'\noneshot = True\nessential = True\npriority = 9\n\
               [watcher:serve]\ncmd = touch @/served\n";
    let mut run = World::pid_1(ini).start();
    assert_eq!(run.exit_code(), 5);
    assert!(!run.folder().join("served").exists());
}

#[test]
fn exit_when_done_exits_with_the_code_of_the_first_failure() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[circus]\nexit_when_done = True\n\
               [watcher:good]\ncmd = true\nrespawn = False\n\
               [watcher:first]\ncmd = sh -c 'exit 3'\nrespawn = False\n\
               [watcher:second]\ncmd = sh @/second.sh\nrespawn = False\n";
    // Waits until the log has told the death of the first.
    let second = "until grep -q 'code 3' @/out; do sleep 0.01; done\nexit 4\n";
    let mut run = World::pid_1(ini).with("second.sh", second).start();
    assert_eq!(run.exit_code(), 3);
    let done = "[circus]\nexit_when_done = True\n[watcher:good]\ncmd = true\nrespawn = False\n";
    assert_eq!(World::pid_1(done).start().exit_code(), 0);
}

#[test]
fn respawn_on_failure_starts_again_what_failed_and_not_what_succeeded() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[circus]\nexit_when_done = True\n\
               [watcher:w]\ncmd = sh @/w.sh\nrespawn = on-failure\n";
    let script = "echo life >> @/lives\n[ $(wc -l < @/lives) -ge 3 ] && exit 0\nexit 1\n";
    let mut run = World::pid_1(ini).with("w.sh", script).start();
    assert_eq!(run.exit_code(), 0);
    assert_eq!(run.file("lives"), "life\n".repeat(3));
}

#[test]
fn success_codes_are_no_failures_be_they_codes_or_signals() {
    if !namespaces_are_possible() {
        return;
    }
    for ending in ["exit 3", "kill -USR1 $$", "kill -35 $$", "exit 0"] {
        let ini = "[circus]\nexit_when_done = True\n[watcher:w]\ncmd = bash @/w.sh\n\
                   respawn = on-failure\nsuccess_codes = 0, 3, SIGUSR1, RTMIN+1\n";
        let script = format!("echo life >> @/lives\n{ending}\n");
        let mut run = World::pid_1(ini).with("w.sh", &script).start();
        assert_eq!(run.exit_code(), 0, "{ending}");
        assert_eq!(run.file("lives"), "life\n", "{ending}");
    }
}

#[test]
fn max_age_replaces_a_process() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\nmax_age = 0.2\nmax_age_variance = 0\n";
    let mut run = World::pid_1(ini).start();
    let first = run.wait_for_child("sleep 900");
    let second = run.wait_for_replacement("sleep 900", first);
    run.wait_for_replacement("sleep 900", second);
    until("the first is gone", || !first.is_alive());
    run.stop();
    assert!(run.log().contains("max_age"), "{}", run.log());
}

#[test]
fn a_child_killed_by_a_real_time_signal_is_reaped_and_explained() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1("[watcher:w]\ncmd = sleep 900\n").start();
    let mut child = run.wait_for_child("sleep 900");
    run.wait_for_log("w started");
    for (signal, name) in [
        ("37", "SIGRTMIN+3 "),
        ("34", "SIGRTMIN "),
        ("64", "SIGRTMIN+30 "),
    ] {
        child.send(signal);
        child = run.wait_for_replacement("sleep 900", child);
        run.wait_for_log(&format!("was killed by {name}"));
    }
    assert_eq!(run.process.children(), [child], "and no zombie");
    run.stop();
}
