//! `circusd -- CMD` in place of tini or dumb-init: exit codes, signals, orphans, descriptors.

use crate::container::{CONFIG, Container};
use crate::{docker, image};
use std::io::Write;
use std::process::Stdio;

/// Prints the name of each signal that it gets, and goes on.
const TELLS_SIGNALS: &str = "
    for signal in HUP INT QUIT USR1 USR2 ALRM TERM CONT WINCH URG PIPE RTMIN RTMIN+3 RTMAX; do
        trap \"echo got $signal.\" $signal
    done
    sleep infinity & echo ready
    while :; do wait; done";

/// Leaves an orphan that runs on and fifty that end, then waits.
const LEAVES_ORPHANS: &str = "
    (setsid sleep 4242 &)
    for n in $(seq 50); do (sh -c 'exit 3' &); done
    echo ready; exec sleep infinity";

/// Prints the name of the parent of the orphan that runs on.
const PARENT_OF_ORPHAN: &str = "
    for d in /proc/[0-9]*; do
        [ \"$(tr '\\0' ' ' < $d/cmdline)\" = 'sleep 4242 ' ] || continue
        cat /proc/$(sed -n 's/^PPid:[[:space:]]*//p' $d/status)/comm
    done 2>/dev/null";

#[test]
fn the_exit_code_is_that_of_the_command() {
    if !docker::is_here() {
        return;
    }
    for code in [0, 1, 42, 255] {
        let script = format!("exit {code}");
        let ended = Container::to_end(&[], &image::circusd(), &["--", "sh", "-c", &script]);
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(ended.stdout + &ended.stderr, "", "an ordinary end is not worth a word");
    }
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    if !docker::is_here() {
        return;
    }
    for (signal, code) in [("TERM", 143), ("INT", 130), ("KILL", 137), ("RTMIN+3", 165)] {
        let script = format!("kill -{signal} $$; sleep infinity");
        let ended = Container::to_end(&[], &image::circusd(), &["--", "bash", "-c", &script]);
        assert_eq!(ended.code, code, "{signal}: {ended:?}");
    }
}

#[test]
fn a_command_that_is_not_there_is_127_and_named() {
    if !docker::is_here() {
        return;
    }
    for command in ["no-such-program", "/no/such/program"] {
        let ended = Container::to_end(&[], &image::circusd(), &["--", command]);
        assert_eq!(ended.code, 127, "{ended:?}");
        assert!(ended.stderr.contains(command), "{ended:?}");
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_126_and_named() {
    if !docker::is_here() {
        return;
    }
    for command in ["/etc/passwd", "/etc"] {
        let ended = Container::to_end(&[], &image::circusd(), &["--", command]);
        assert_eq!(ended.code, 126, "{ended:?}");
        assert!(ended.stderr.contains(command), "{ended:?}");
    }
}

#[test]
fn every_signal_is_forwarded() {
    if !docker::is_here() {
        return;
    }
    let words = ["--", "bash", "-c", TELLS_SIGNALS];
    let container = Container::run(&[], &image::circusd(), &words);
    container.wait_for("ready");
    for signal in [
        "HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "WINCH", "URG", "PIPE",
        "RTMIN", "RTMIN+3", "RTMAX",
    ] {
        container.kill(signal);
        container.wait_for(&format!("got {signal}."));
    }
}

#[test]
fn docker_stop_ends_a_command_at_once_that_handles_no_signal() {
    if !docker::is_here() {
        return;
    }
    let container = Container::run(&[], &image::circusd(), &["--", "sleep", "1001"]);
    container.wait_for_pids("sleep 1001", 1);
    let time = container.stop(10);
    assert!(time.as_secs() < 5, "the stop took {time:?}");
    assert_eq!(container.exit_code(), 143);
}

#[test]
fn orphans_are_adopted_and_reaped() {
    if !docker::is_here() {
        return;
    }
    let words = ["--", "bash", "-c", LEAVES_ORPHANS];
    let container = Container::run(&[], &image::circusd(), &words);
    container.wait_for("ready");
    container.wait_for_pids("sleep 4242", 1);
    container.wait_for_no_zombie();
    assert_eq!(container.sh(PARENT_OF_ORPHAN).stdout.trim(), "circusd");
}

#[test]
fn behind_another_init_it_forwards_adopts_and_passes_the_code_on() {
    if !docker::is_here() {
        return;
    }
    let script = format!("trap 'exit 9' USR1; {}", LEAVES_ORPHANS.replace("exec sleep", "sleep"));
    let script = script.replace("sleep infinity", "sleep infinity & wait");
    let words = ["--", "bash", "-c", &script];
    let container = Container::run(&["--init"], &image::circusd(), &words);
    container.wait_for("ready");
    container.wait_for_pids("sleep 4242", 1);
    assert_ne!(container.sh("cat /proc/1/comm").stdout.trim(), "circusd");
    assert_eq!(container.sh(PARENT_OF_ORPHAN).stdout.trim(), "circusd");
    container.wait_for_no_zombie();
    container.kill("USR1");
    assert_eq!(container.exit_code(), 9);
}

#[test]
fn in_the_process_namespace_of_another_container_it_adopts_its_own_orphans() {
    if !docker::is_here() {
        return;
    }
    let first = Container::run(&[], &image::circusd(), &["--", "sleep", "1001"]);
    let namespace = format!("container:{}", first.name());
    let words = ["--", "bash", "-c", LEAVES_ORPHANS];
    let second = Container::run(&["--pid", &namespace], &image::circusd(), &words);
    second.wait_for("ready");
    second.wait_for_pids("sleep 4242", 1);
    second.wait_for_no_zombie();
    let orphans_parent = PARENT_OF_ORPHAN.replace("/comm", "/status | sed -n 's/^Pid:\t//p'");
    let adopter = second.sh(&orphans_parent).stdout;
    assert_ne!(adopter.trim(), "1", "the first container's circusd adopted the orphan");
    assert_ne!(adopter.trim(), "", "the orphan has no parent");
    second.stop(10);
    assert_eq!(first.inspect("{{.State.Running}}"), "true");
}

#[test]
fn under_a_shell_it_passes_the_code_on() {
    if !docker::is_here() {
        return;
    }
    let script = "/circusd -- sh -c 'exit 5'; echo the code is $?; exit 6";
    let ended = Container::to_end(&["--entrypoint", "sh"], &image::circusd(), &["-c", script]);
    assert_eq!(ended.stdout, "the code is 5\n", "{ended:?}");
    assert_eq!(ended.code, 6);
}

#[test]
fn the_command_reads_stdin_and_writes_stdout_and_stderr() {
    if !docker::is_here() {
        return;
    }
    let label = docker::label();
    let image = image::circusd();
    let args = ["run", "-i", "--rm", "--label", &label, &image, "--", "sh", "-c", "cat; cat >&2"];
    let mut command = docker::command(&args);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("docker was found before");
    child.stdin.take().expect("it was piped").write_all(b"line\n").expect("docker reads");
    let output = child.wait_with_output().expect("it is our child");
    let ended = docker::Ended::from(output);
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (0, "line\n", ""));
}

#[test]
fn with_stdin_stdout_and_stderr_closed_it_works_all_the_same() {
    if !docker::is_here() {
        return;
    }
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let script = format!("exec /circusd -- sh -c 'exit 3' {closed}");
        let options = ["--entrypoint", "sh"];
        let ended = Container::to_end(&options, &image::circusd(), &["-c", &script]);
        assert_eq!(ended.code, 3, "{closed}: {ended:?}");
    }
}

#[test]
fn a_descendant_may_finish_after_the_command() {
    if !docker::is_here() {
        return;
    }
    let script = "trap '' TERM; (sleep 1; echo the descendant is done) & exit 5";
    let ended = Container::to_end(&[], &image::circusd(), &["--", "sh", "-c", script]);
    assert!(ended.stdout.contains("the descendant is done"), "{ended:?}");
    assert_eq!(ended.code, 5);
}

#[test]
fn a_descendant_that_would_run_for_ever_does_not_keep_the_container() {
    if !docker::is_here() {
        return;
    }
    let words = ["--", "sh", "-c", "setsid sleep 4242 & exit 5"];
    let container = Container::run(&[], &image::circusd(), &words);
    assert_eq!(container.exit_code(), 5);
}

#[test]
fn the_end_of_the_main_command_stops_the_watchers_beside_it() {
    if !docker::is_here() {
        return;
    }
    let ini = r#"
[watcher:helper]
cmd = sh -c 'trap "echo the helper got TERM; exit 0" TERM; : > /tmp/up; sleep infinity & wait'
"#;
    let main = "while [ ! -e /tmp/up ]; do sleep 0.1; done; exit 9";
    let words = [CONFIG, "--", "sh", "-c", main];
    let container = Container::with_config_in(&[], &image::circusd(), ini, &words);
    assert_eq!(container.exit_code(), 9);
    assert_eq!(container.count("the helper got TERM"), 1);
}

#[test]
fn the_version_is_printed_where_nothing_else_exists() {
    if !docker::is_here() {
        return;
    }
    let ended = Container::to_end(&[], &image::circusd(), &["--version"]);
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains(env!("CARGO_PKG_VERSION")), "{ended:?}");
}
