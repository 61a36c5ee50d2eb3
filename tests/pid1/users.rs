//! As a user who may do nothing.

use crate::world::{World, namespaces_are_possible};

#[test]
fn a_user_without_rights_can_run_watchers() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\n";
    let world = World::pid_1(ini).by_user("61001").words(&["--pidfile", "/nowhere/circusd.pid"]);
    let mut run = world.start();
    let child = run.wait_for_child("sleep 900");
    assert_eq!(run.process.status("Uid"), "61001 61001 61001 61001");
    assert_eq!(child.status("Uid"), "61001 61001 61001 61001");
    run.wait_for_log("no pidfile");
    child.send("KILL");
    run.wait_for_replacement("sleep 900", child);
    run.stop();
}

#[test]
fn another_user_that_one_may_not_become_is_an_error_that_says_so() {
    if !namespaces_are_possible() {
        return;
    }
    let ini =
        "[watcher:w]\ncmd = sleep 900\nuid = 61003\nmax_retry = 2\n[watcher:o]\ncmd = sleep 901\n";
    let mut run = World::pid_1(ini).by_user("61002").start();
    run.wait_for_log("given up after 2 failures");
    let log = run.log();
    assert!(log.contains("not permitted") && log.contains("user_switch"), "{log}");
    assert!(log.contains("user 61002 may not change user, as these ask for: w"), "{log}");
    run.wait_for_child("sleep 901");
    run.stop();
}

#[test]
fn with_user_switch_ignore_it_runs_as_the_user_that_circusd_is() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\nuid = 61005\ngid = 61005\nuser_switch = ignore\n";
    let mut run = World::pid_1(ini).by_user("61004").start();
    let child = run.wait_for_child("sleep 900");
    run.wait_for_log("w started");
    assert_eq!(child.status("Uid"), "61004 61004 61004 61004");
    run.stop();
}

#[test]
fn without_capabilities_and_new_privileges_everything_works() {
    if !namespaces_are_possible() {
        return;
    }
    let drop = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
    let world = World::pid_1("[watcher:w]\ncmd = sleep 900\n").by_restricted_user("61006", &drop);
    let mut run = world.start();
    let child = run.wait_for_child("sleep 900");
    run.wait_for_log("w started");
    assert_eq!(child.mask("CapBnd"), 0);
    assert_eq!(child.status("NoNewPrivs"), "1");
    child.send("KILL");
    run.wait_for_replacement("sleep 900", child);
    run.stop();
}
