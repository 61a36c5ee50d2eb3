//! What went wrong once.

use crate::stopping::SUSPENDED;
use crate::world::{World, namespaces_are_possible, until};
use std::time::{Duration, Instant};

#[test]
fn not_even_the_signals_that_libc_keeps_for_itself_are_ignored_in_a_process() {
    if !namespaces_are_possible() {
        return;
    }
    // Whoever is started by posix_spawn(3) has 32 ignored.
    let mut run = World::pid_1("[watcher:w]\ncmd = sleep 900\n").start();
    let child = run.wait_for_child("sleep 900");
    run.wait_for_log("w started");
    assert_eq!(format!("{:x}", child.mask("SigIgn")), "0");
    run.stop();
}

#[test]
fn descriptors_that_our_own_starts_hold_for_a_moment_are_no_reason_to_back_off() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\nnumprocesses = 24\n";
    let mut run = World::pid_1(ini).through_bash("ulimit -n 16; exec \"$@\"").start();
    run.wait_for_children("sleep 900", 24);
    run.stop();
    assert!(!run.log().contains("no process can be made"), "{}", run.log());
}

#[test]
fn a_watcher_with_a_limit_of_locks_leaves_nothing_behind_either() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = bash @/w.sh\nrlimit_locks = 1000\n";
    let script = "echo life >> @/lives\nsleep 900 & setsid sleep 901 & wait\n";
    let mut run = World::pid_1(ini).with("w.sh", script).start();
    let command = format!("bash {}/w.sh", run.folder().display());
    let bash = run.wait_for_child(&command);
    until("it has its sleeps", || run.others().len() == 3);
    bash.send("KILL");
    run.wait_for_replacement(&command, bash);
    until("the second life has its sleeps", || {
        run.others().iter().filter(|process| process.command() == "sleep 901").count() >= 1
            && run.file("lives").lines().count() == 2
    });
    assert!(run.log().contains("left pids"), "{}", run.log());
    run.stop();
}

#[test]
fn the_proc_of_another_namespace_counts_as_none() {
    if !namespaces_are_possible() {
        return;
    }
    // Its numbers are not ours: what is sent to them reaches strangers.
    let ini = "[watcher:w]\ncmd = bash @/w.sh\n[watcher:v]\ncmd = sleep 902\n";
    let script = "echo life >> @/lives\nsleep 900 & setsid sleep 901 & wait\n";
    let mut run = World::pid_1(ini).with("w.sh", script).with_foreign_proc().start();
    run.wait_for_child("sleep 902");
    run.wait_for_file("lives", "life");
    let command = format!("bash {}/w.sh", run.folder().display());
    let bash = run.wait_for_child(&command);
    bash.send("KILL");
    run.wait_for_replacement(&command, bash);
    run.send("TERM");
    assert_eq!(run.exit_code(), 0);
    let log = run.log();
    assert!(log.contains("no /proc"), "{log}");
    assert!(!log.contains("asked to end"), "{log}");
}

#[test]
fn a_service_that_is_suspended_at_the_moment_of_the_stop_does_not_sit_out_its_grace() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1(SUSPENDED).start();
    let child = run.wait_for_child("sleep 900");
    run.wait_for_log("a started");
    // So that it finds SIGTERM and SIGCHLD at the same time, of which the kernel gives the lower
    // number first.
    run.send("STOP");
    until("circusd is suspended", || run.process.stat(3) == "T");
    child.send("STOP");
    until("its child is suspended", || child.stat(3) == "T");
    run.send("TERM");
    run.send("CONT");
    let asked = Instant::now();
    assert_eq!(run.exit_code(), 0);
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
}

#[test]
fn a_descendant_that_ignores_sigterm_does_not_hold_up_the_end_of_a_command() {
    if !namespaces_are_possible() {
        return;
    }
    let script = "(trap '' TERM; echo up > $0; while :; do sleep 1; done) & \
                  until [ -s $0 ]; do sleep 0.05; done; exit 3";
    let mut run = World::entrypoint(&["bash", "-c", script, "facts"]).start();
    let asked = Instant::now();
    assert_eq!(run.exit_code(), 3);
    // Platforms wait ten seconds; the default grace is thirty.
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
}

#[test]
fn a_message_that_nobody_can_read_changes_no_exit_code() {
    for (line, code) in [
        ("exec \"$@\" 2>/dev/full", 2),
        ("exec \"$@\" 2>&-", 2),
        ("\"$@\" 2>&1 | true; exit ${PIPESTATUS[0]}", 2),
    ] {
        let mut run = World::plain("").words(&["no-such-file.ini"]).through_bash(line).start();
        assert_eq!(run.exit_code(), code, "{line}");
    }
    let mut run =
        World::plain("").words(&["--help"]).through_bash("exec \"$@\" >/dev/full").start();
    assert_eq!(run.exit_code(), 2);
}

#[test]
fn a_script_without_interpreter_line_is_run_by_the_shell() {
    let world = World::plain("");
    let script = world.write("script", "exit $(($# + 40))\n").display().to_string();
    let line = "chmod +x $0; exec \"$@\"".replace("$0", &script);
    let mut run = world.words(&["--", &script, "a", "b"]).through_bash(&line).start();
    assert_eq!(run.exit_code(), 42);
}

#[test]
fn a_small_limit_of_descriptors_does_not_keep_the_oom_score_from_being_set() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\noom_score_adj = 100\nrlimit_nofile = 4\n";
    let mut run = World::pid_1(ini).start();
    let child = run.wait_for_child("sleep 900");
    assert_eq!(child.read("oom_score_adj").trim(), "100");
    run.stop();
}

#[test]
fn what_a_killed_circusd_inside_leaves_behind_is_cleared_too() {
    if !namespaces_are_possible() {
        return;
    }
    let circusd = env!("CARGO_BIN_EXE_circusd");
    let ini = format!(
        "[circus]\nloglevel = debug\n\
         [watcher:inner]\ncmd = {circusd} @/inner.ini\n[watcher:other]\ncmd = sleep 903\n"
    );
    let inner = "[watcher:w]\ncmd = bash -c 'setsid sleep 901 & wait'\n";
    let mut run = World::pid_1(&ini).with("inner.ini", inner).start();
    let command = format!("{circusd} {}/inner.ini", run.folder().display());
    for _ in 0..2 {
        let first = run.wait_for_child(&command);
        until("its sleep is there", || sleeps(&run) == 1);
        first.send("KILL");
        run.wait_for_replacement(&command, first);
        until("only the new sleep is there", || sleeps(&run) == 1);
    }
    run.stop();
}

fn sleeps(run: &crate::world::Running) -> usize {
    run.others().iter().filter(|process| process.command() == "sleep 901").count()
}

#[test]
fn a_bug_in_circusd_itself_stops_the_processes_and_has_a_code_of_its_own() {
    if !namespaces_are_possible() || !cfg!(debug_assertions) {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\n";
    let mut run = World::pid_1(ini).through_bash("CIRCUSD_TEST_FAILURE=1 exec \"$@\"").start();
    run.wait_for_child("sleep 900");
    run.send("64");
    assert_eq!(run.exit_code(), 70);
    let words = run.file("err");
    assert!(words.contains("internal failure") && words.contains("before that: Begin"), "{words}");
}
