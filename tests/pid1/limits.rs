//! The kernel's limits are told and outlived.

use crate::world::{Running, World, namespaces_are_possible, until};
use std::process::Command;

#[test]
fn sixteen_descriptors_are_enough_for_many_processes() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\nnumprocesses = 24\n";
    let mut run = World::pid_1(ini).through_bash("ulimit -n 16; exec \"$@\"").start();
    let children = run.wait_for_children("sleep 900", 24);
    for child in &children[..8] {
        child.send("KILL");
    }
    until("they are replaced", || {
        let now = run.children("sleep 900");
        now.len() == 24 && children[..8].iter().all(|old| !now.contains(old))
    });
    run.stop();
}

/// Raise a soft limit of a running circusd, as its own user.
fn raise(run: &Running, uid: &str, limit: &str) {
    let pid = run.process.0.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", uid, "--regid", uid, "--clear-groups"]);
    command.args(["prlimit", "--pid", &pid, limit]);
    assert!(command.status().expect("prlimit is there").success());
}

fn times_told(run: &Running) -> usize {
    run.log().matches("no process can be made").count()
}

fn told_tried_again_and_outlived(ulimit: &str, uid: &str, raised: &str) {
    let ini = "[watcher:w]\ncmd = sleep 900\nnumprocesses = 5\nbackoff_max = 0.3\n";
    let world = World::pid_1(ini).by_user(uid).through_bash(&format!("{ulimit}; exec \"$@\""));
    let mut run = world.start();
    until("it is told", || times_told(&run) > 0);
    let told = times_told(&run);
    until("it is tried again", || times_told(&run) > told);
    raise(&run, uid, raised);
    run.wait_for_children("sleep 900", 5);
    run.stop();
}

#[test]
fn too_few_descriptors_are_told_tried_again_and_outlived() {
    if namespaces_are_possible() {
        told_tried_again_and_outlived("ulimit -Sn 7", "61012", "--nofile=64:");
    }
}

#[test]
fn too_few_processes_are_told_tried_again_and_outlived() {
    if namespaces_are_possible() {
        // It counts all processes of a user: this one has no others.
        told_tried_again_and_outlived("ulimit -Su 3", "61011", "--nproc=100:");
    }
}
