//! Watchers in a container: they heal, stop in order and in time, and their end is the truth.

use crate::container::{CONFIG, Container};
use crate::deadline::wait_until;
use crate::{docker, image};

/// A service that says when it is up and that it was told to stop, and then stops.
const POLITE: &str = r#"
[watcher:polite]
cmd = sh -c 'trap "echo polite got TERM; exit 0" TERM; echo polite is up; sleep infinity & wait'
"#;

#[test]
fn a_killed_process_is_replaced_and_the_others_stay() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 1001\nnumprocesses = 3\n";
    let container = Container::with_config(&[], ini);
    let before = container.wait_for_pids("sleep 1001", 3);
    container.sh(&format!("kill -9 {}", before[1]));
    let healed = |pids: &Vec<u32>| pids.len() == 3 && !pids.contains(&before[1]);
    let after = wait_until("it is replaced", || container.pids("sleep 1001"), healed);
    assert!(after.contains(&before[0]) && after.contains(&before[2]), "{before:?} {after:?}");
    container.wait_for("SIGKILL");
    container.wait_for_no_zombie();
}

#[test]
fn docker_stop_ends_as_soon_as_the_services_do_with_code_0() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:a]\ncmd = sleep 1001\n[watcher:b]\ncmd = sleep 1001\nnumprocesses = 4\n";
    let container = Container::with_config(&[], ini);
    container.wait_for_pids("sleep 1001", 5);
    let time = container.stop(10);
    assert!(time.as_secs() < 5, "the stop took {time:?}");
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn a_service_that_ignores_term_is_killed_after_its_grace_and_named() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:stubborn]
cmd = sh -c 'trap "" TERM; echo stubborn is up; while :; do sleep 1000; done'
graceful_timeout = 1
"#;
    let container = Container::with_config(&[], &format!("{ini}{POLITE}"));
    container.wait_for("stubborn is up");
    container.wait_for("polite is up");
    let time = container.stop(30);
    assert!(time.as_secs() < 15, "the stop took {time:?}");
    assert_eq!(container.exit_code(), 0);
    assert_eq!(container.count("polite got TERM"), 1);
    assert!(container.has_line(&["[WARNING] stubborn (pid", "killed"]));
    assert!(!container.has_line(&["polite (pid", "killed"]));
}

#[test]
fn a_second_term_stops_at_once() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:slow]
cmd = sh -c 'trap "echo slow got TERM" TERM; echo slow is up; while :; do sleep 0.1; done'
graceful_timeout = 600
"#;
    let container = Container::with_config(&[], ini);
    container.wait_for("slow is up");
    container.kill("TERM");
    wait_until("it was told", || container.count("slow got TERM"), |count| *count > 0);
    container.kill("TERM");
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn hup_replaces_every_process() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 1001\nnumprocesses = 2\n";
    let container = Container::with_config(&[], ini);
    let before = container.wait_for_pids("sleep 1001", 2);
    container.kill("HUP");
    let new = |pids: &Vec<u32>| pids.len() == 2 && pids.iter().all(|pid| !before.contains(pid));
    wait_until("all are new", || container.pids("sleep 1001"), new);
}

#[test]
fn a_watcher_gets_the_signals_it_asked_for() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:listener]
cmd = bash -c 'trap "echo got USR1" USR1; trap "echo got RT" RTMIN+3; echo up; sleep infinity & while :; do wait; done'
forward_signals = USR1, WINCH>RTMIN+3
"#;
    let container = Container::with_config(&[], ini);
    wait_until("it is up", || container.count("up"), |count| *count == 1);
    container.kill("USR1");
    wait_until("USR1 arrives", || container.count("got USR1"), |count| *count == 1);
    container.kill("WINCH");
    wait_until("RTMIN+3 arrives", || container.count("got RT"), |count| *count == 1);
}

#[test]
fn an_essential_watcher_that_gave_up_ends_the_container_with_its_code() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:vital]
cmd = sh -c 'echo vital lives; sleep 1; exit 7'
essential = True
max_restarts = 2
"#;
    let container = Container::with_config(&[], &format!("{ini}{POLITE}"));
    assert_eq!(container.exit_code(), 7);
    assert_eq!(container.count("vital lives"), 3);
    assert_eq!(container.count("polite got TERM"), 1);
}

#[test]
fn death_for_lack_of_memory_is_told() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:hungry]\ncmd = tail /dev/zero\nrespawn = False\n\n\
               [watcher:other]\ncmd = sleep 1001\n";
    let container = Container::with_config(&["-m", "64m", "--memory-swap", "64m"], ini);
    container.wait_for_pids("sleep 1001", 1);
    wait_until(
        "the log explains it",
        || container.logs(),
        |_| container.has_line(&["hungry", "lack of memory"]),
    );
    container.wait_for_pids("sleep 1001", 1);
}

#[test]
fn a_killed_container_always_boots_again() {
    if !docker::is_here() {
        return;
    }
    let container = Container::with_config(&[], "[watcher:web]\ncmd = sleep 1001\n");
    for _ in 0..5 {
        container.wait_for_pids("sleep 1001", 1);
        container.kill("KILL");
        assert_eq!(container.exit_code(), 137);
        container.start();
    }
    container.wait_for_pids("sleep 1001", 1);
    container.stop(10);
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn nothing_of_a_killed_shell_wrapper_is_left_when_its_replacement_starts() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:wrapper]
cmd = bash -c 'grep -sx sleep /proc/[0-9]*/comm; echo up; sleep 900 & setsid sleep 901 & wait'
"#;
    let container = Container::with_config(&[], ini);
    for round in 1..=3 {
        wait_until("it is up", || container.count("up"), |count| *count == round);
        let sleep = container.wait_for_pids("sleep 900", 1);
        container.wait_for_pids("sleep 901", 1);
        let shell =
            format!("kill -9 $(sed -n 's/^PPid:[[:space:]]*//p' /proc/{}/status)", sleep[0]);
        assert_eq!(container.sh(&shell).code, 0);
    }
    wait_until("it is up again", || container.count("up"), |count| *count == 4);
    assert!(!container.logs().contains("comm:sleep"), "an old sleep was still there");
    container.wait_for_pids("sleep 900", 1);
    container.wait_for_pids("sleep 901", 1);
}

#[test]
fn the_replacement_of_a_wrapper_binds_the_port_of_the_killed_one_at_the_first_try() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:web]
cmd = bash -c 'setsid python3 -u -m http.server 8000 & echo wrapper $$ is up; wait'
"#;
    let container = Container::with_config_in(&[], &image::services(), ini, &[CONFIG]);
    for _ in 0..2 {
        let serving = "python3 -u -m http.server 8000";
        let server = container.wait_for_pids(serving, 1);
        container.wait_for_sh("grep -q ':1F40 .* 0A ' /proc/net/tcp");
        let parent = "sed -n 's/^PPid:[[:space:]]*//p'";
        container.sh(&format!("kill -9 $({parent} /proc/{}/status)", server[0]));
        let new = |pids: &Vec<u32>| pids.len() == 1 && pids[0] != server[0];
        wait_until("the server is new", || container.pids(serving), new);
    }
    container.wait_for_sh("grep -q ':1F40 .* 0A ' /proc/net/tcp");
    assert!(!container.logs().contains("Address already in use"));
}

#[test]
fn a_watcher_of_lower_priority_starts_after_the_one_shot_is_done() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:a-server]
cmd = sh -c 'echo serving; exec sleep 1001'

[watcher:migration]
cmd = sh -c 'sleep 1; echo migrated'
oneshot = True
priority = 10
"#;
    let container = Container::with_config(&[], ini);
    container.wait_for_pids("sleep 1001", 1);
    let logs = container.logs();
    let [migrated, serving] = ["\nmigrated", "\nserving"].map(|line| logs.find(line));
    assert!(migrated.is_some() && migrated < serving, "{logs}");
    assert_eq!(container.count("migrated"), 1);
}

#[test]
fn a_failed_essential_one_shot_ends_the_container_before_its_dependants_start() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:server]
cmd = sh -c 'echo serving; exec sleep 1001'

[watcher:migration]
cmd = sh -c 'exit 3'
oneshot = True
essential = True
max_restarts = 0
priority = 10
"#;
    let container = Container::with_config(&[], ini);
    assert_eq!(container.exit_code(), 3);
    assert_eq!(container.count("serving"), 0);
}

#[test]
fn with_exit_when_done_the_code_is_that_of_the_first_failure() {
    if !docker::is_here() {
        return;
    }
    for (code, expected) in [("0", 0), ("4", 4)] {
        let ini = format!(
            "[circus]\nexit_when_done = True\n\
             [watcher:a]\ncmd = sh -c 'exit {code}'\nrespawn = False\n\
             [watcher:b]\ncmd = true\noneshot = True\n"
        );
        assert_eq!(Container::with_config(&[], &ini).exit_code(), expected);
    }
}

#[test]
fn the_processes_have_what_the_file_gives_them() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:tells]
cmd = sh -c 'echo $NAME in $(pwd) as $(id -u):$(id -g), $(ulimit -n) files, $(ls /proc/self/fd | tr "\n" " "); exec sleep 1001'
working_dir = /usr/share
uid = nobody
gid = games
rlimit_nofile = 77

[env:tells]
NAME = $(circus.env.WHO:-nobody) $DOLLAR
"#;
    let options = ["-e", "WHO=she", "-e", "DOLLAR=a$b"];
    let container = Container::with_config(&options, ini);
    container.wait_for_pids("sleep 1001", 1);
    // `ls` has the directory itself open as descriptor 3.
    let line = "she a$b in /usr/share as 65534:60, 77 files, 0 1 2 3";
    assert_eq!(container.count(line), 1, "{}", container.logs());
}
